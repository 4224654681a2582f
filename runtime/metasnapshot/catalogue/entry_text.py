"""The text of a manifest entry, kept outside a manifest: without its objects, whose ids pack better
by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from metasnapshot.catalogue.manifest import ManifestEntry, parse_entry
from metasnapshot.store.document import FAILURES, check_text, damage

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def without_ids(entry: ManifestEntry) -> bytes:
    """An entry's text, with no objects."""
    fields: dict[str, Any] = {**_decoder.decode(entry.text)}
    return msgspec.json.encode(fields | {"ssts": []})


def with_ids(path: str, text: bytes, ids: Sequence[int]) -> ManifestEntry:
    """The entry of that text, with these objects.

    Args:
        path: where it lies, for errors.
        text: of an entry without objects.
        ids: of the objects.

    Raises:
        DamageError: it is no entry, or says two things.
    """
    try:
        check_text(text)
        fields: dict[str, Any] = {**_decoder.decode(text)}
        return parse_entry(msgspec.json.encode(fields | {"ssts": list(ids)}))
    except FAILURES as error:
        raise damage(path, error) from error
