"""cat and export: rows as JSON lines, read to the end of the section, whose hash must fit.

Values are shown as a person reads them: enums by name, timestamps and uuids as text, blobs as
base64 or as their messages. Secrets are left out unless asked for.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from metasnapshot.errors import RowError
from metasnapshot.format.hummock_version import VERSION
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.scalars import Blob, Timestamp
from metasnapshot.operations.secrets import redact_row


def export_rows(
    reader: SnapshotReader, section: str, *, with_secrets: bool = False, messages: bool = False
) -> Iterator[dict[str, Any]]:
    """The rows of a section, ready for JSON.

    Args:
        reader: an opened snapshot.
        section: its section; hummock_version gives one row.
        with_secrets: show credentials as they are.
        messages: show blobs as their protobuf messages instead of base64.

    Raises:
        UnknownFormat: there is no such section.
        DamageError: the section is damaged; rows that came before are not to be trusted then.
    """
    if section == HUMMOCK_VERSION:
        yield {VERSION: reader.hummock_version.json}
        return
    for row in reader.rows(section):
        values = {
            name: value
            for name in row.__struct_fields__
            if (value := getattr(row, name)) is not UNSET
        }
        shown = values if with_secrets else redact_row(values)
        yield {name: _plain(value, messages=messages) for name, value in shown.items()}


def _plain(value: Any, *, messages: bool) -> Any:
    if isinstance(value, Blob):
        return _blob(value) if messages else base64.b64encode(value.bytes).decode("ascii")
    if isinstance(value, (Timestamp, UUID)):
        return str(value)
    return msgspec.to_builtins(value, str_keys=True)


def _blob(value: Blob) -> Any:
    """A message, or base64 where the bytes hold none or do not decode as theirs."""
    text = base64.b64encode(value.bytes).decode("ascii")
    try:
        return text if value.message is None else value.json
    except RowError:
        return text
