"""What in a snapshot's catalog has rows in the state store, by name: tables, materialized views,
indexes, and internal tables. And why some of it cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from metasnapshot.contents.cluster import V1Catalog, catalog_of
from metasnapshot.contents.table_schema import schema_of_message, table_schema
from metasnapshot.errors import UsageError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.sst.schema import Column, TableSchema
from metasnapshot.sst.types import Kind, Type
from metasnapshot_models.enums import Engine, JobStatus, TableType

TABLE, VIEW, INDEX, INTERNAL = "table", "materialized view", "index", "internal table"
_KINDS = {
    TableType.TABLE: TABLE,
    TableType.MATERIALIZED_VIEW: VIEW,
    TableType.INDEX: INDEX,
    TableType.INTERNAL: INTERNAL,
    TableType.VECTOR_INDEX: INDEX,
}
_V1_KINDS = {1: TABLE, 2: VIEW, 3: INDEX, 4: INTERNAL, 5: INDEX}
"""By the numbers of catalog.Table.TableType."""
_V1_VECTOR_INDEX = 5
_V1_CREATING = 1
_V1_ICEBERG = 2
"""Of catalog.Table.Engine."""
BEING_CREATED = "it was still being created: its rows are not complete"
VECTORS = "a vector index has no rows"
ICEBERG = "an append-only table of engine iceberg keeps its rows in Iceberg, not here"
PARTS_MAX = 3
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
DEFAULT_DATABASE, DEFAULT_SCHEMA = "dev", "public"
_ROWLESS = {
    "sources": "a source has no rows of its own",
    "sinks": "a sink has no rows",
    "views": "a view is a query; what it reads has rows",
    "subscriptions": "a subscription has no rows of its own",
    "functions": "a function has no rows",
    "connections": "a connection has no rows",
    "secrets": "a secret has no rows",
}


class DataTable(NamedTuple):
    """Something that has rows.

    Attributes:
        id: of its table.
        kind: table, materialized view, index or internal table.
        database: where it lies.
        schema_name: where it lies.
        name: of it.
        refusal: why it cannot be read; "" if it can.
        schema: gives what its bytes mean.
    """

    id: int
    kind: str
    database: str
    schema_name: str
    name: str
    refusal: str
    schema: Callable[[], TableSchema]

    @property
    def parts(self) -> tuple[str, str, str]:
        """Its full name."""
        return self.database, self.schema_name, self.name

    @property
    def full_name(self) -> str:
        """Its full name as one types it."""
        return ".".join(quoted(part) for part in self.parts if part)


def quoted(name: str) -> str:
    """A name, in quotes if it needs them."""
    is_plain = name.isidentifier() and name.isascii() and name == name.lower()
    return name if is_plain else '"' + name.replace('"', '""') + '"'


def data_tables(reader: SnapshotReader) -> list[DataTable]:
    """All of a snapshot, by id.

    Raises:
        DamageError: a row does not decode.
    """
    found = _v1_tables(reader) if reader.is_v1 else _v2_tables(reader)
    return sorted(found, key=lambda table: table.id)


def _names(reader: SnapshotReader) -> tuple[dict[Any, str], dict[Any, str]]:
    databases, schemas = dict[Any, str](), dict[Any, str]()
    for item in catalog_of(reader).items():
        if item.kind == "databases":
            databases[item.id] = item.name
        elif item.kind == "schemas":
            schemas[item.id] = item.name
    return databases, schemas


def _v2_tables(reader: SnapshotReader) -> Iterator[DataTable]:
    databases, schemas = _names(reader)
    places = {row.oid: (row.database_id, row.schema_id) for row in reader.rows("objects")}
    indexes = {row.index_table_id: row for row in reader.rows("indexes")}
    jobs = {row.job_id: row.job_status for row in reader.rows("streaming_jobs")}
    for row in reader.rows("tables"):
        index = indexes.get(row.table_id) if row.table_type is TableType.INDEX else None
        owner = row.table_id if index is None else index.index_id
        place = places.get(row.table_id) or places.get(owner) or (None, None)
        job_ids = (owner, row.belongs_to_job_id, row.table_id)
        job = next((jobs[number] for number in job_ids if number in jobs), JobStatus.CREATED)
        refusal = (
            BEING_CREATED
            if job is not JobStatus.CREATED
            else VECTORS
            if row.table_type is TableType.VECTOR_INDEX
            else ICEBERG
            if row.engine is Engine.ICEBERG and row.append_only
            else ""
        )
        kind = _KINDS[row.table_type]
        name = row.name if index is None else index.name
        table = DataTable(
            row.table_id,
            kind,
            databases.get(place[0], ""),
            schemas.get(place[1], ""),
            name,
            refusal,
            partial(raw_schema, row.table_id, name, row.retention_seconds)
            if kind == INTERNAL
            else partial(_v2_schema, row, name),
        )
        yield table


def _v2_schema(row: Any, name: str) -> TableSchema:
    return table_schema(
        row.table_id,
        name,
        columns=row.columns.message,
        pk=row.pk.message,
        value_indices=row.value_indices,
        is_versioned=row.version is not None,
        retention_s=row.retention_seconds,
    )


def _v1_tables(reader: SnapshotReader) -> Iterator[DataTable]:
    databases, schemas = _names(reader)
    names = {
        item.row.message.index_table_id: item.name
        for item in V1Catalog(reader).items()
        if item.kind == "indexes" and hasattr(item.row.message, "index_table_id")
    }
    for row in reader.rows("table"):
        message = row.message
        kind = _V1_KINDS.get(message.table_type, INTERNAL)
        is_creating = getattr(message, "stream_job_status", 0) == _V1_CREATING
        is_iceberg = getattr(message, "engine", 0) == _V1_ICEBERG and message.append_only
        refusal = (
            BEING_CREATED
            if is_creating
            else VECTORS
            if message.table_type == _V1_VECTOR_INDEX
            else ICEBERG
            if is_iceberg
            else ""
        )
        name: str = names.get(message.id) or message.name
        yield DataTable(
            message.id,
            kind,
            databases.get(message.database_id, ""),
            schemas.get(message.schema_id, ""),
            name,
            refusal,
            partial(raw_schema, message.id, name, None)
            if kind == INTERNAL
            else partial(schema_of_message, message, name),
        )


def raw_schema(table_id: int, name: str, retention_s: int | None) -> TableSchema:
    """The schema of an internal table: keys and values as they are, for their shapes are those of
    operators.
    """
    columns = (Column("key", 1, Type(Kind.BYTEA)), Column("value", 2, Type(Kind.BYTEA)))
    return TableSchema(
        table_id, name, columns, (), (), is_versioned=False, retention_s=retention_s, is_raw=True
    )


def find_table(reader: SnapshotReader, wanted: str) -> DataTable:
    """The table of a name: `database.schema.name`, less of it where that is enough, or `#id`.

    Raises:
        UsageError: there is none, or several, or it is something without rows.
    """
    tables = data_tables(reader)
    if wanted.startswith("#"):
        found = [table for table in tables if str(table.id) == wanted[1:]]
    else:
        parts = parse_name(wanted)
        named = [table for table in tables if table.kind != INTERNAL]
        found = [table for table in named if table.parts[-len(parts) :] == parts]
        found = _nearest(found)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(table.full_name for table in found)
        raise UsageError(f"{wanted} is one of {names}", hint="give more of its name, or its #id")
    raise UsageError(_why_not(reader, wanted), hint="`metasnapshot tables` lists what has rows")


def _nearest(found: list[DataTable]) -> list[DataTable]:
    """Of several of one name, that of the usual database and schema."""
    for wanted in (
        [t for t in found if (t.database, t.schema_name) == (DEFAULT_DATABASE, DEFAULT_SCHEMA)],
        [t for t in found if t.schema_name == DEFAULT_SCHEMA],
    ):
        if len(found) > 1 and len(wanted) == 1:
            return wanted
    return found


def _why_not(reader: SnapshotReader, wanted: str) -> str:
    """What a name that no table has is a name of."""
    if not wanted.startswith("#"):
        name = parse_name(wanted)[-1]
        for item in catalog_of(reader).items():
            if item.name == name and item.kind in _ROWLESS:
                return f"{wanted} has no rows: {_ROWLESS[item.kind]}"
    return f"snapshot {reader.id} has no table {wanted}"


def parse_name(text: str) -> tuple[str, ...]:
    """The parts of a name: `a.b."c.d"`.

    Raises:
        UsageError: it is not valid.
    """
    parts, at = list[str](), 0
    while match := _PART.match(text, at):
        parts.append(match[2] or match[1].replace('""', '"'))
        at = match.end()
        if at == len(text) and len(parts) <= PARTS_MAX:
            return tuple(parts)
        if text[at : at + 1] != ".":
            break
        at += 1
    raise UsageError(f"not a name of a table: {text!r}", hint="such as dev.public.orders")
