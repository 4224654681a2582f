"""The catalogue of a simulated cluster: its tables, materialized views and secrets, as rows of the
meta store and as the frontend needs them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from cluster.metastore import DATABASE, OBJECT, PUBLIC, MetaStore, insert, insert_object
from cluster.release import LAYOUT, new
from cluster.rows import Column
from metasnapshot.format.scalars import Blob
from metasnapshot.metastore.read import read_rows
from metasnapshot_models.enums import (
    CreateType,
    Engine,
    HandleConflictBehavior,
    JobStatus,
    TableType,
)
from metasnapshot_models.models import Secret, StreamingJob, Table

DEPENDENCY = sa.table("object_dependency", sa.column("oid"), sa.column("used_by"))
ASCENDING, NULLS_LARGEST = 1, 1
KIND_TABLE, KIND_SECRET = "TABLE", "SECRET"


class Relation(NamedTuple):
    """A table, or a materialized view; `key` says which columns are its primary key."""

    id: int
    name: str
    columns: tuple[Column, ...]
    key: tuple[int, ...]
    definition: str
    is_view: bool


class Catalogue:
    """What the meta store knows of relations and secrets; relations are held in memory too."""

    def __init__(self, store: MetaStore) -> None:
        self._store = store
        self._relations = self._load()

    def relations(self) -> list[Relation]:
        """By id, so that a view comes after what it reads."""
        return self._relations

    def _load(self) -> list[Relation]:
        with self._store.transaction() as connection:
            return [_relation(row) for row in read_rows(connection, LAYOUT, "table")]

    def secrets(self) -> dict[str, bytes]:
        with self._store.transaction() as connection:
            rows = read_rows(connection, LAYOUT, "secret")
            return {row.name: row.value.bytes for row in rows}

    def create(self, made: Relation, reads: Iterable[int] = ()) -> Relation:
        """Enter a relation; gives it with its id."""
        with self._store.transaction() as connection:
            oid = insert_object(connection, KIND_TABLE, PUBLIC, DATABASE)
            insert(connection, "streaming_job", [_job(oid)])
            insert(connection, "table", [_table_row(oid, made)])
            for other in reads:
                values = {"oid": other, "used_by": oid}
                connection.execute(sa.insert(DEPENDENCY).values(values))
        self._relations = self._load()
        return made._replace(id=oid)

    def create_secret(self, name: str, value: bytes) -> None:
        with self._store.transaction() as connection:
            oid = insert_object(connection, KIND_SECRET, PUBLIC, DATABASE)
            insert(connection, "secret", [Secret(secret_id=oid, name=name, value=Blob(value))])

    def drop(self, relation: Relation) -> None:
        with self._store.transaction() as connection:
            used_by = DEPENDENCY.c.used_by == relation.id
            connection.execute(sa.delete(DEPENDENCY).where(used_by))
            for table, key in (("table", "table_id"), ("streaming_job", "job_id")):
                _delete(connection, table, key, relation.id)
            _delete(connection, "object", "oid", relation.id)
        self._relations = self._load()

    def drop_secret(self, name: str) -> None:
        with self._store.transaction() as connection:
            rows = read_rows(connection, LAYOUT, "secret")
            (oid,) = [row.secret_id for row in rows if row.name == name]
            _delete(connection, "secret", "secret_id", oid)
            connection.execute(sa.delete(OBJECT).where(OBJECT.c.oid == oid))


def _delete(connection: sa.Connection, table: str, key: str, value: int) -> None:
    found = sa.table(table, sa.column(key))
    connection.execute(sa.delete(found).where(found.c[key] == value))


def _relation(row: Any) -> Relation:
    columns = tuple(
        Column(
            item.column_desc.name,
            item.column_desc.column_id,
            item.column_desc.column_type.type_name,
            item.is_hidden,
        )
        for item in row.columns.message
    )
    key = tuple(order.column_index for order in row.pk.message)
    is_view = row.table_type == TableType.MATERIALIZED_VIEW
    return Relation(row.table_id, row.name, columns, key, row.definition, is_view)


def _job(oid: int) -> StreamingJob:
    return StreamingJob(
        job_id=oid,
        job_status=JobStatus.CREATED,
        create_type=CreateType.FOREGROUND,
        timezone=None,
        config_override=None,
        adaptive_parallelism_strategy=None,
        parallelism="Adaptive",
        backfill_parallelism=None,
        backfill_adaptive_parallelism_strategy=None,
        backfill_orders=None,
        max_parallelism=256,
        specific_resource_group=None,
        is_serverless_backfill=False,
    )


def _table_row(oid: int, relation: Relation) -> Table:
    count = len(relation.columns)
    version = new("catalog.Table.TableVersion", next_column_id=count + 1)
    is_view = relation.is_view
    return Table(
        table_id=oid,
        name=relation.name,
        optional_associated_source_id=None,
        table_type=TableType.MATERIALIZED_VIEW if is_view else TableType.TABLE,
        belongs_to_job_id=oid,
        columns=_array(map(_column_catalog, relation.columns)),
        pk=_array(map(_order, relation.key)),
        distribution_key=list(relation.key),
        stream_key=list(relation.key),
        append_only=False,
        fragment_id=None,
        vnode_col_index=None,
        row_id_index=next((n for n, item in enumerate(relation.columns) if item.is_hidden), None),
        value_indices=list(range(count)),
        definition=relation.definition,
        handle_pk_conflict_behavior=HandleConflictBehavior.OVERWRITE,
        version_column_indices=[],
        read_prefix_len_hint=0,
        watermark_indices=[],
        dist_key_in_pk=list(range(len(relation.key))),
        dml_fragment_id=None,
        cardinality=None,
        cleaned_by_watermark=False,
        description=None,
        version=None if is_view else Blob(version.SerializeToString()),
        retention_seconds=None,
        cdc_table_id=None,
        vnode_count=256,
        webhook_info=None,
        engine=Engine.HUMMOCK,
        clean_watermark_index_in_pk=None,
        clean_watermark_indices=None,
        refreshable=False,
        vector_index_info=None,
        cdc_table_type=None,
    )


def _column_catalog(column: Column) -> Any:
    kind = new("data.DataType", type_name=column.type, is_nullable=True)
    desc = new("plan_common.ColumnDesc", column_type=kind, column_id=column.id, name=column.name)
    return new("plan_common.ColumnCatalog", column_desc=desc, is_hidden=column.is_hidden)


def _order(index: int) -> Any:
    order = new("common.OrderType", direction=ASCENDING, nulls_are=NULLS_LARGEST)
    return new("common.ColumnOrder", column_index=index, order_type=order)


def _array(items: Iterable[Any]) -> Blob:
    """A list of messages as the meta store wraps it: repeated, in field 1."""
    return Blob(b"".join(_field(item.SerializeToString()) for item in items))


def _field(data: bytes) -> bytes:
    size, sizes = len(data), bytearray()
    while size > 0x7F:
        sizes.append(size & 0x7F | 0x80)
        size >>= 7
    return b"\x0a" + bytes([*sizes, size]) + data
