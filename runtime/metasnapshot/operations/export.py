"""cat and export: rows for people and other programs, read to the end of each section, whose hash
must fit.

Values are shown as a person reads them: enums by name, timestamps and uuids as text. Secrets are
left out unless asked for. A file appears complete or not at all.
"""

from __future__ import annotations

import base64
import os
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec

from metasnapshot.contents.fields import field_names, fields_of
from metasnapshot.contents.secrets import redact_message, redact_row
from metasnapshot.contents.sequences import I64_MAX
from metasnapshot.errors import ConflictError, MetasnapshotError, RowError
from metasnapshot.format.hummock_version import VERSION
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.scalars import Blob, Timestamp
from metasnapshot.store.scratch import scratch_directory

FORMULA_SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""With their wide forms, which some programs take for the same."""
BLANKS = " \u00a0\u3000\ufeff"
LINE_SIGNS = ("\t", "\r", "\n")
"""A cell that begins with one begins another where it is pasted."""
Row = dict[str, Any]


class Output(Protocol):
    """Where text goes."""

    def write(self, text: str, /) -> object:
        """As io.TextIOBase.write."""
        ...


def export_rows(
    reader: SnapshotReader, section: str, *, with_secrets: bool = False, messages: bool = False
) -> Iterator[Row]:
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
    for row in _shown_rows(reader, section, with_secrets=with_secrets):
        yield {name: _plain(value, messages=messages) for name, value in row.items()}


def write_jsonl(
    reader: SnapshotReader, sections: Sequence[str], file: Output, *, with_secrets: bool = False
) -> dict[str, int]:
    """Write a line of JSON a row, `{"section": …, "row": {…}}`, and a summary as the last: output
    without it is incomplete. Returns rows by section.

    Raises:
        DamageError: a section is damaged; no summary was written.
    """
    counts: dict[str, int] = {}
    for section in sections:
        count = 0
        for row in export_rows(reader, section, with_secrets=with_secrets):
            file.write(_json({"section": section, "row": row}) + "\n")
            count += 1
        counts[section] = count
    summary = {"snapshot_id": reader.id, "checksum": f"{reader.checksum:016x}", "rows": counts}
    file.write(_json({"summary": summary}) + "\n")
    return counts


def write_csv(
    reader: SnapshotReader,
    section: str,
    file: Output,
    *,
    with_secrets: bool = False,
    safe: bool = False,
) -> int:
    """Write a section as CSV with a head: every value in quotes, NULL as nothing, blobs as base64,
    lists and maps as JSON. Where it shall be safe, a text that a spreadsheet would take for a
    formula has an apostrophe before it. Returns its rows.

    Raises:
        DamageError: the section is damaged; what was written is not to be trusted.
    """
    names = _columns(reader, section)
    file.write(",".join(map(_quoted, names)) + "\n")
    count = 0
    for row in export_rows(reader, section, with_secrets=with_secrets):
        file.write(",".join(_cell(row[name], safe=safe) for name in names) + "\n")
        count += 1
    return count


def write_sqlite(
    reader: SnapshotReader, sections: Sequence[str], path: Path, *, with_secrets: bool = False
) -> dict[str, int]:
    """Write a SQLite file to look around in: a table a section, blobs as they are, lists and maps
    as JSON. It is no meta store; `restore` makes one. Returns rows by section.

    Raises:
        DamageError: a section is damaged.
    """
    counts: dict[str, int] = {}
    with closing(sqlite3.connect(path)) as connection, connection:
        for section in sections:
            names = _columns(reader, section)
            columns = ", ".join(f'"{name}"' for name in names)
            connection.execute(f'CREATE TABLE "{section}" ({columns})')
            marks = ", ".join("?" * len(names))
            statement = f'INSERT INTO "{section}" VALUES ({marks})'
            rows = _shown_rows(reader, section, with_secrets=with_secrets)
            values = ([_sqlite(row[name]) for name in names] for row in rows)
            counts[section] = connection.executemany(statement, values).rowcount
    return {section: max(count, 0) for section, count in counts.items()}


@contextmanager
def new_path(path: Path) -> Generator[Path]:
    """A path to write to that becomes this one when the block ends well; file or directory.

    Raises:
        ConflictError: there is something already.
        MetasnapshotError: it cannot be written.
    """
    try:
        _require_absent(path)
        with scratch_directory("export", path.parent) as scratch:
            yield scratch / path.name
            for made in (scratch / path.name, *(scratch / path.name).rglob("*")):
                made.chmod(0o700 if made.is_dir() else 0o600)  # they say what passwords open
            _require_absent(path)  # somebody may have been faster
            (scratch / path.name).rename(path)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise MetasnapshotError(f"cannot write {path}: {reason}") from error


def _require_absent(path: Path) -> None:
    """Refuse a path that leads to something, or to nothing as a broken link does."""
    if os.path.lexists(path):
        raise ConflictError(
            f"{path} exists already",
            hint="nothing is overwritten: give a path that is not there yet",
        )


def _shown_rows(reader: SnapshotReader, section: str, *, with_secrets: bool) -> Iterator[Row]:
    if section == HUMMOCK_VERSION:
        yield {VERSION: reader.hummock_version.json}
        return
    for row in reader.rows(section):
        values = fields_of(row)
        if with_secrets:
            yield values
        elif isinstance(row, Blob):
            yield redact_message(values, row.message)
        else:
            yield redact_row(values)


def _columns(reader: SnapshotReader, section: str) -> list[str]:
    if section == HUMMOCK_VERSION:
        return [VERSION]
    return field_names(reader, section)


def _plain(value: Any, *, messages: bool = False) -> Any:
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


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _cell(value: Any, *, safe: bool) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return _quoted(_json(value))
    is_formula = safe and value.lstrip(BLANKS).startswith(FORMULA_SIGNS)
    return _quoted(f"'{value}" if is_formula or (safe and value[:1] in LINE_SIGNS) else value)


def _sqlite(value: Any) -> Any:
    if isinstance(value, Blob):
        return value.bytes
    plain = _plain(value)
    if isinstance(plain, int) and plain > I64_MAX:  # a u64 of a V1 message: SQLite has none
        return str(plain)
    return _json(plain) if isinstance(plain, (dict, list)) else plain
