"""What a snapshot or a meta store says of its cluster, whichever the format: named objects,
parameters, connectors, the ids that others refer to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from metasnapshot.contents.sequences import (
    BACKUP_SEQUENCE,
    GROUP_SEQUENCE,
    OBJECT_SEQUENCE,
    SEQUENCES_SECTION,
)
from metasnapshot.format.layout import CLUSTERS_SECTION
from metasnapshot.format.reader import SnapshotReader
from metasnapshot_models.enums import TableType

TABLES_SECTION = "tables"
TABLE_KINDS = {TableType.TABLE: "tables", TableType.MATERIALIZED_VIEW: "materialized views"}
"""Kinds that share the section tables; what is there besides is internal."""
SECTIONS = (
    "databases",
    "schemas",
    "sources",
    "sinks",
    "views",
    "indexes",
    "functions",
    "connections",
    "subscriptions",
    "secrets",
    "users",
)
"""Kinds of objects that have a section of their own, by its name."""
KINDS = (*TABLE_KINDS.values(), *SECTIONS)
SOURCE, SINK = "source", "sink"
_V1_MEMBERS = {
    "databases": "database",
    "schemas": "schema",
    "sources": "source",
    "sinks": "sink",
    "views": "view",
    "indexes": "index",
    "functions": "function",
    "connections": "connection",
    "subscriptions": "subscription",
    "secrets": "secret",
    "users": "user_info",
}
_V1_TABLE_KINDS = {1: "tables", 2: "materialized views"}
"""By the numbers of catalog.Table.TableType."""
_V1_SEQUENCES = {
    OBJECT_SEQUENCE: b"hummock_ss_table_id_id_next_generator",
    GROUP_SEQUENCE: b"compaction_group_id_next_generator",
    BACKUP_SEQUENCE: b"backup_id_next_generator",
}
"""Keys of default_cf, whose values are u64 in big-endian order (src/meta/src/manager/id.rs)."""
_U64_SIZE = 8

Rows = Callable[[str], Iterator[Any]]
"""The rows of a section, read from the start each time; none if there is no such section."""


class Item(NamedTuple):
    """A named object: its kind, name and id, where it lies, and its row."""

    kind: str
    name: str
    id: int
    database_id: int | None
    schema_id: int | None
    row: Any


class Connector(NamedTuple):
    """A source or a sink, as `kind` says, and its properties."""

    kind: str
    name: str
    properties: Mapping[str, str]


class Catalog(Protocol):
    """What there is in a cluster."""

    def items(self) -> Iterator[Item]:
        """Every named object, kind by kind."""
        ...

    def cluster_ids(self) -> tuple[str, ...]:
        """Usually one; none before 0.19."""
        ...

    def parameters(self) -> dict[str, str]:
        """System parameters as text."""
        ...

    def connectors(self) -> Iterator[Connector]:
        """Sources, then sinks, with a connector."""
        ...

    def table_ids(self) -> set[int]:
        """Ids of all tables, internal ones too."""
        ...

    def group_ids(self) -> set[int]:
        """Ids of the compaction groups that have a configuration."""
        ...

    def sequences(self) -> dict[str, int]:
        """The next ids of Hummock, by the names of hummock_sequences."""
        ...


class V2Catalog:
    """By the rows of V2 sections, of a snapshot or a meta store."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def items(self) -> Iterator[Item]:
        """See Catalog."""
        places = {row.oid: (row.database_id, row.schema_id) for row in self._rows("objects")}
        for section in (TABLES_SECTION, *SECTIONS):
            for row in self._rows(section):
                is_table = section == TABLES_SECTION
                kind = TABLE_KINDS.get(row.table_type) if is_table else section
                if kind is None:
                    continue
                number: int = getattr(row, row.__struct_fields__[0])
                place = (None, None) if section == "users" else places.get(number, (None, None))
                yield Item(kind, row.name, number, *place, row)

    def cluster_ids(self) -> tuple[str, ...]:
        """See Catalog."""
        return tuple(str(row.cluster_id) for row in self._rows(CLUSTERS_SECTION))

    def parameters(self) -> dict[str, str]:
        """See Catalog."""
        return {row.name: row.value for row in self._rows("system_parameters")}

    def connectors(self) -> Iterator[Connector]:
        """See Catalog."""
        for row in self._rows("sources"):
            if "connector" in row.with_properties:
                yield Connector(SOURCE, row.name, row.with_properties)
        for row in self._rows("sinks"):
            if "connector" in row.properties:
                yield Connector(SINK, row.name, row.properties)

    def table_ids(self) -> set[int]:
        """See Catalog."""
        return {row.table_id for row in self._rows(TABLES_SECTION)}

    def group_ids(self) -> set[int]:
        """See Catalog."""
        return {row.compaction_group_id for row in self._rows("compaction_configs")}

    def sequences(self) -> dict[str, int]:
        """See Catalog."""
        return {row.name: row.seq for row in self._rows(SEQUENCES_SECTION)}


class V1Catalog:
    """By the messages of a V1 snapshot."""

    def __init__(self, reader: SnapshotReader) -> None:
        self._reader = reader

    def items(self) -> Iterator[Item]:
        """See Catalog."""
        for row in self._rows("table"):
            message = row.message
            if kind := _V1_TABLE_KINDS.get(message.table_type):
                yield _item(kind, message, row)
        for section in SECTIONS:
            for row in self._rows(_V1_MEMBERS[section]):
                yield _item(section, row.message, row)

    def cluster_ids(self) -> tuple[str, ...]:
        """See Catalog."""
        return tuple(text for text in self._rows("cluster_id") if text)

    def parameters(self) -> dict[str, str]:
        """See Catalog."""
        return {
            name: value
            for row in self._rows("system_param")
            for name, value in parameter_texts(row.message)
        }

    def connectors(self) -> Iterator[Connector]:
        """See Catalog."""
        for member in (SOURCE, SINK):
            for row in self._rows(member):
                message = row.message
                found = getattr(message, "with_properties", None)
                properties = dict(message.properties if found is None else found)
                if "connector" in properties:
                    yield Connector(member, message.name, properties)

    def table_ids(self) -> set[int]:
        """See Catalog."""
        return {row.message.id for row in self._rows("table")}

    def group_ids(self) -> set[int]:
        """See Catalog."""
        return {row.message.id for row in self._rows("compaction_groups")}

    def sequences(self) -> dict[str, int]:
        """See Catalog."""
        pairs = {pair.key: pair.value for pair in self._rows("default_cf")}
        return {
            name: int.from_bytes(pairs[key], "big")
            for name, key in _V1_SEQUENCES.items()
            if len(pairs.get(key, b"")) == _U64_SIZE
        }

    def _rows(self, member: str) -> Iterator[Any]:
        return self._reader.rows(member) if member in self._reader.section_names else iter(())


def catalog_of(reader: SnapshotReader) -> Catalog:
    """The catalog of an opened snapshot."""
    if reader.is_v1:
        return V1Catalog(reader)
    names = reader.section_names
    return V2Catalog(lambda section: reader.rows(section) if section in names else iter(()))


def parameter_texts(message: Any) -> Iterator[tuple[str, str]]:
    """The fields of meta.SystemParams that are set, as etcd and SQL have them: text as Rust writes
    it (src/common/src/system_param/mod.rs).
    """
    for field in message.DESCRIPTOR.fields:
        if message.HasField(field.name):
            yield field.name, _text(getattr(message, field.name))


def _text(value: float | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):  # the shortest that is the same number, never with an exponent
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return str(value)


def _item(kind: str, message: Any, row: Any) -> Item:
    database_id: int | None = getattr(message, "database_id", None)
    schema_id: int | None = getattr(message, "schema_id", None)
    return Item(kind, message.name, message.id, database_id, schema_id, row)
