"""verify at level refs, for V1: do the messages of the catalog name things that are there?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from metasnapshot.contents.fields import key_names
from metasnapshot.contents.findings import ERROR, WARNING, Finding
from metasnapshot.errors import TooDeep
from metasnapshot.format.reader import SnapshotReader

DATABASE, SCHEMA, TABLE, USER = "database", "schema", "table", "user_info"
_PLACED = {"database_id": DATABASE, "schema_id": SCHEMA, "owner": USER}
_OBJECTS = ("table", "index", "sink", "source", "view", "function", "connection", "subscription")
REFERENCES: dict[str, dict[str, str]] = {
    DATABASE: {"owner": USER},
    SCHEMA: {"database_id": DATABASE, "owner": USER},
    "secret": _PLACED,
    **dict.fromkeys(_OBJECTS, _PLACED),
    "index": _PLACED | {"index_table_id": TABLE, "primary_table_id": TABLE},
    "sink": _PLACED | {"target_table": TABLE, "connection_id": "connection"},
    "source": _PLACED | {"connection_id": "connection"},
    "subscription": _PLACED | {"dependent_table_id": TABLE},
}
"""By member and field the member whose key it names (proto/catalog.proto)."""
FRAGMENTS = "table_fragments"
CREATED = 3
"""State of a job that is there for good (meta.TableFragments.State)."""
JOBS = ("table", "sink", "source", "index", "subscription")
"""What has fragments: its id is that of theirs."""
LOST = "a restored cluster would miss it"


def check_v1_references(reader: SnapshotReader) -> Iterator[Finding]:
    """Look at every row of a V1 snapshot.

    Raises:
        DamageError: a row does not decode.
    """
    keys = {
        name: {getattr(row.message, key) for row in reader.rows(name)}
        for name in reader.section_names
        for key in key_names(reader, name)
        if name in REFERENCES or name == USER
    }
    for name, fields in REFERENCES.items():
        for row in reader.rows(name) if name in reader.section_names else ():
            for field, target in fields.items():
                wanted = _named(row.message, field)
                if wanted is not None and target in keys and wanted not in keys[target]:
                    what = f"{field}: {target} {wanted} is not there"
                    yield Finding(ERROR, name, f"id {row.message.id}", what, LOST)
    jobs = {number for name in JOBS for number in keys.get(name, ())}
    for row in reader.rows(FRAGMENTS):
        try:
            message = row.message
        except TooDeep as error:
            yield Finding(WARNING, FRAGMENTS, "", error.reason)
            continue
        if message.table_id not in jobs:
            severity = ERROR if message.state == CREATED else WARNING  # no catalog has it before
            place = f"table_id {message.table_id}"
            yield Finding(severity, FRAGMENTS, place, "no such job is there", LOST)


def _named(message: Any, field: str) -> int | None:
    """The id in a field; None where the message has no such field, or it is not set."""
    found = message.DESCRIPTOR.fields_by_name.get(field)
    if found is None or (found.has_presence and not message.HasField(field)):
        return None
    number: int = getattr(message, field)
    return number
