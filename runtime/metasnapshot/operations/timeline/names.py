"""What a snapshot names, for a comparison with the next one: names, owners, and a hash of each
column. Sections whose bytes are those of the snapshot before are taken over, not decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import xxhash

from metasnapshot.contents.cluster import (
    SECTIONS,
    TABLE_KINDS,
    TABLES_SECTION,
    catalog_of,
)
from metasnapshot.contents.secrets import redact
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.operations.diff.compare import PARAMETERS, fingerprint
from metasnapshot.operations.diff.parts import Fingerprint

OBJECTS_SECTION, USERS = "objects", "users"
SYSTEM = "system_parameters"


class Place(NamedTuple):
    """Where an object lies, and whose it is."""

    database_id: int | None = None
    schema_id: int | None = None
    owner_id: int | None = None


class Thing(NamedTuple):
    """A named object: its own name, and hashes of its columns."""

    kind: str
    name: str
    print: Fingerprint


class Parameter(NamedTuple):
    """A parameter: hashes of its columns, and its value without secrets."""

    print: Fingerprint
    value: str


Key = tuple[str, int]
"""The section of an object, and its id in it."""


@dataclass
class Names:
    """What a snapshot names.

    Attributes:
        form: its layout, of V1 the era of its messages: columns are compared within one format.
        is_v1: whether it is in the V1 format.
        things: by section and key; one and the same dict as the snapshot before has, if the section
            is equal.
        places: by section and id of the object.
        parameters: by kind and name.
        digests: of the bytes of each section.
    """

    form: str
    is_v1: bool
    things: dict[str, dict[Key, Thing]] = field(default_factory=dict[str, dict[Key, Thing]])
    places: dict[Key, Place] = field(default_factory=dict[Key, Place])
    parameters: dict[str, dict[str, Parameter]] = field(
        default_factory=dict[str, dict[str, Parameter]]
    )
    digests: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def name(self, key: Key, thing: Thing) -> str:
        """`database.schema.name`, as far as it lies in these."""
        place = self.place(key)
        databases, schemas = self.things["databases"], self.things["schemas"]
        database = databases.get(("databases", place.database_id or 0))
        schema = schemas.get(("schemas", place.schema_id or 0))
        return ".".join(each.name for each in (database, schema, thing) if each is not None)

    def place(self, key: Key) -> Place:
        """Where an object lies; V2 numbers all but users as objects."""
        if key[0] == USERS:
            return Place()
        return self.places.get(key if self.is_v1 else (OBJECTS_SECTION, key[1]), Place())

    def owner(self, key: Key) -> str | None:
        """The name of the user who owns an object; his number if he is not there."""
        owner = self.place(key).owner_id
        if owner is None:
            return None
        found = self.things[USERS].get((USERS, owner))
        return f"#{owner}" if found is None else found.name


def names_of(reader: SnapshotReader, before: Names | None) -> Names:
    """Read what an opened snapshot names.

    Args:
        reader: the snapshot.
        before: what the one before it names.

    Raises:
        DamageError: a section is damaged.
        UnknownFormat: a row is of a later release.
    """
    if reader.is_v1:
        return _of_v1(reader)
    known = before if before is not None and before.form == reader.layout else None
    found = Names(reader.layout, is_v1=False)
    old = None if known is None else known.places
    found.places = _section(reader, found, known, OBJECTS_SECTION, old, _places)
    for section in (TABLES_SECTION, *SECTIONS):
        old = None if known is None else known.things[section]
        found.things[section] = _section(reader, found, known, section, old, _things)
    for section in PARAMETERS:
        old = None if known is None else known.parameters[section]
        found.parameters[section] = _section(reader, found, known, section, old, _parameters)
    return found


def _section(
    reader: SnapshotReader,
    found: Names,
    known: Names | None,
    section: str,
    old: Any,
    read: Callable[[SnapshotReader, str], Any],
) -> Any:
    """What is in a section: `old`, if its bytes are the same as before."""
    if section not in reader.section_names:
        return {}
    digest = xxhash.xxh3_128()
    for _, data in reader.raw_rows(section):
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    found.digests[section] = digest.digest()
    if known is not None and known.digests.get(section) == found.digests[section]:
        return old
    return read(reader, section)


def _places(reader: SnapshotReader, section: str) -> dict[Key, Place]:
    return {
        (section, row.oid): Place(row.database_id, row.schema_id, row.owner_id)
        for row in reader.rows(section)
    }


def _things(reader: SnapshotReader, section: str) -> dict[Key, Thing]:
    found: dict[Key, Thing] = {}
    for row in reader.rows(section):
        kind = TABLE_KINDS.get(row.table_type) if section == TABLES_SECTION else section
        if kind is not None:
            number: int = getattr(row, row.__struct_fields__[0])
            found[section, number] = Thing(kind, row.name, fingerprint(row))
    return found


def _parameters(reader: SnapshotReader, section: str) -> dict[str, Parameter]:
    return {
        row.name: Parameter(fingerprint(row), str(redact(row.name, row.value)))
        for row in reader.rows(section)
    }


def _of_v1(reader: SnapshotReader) -> Names:
    catalog = catalog_of(reader)
    found = Names(reader.era, is_v1=True, things={name: {} for name in (TABLES_SECTION, *SECTIONS)})
    for item in catalog.items():
        section = TABLES_SECTION if item.kind in TABLE_KINDS.values() else item.kind
        key = section, item.id
        found.things[section][key] = Thing(item.kind, item.name, fingerprint(item.row))
        owner: int | None = getattr(item.row.message, "owner", None)
        found.places[key] = Place(item.database_id, item.schema_id, owner)
    found.parameters = {name: {} for name in PARAMETERS}
    for name, value in catalog.parameters().items():
        shown = str(redact(name, value))
        columns = (("value",), xxhash.xxh3_64_digest(value.encode()))
        found.parameters[SYSTEM][name] = Parameter(columns, shown)
    return found
