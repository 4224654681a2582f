"""The golden tables: their schemas, versions and rows, and values in the form of rows.json."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import xxhash
from golden_ssts import ROOT, TAGS

from metasnapshot.contents.table_schema import schema_of_message
from metasnapshot.format import messages
from metasnapshot.format.hummock_version import VERSION
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.sst.schema import TableSchema
from metasnapshot.sst.types import Kind, Type
from metasnapshot.store.local import LocalStore
from metasnapshot_models.messages import STATES

LONG = 400
EPOCHS = ("E1", "E2", "E3")


@functools.cache
def known_rows(tag: str) -> dict[str, Any]:
    """rows.json of a release."""
    return json.loads((ROOT / tag / "rows.json").read_text())


@functools.cache
def version(tag: str) -> Any:
    """The HummockVersion of a release."""
    data = (ROOT / tag / "version.pb").read_bytes()
    return messages.parse(data, VERSION, tag if tag in STATES else STATES[-1])


@functools.cache
def schema(tag: str, table: int) -> TableSchema:
    data = (ROOT / tag / f"table-{table}.pb").read_bytes()
    return schema_of_message(messages.parse(data, "catalog.Table", tag))


def objects(tag: str) -> ObjectStore:
    return ObjectStore(partial(LocalStore, ROOT), tag, prefixed=False)


class Case(NamedTuple):
    """A read of a table at an epoch."""

    tag: str
    table: int
    epoch: str

    def __str__(self) -> str:
        return f"{self.tag}-{self.table}-{self.epoch}"

    @property
    def epoch_number(self) -> int:
        return int(known_rows(self.tag)["epochs"][self.epoch])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Versions that are its rows."""
        found = known_rows(self.tag)["tables"][str(self.table)]
        return [row for row in found if self.epoch in row["at"]]


CASES = [
    Case(tag, int(table), epoch)
    for tag in TAGS
    for table in known_rows(tag)["tables"]
    if (ROOT / tag / f"table-{table}.pb").exists()
    for epoch in EPOCHS
]


def shown_key(key: bytes) -> Any:
    """A key as in rows.json."""
    if len(key) > LONG:
        return {"len": len(key), "xxh64": xxhash.xxh64_hexdigest(key)}
    return key.hex()


def shown(value: Any, type_: Type) -> Any:
    """A value as in rows.json."""
    if value is None:
        return None
    types = [field.type for field in type_.fields]
    if type_.kind is Kind.STRUCT:
        return list(map(shown, value, types))
    if type_.kind is Kind.LIST:
        return [shown(item, types[0]) for item in value]
    if type_.kind is Kind.MAP:
        return [list(map(shown, item, types)) for item in value]
    return _SHOWN.get(type_.kind, lambda item: item)(value)


def shown_decimal(value: Decimal) -> str:
    return format(value, "f") if value.is_finite() else str(value)


def shown_text(text: str) -> Any:
    data = text.encode()
    if len(data) > LONG:
        return {"len": len(data), "xxh64": xxhash.xxh64_hexdigest(data)}
    return text


_SHOWN: dict[Kind, Callable[[Any], Any]] = {
    **dict.fromkeys((Kind.BIGINT, Kind.SERIAL, Kind.INT256), str),
    **dict.fromkeys((Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMPTZ), str),
    Kind.REAL: lambda value: f"{value:08x}",
    Kind.DOUBLE: lambda value: f"{value:016x}",
    Kind.DECIMAL: shown_decimal,
    Kind.VARCHAR: shown_text,
    Kind.JSONB: shown_text,
    Kind.BYTEA: lambda value: shown_text(value.hex()),
    Kind.INTERVAL: lambda value: [value[0], value[1], str(value[2])],
    Kind.VECTOR: lambda value: [f"{item:08x}" for item in value],
}
