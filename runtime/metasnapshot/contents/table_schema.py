"""What a catalog says of a table's rows: a catalog.Table message or a row of V2 -> TableSchema."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from metasnapshot.errors import DamageError, UnknownFormat
from metasnapshot.sst.schema import Column, KeyColumn, TableSchema
from metasnapshot.sst.types import Field, Kind, Type

KINDS = {
    "INT16": Kind.SMALLINT,
    "INT32": Kind.INT,
    "INT64": Kind.BIGINT,
    "FLOAT": Kind.REAL,
    "DOUBLE": Kind.DOUBLE,
    "BOOLEAN": Kind.BOOLEAN,
    "VARCHAR": Kind.VARCHAR,
    "DECIMAL": Kind.DECIMAL,
    "TIME": Kind.TIME,
    "TIMESTAMP": Kind.TIMESTAMP,
    "INTERVAL": Kind.INTERVAL,
    "DATE": Kind.DATE,
    "TIMESTAMPZ": Kind.TIMESTAMPTZ,
    "TIMESTAMPTZ": Kind.TIMESTAMPTZ,
    "STRUCT": Kind.STRUCT,
    "LIST": Kind.LIST,
    "BYTEA": Kind.BYTEA,
    "JSONB": Kind.JSONB,
    "SERIAL": Kind.SERIAL,
    "INT256": Kind.INT256,
    "MAP": Kind.MAP,
    "VECTOR": Kind.VECTOR,
}
"""By the names of data.DataType.TypeName."""
ASCENDING, DESCENDING = 1, 2
LARGEST, SMALLEST = 1, 2
DEFAULT_COLUMN = "default_column"


def type_of(message: Any) -> Type:
    """The type that a data.DataType message says.

    Raises:
        UnknownFormat: no release has it.
        DamageError: it is not a type at all.
    """
    names = message.DESCRIPTOR.enum_types_by_name["TypeName"].values_by_number
    name = names[message.type_name].name if message.type_name in names else ""
    kind = KINDS.get(name)
    if kind is None:
        raise UnknownFormat(f"type {name or message.type_name} cannot be read")
    parts = [type_of(item) for item in message.field_type]
    match kind:
        case Kind.STRUCT:
            return Type(kind, tuple(_struct_fields(message, parts)))
        case Kind.LIST if len(parts) == 1:
            return Type(kind, (Field("element", parts[0]),))
        case Kind.MAP if len(parts) == 1 and len(parts[0].fields) == len(("key", "value")):
            key, value = parts[0].fields
            return Type(kind, (Field("key", key.type), Field("value", value.type)))
        case Kind.LIST | Kind.MAP:
            raise DamageError(f"a {kind} of {len(parts)} types")
        case Kind.VECTOR:
            return Type(kind, size=message.precision)
        case _:
            return Type(kind)


def _struct_fields(message: Any, parts: Sequence[Type]) -> Iterable[Field]:
    names: Sequence[str] = list(message.field_names) or [f"f{n + 1}" for n in range(len(parts))]
    ids: Sequence[int | None] = list(getattr(message, "field_ids", ())) or [None] * len(parts)
    if not len(names) == len(ids) == len(parts):
        raise DamageError(f"a struct of {len(parts)} fields with {len(names)} names")
    return (Field(*item) for item in zip(names, parts, ids, strict=True))


def table_schema(
    table_id: int,
    name: str,
    *,
    columns: Iterable[Any],
    pk: Iterable[Any],
    value_indices: Iterable[int],
    is_versioned: bool,
    retention_s: int | None,
) -> TableSchema:
    """A table's schema out of the parts of its row in the catalog.

    Args:
        table_id: of it.
        name: of it, for messages.
        columns: messages plan_common.ColumnCatalog.
        pk: messages common.ColumnOrder.
        value_indices: places of the columns that values hold.
        is_versioned: whether the catalog has a version of its columns.
        retention_s: how long versions of keys are kept, if not for ever.

    Raises:
        UnknownFormat: a column is of a type that cannot be read.
        DamageError: the parts do not fit together.
    """
    found = tuple(_column(item) for item in columns)
    key = tuple(_key_column(item) for item in pk)
    stored = tuple(value_indices)
    if any(not 0 <= index < len(found) for index in (*stored, *(item.index for item in key))):
        raise DamageError(f"table {name}: its key or its values have columns that it has not")
    return TableSchema(table_id, name, found, key, stored, is_versioned, retention_s)


def schema_of_message(message: Any, name: str = "") -> TableSchema:
    """The schema in a catalog.Table message."""
    retention = message.retention_seconds if _has(message, "retention_seconds") else None
    return table_schema(
        message.id,
        name or message.name,
        columns=message.columns,
        pk=message.pk,
        value_indices=message.value_indices,
        is_versioned=_has(message, "version"),
        retention_s=retention,
    )


def _has(message: Any, field: str) -> bool:
    return field in message.DESCRIPTOR.fields_by_name and message.HasField(field)


def _column(message: Any) -> Column:
    described = message.column_desc
    type_ = type_of(described.column_type)
    default, unknown = _default(described, type_)
    return Column(described.name, described.column_id, type_, message.is_hidden, default, unknown)


def _default(described: Any, type_: Type) -> tuple[bytes, str]:
    """A default as a tag and a value, or why it cannot be told. Source:
    src/storage/src/row_serde/value_serde.rs at 3.0.3: the value at the time when the column came,
    or where a release kept none, its expression.
    """
    if "generated_or_default_column" not in described.DESCRIPTOR.oneofs_by_name:
        return b"", ""
    if described.WhichOneof("generated_or_default_column") != DEFAULT_COLUMN:
        return b"", ""
    found = described.default_column
    if _has(found, "snapshot_value"):
        return _told(found.snapshot_value)
    expression = found.expr
    if expression.WhichOneof("rex_node") != "constant":
        return b"", "its default is an expression that only a cluster can evaluate"
    if type_of(expression.return_type) != type_:
        return b"", "its default is a constant of another type, that only a cluster casts"
    return _told(expression.constant)


def _told(datum: Any) -> tuple[bytes, str]:
    """A Datum message: a tag and a value, of NULL the tag alone."""
    return bytes(datum.body), "" if datum.body else "its default has no bytes"


def _key_column(message: Any) -> KeyColumn:
    order = message.order_type
    if order.direction not in (ASCENDING, DESCENDING):
        raise DamageError(f"a key column has direction {order.direction}")
    return KeyColumn(
        message.column_index, order.direction == DESCENDING, order.nulls_are != SMALLEST
    )
