"""Any type, as deep as one likes, through Arrow and Parquet and back."""

from __future__ import annotations

import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]
import pytest
from arrow_values import back, same
from hypothesis import given
from hypothesis import strategies as st

from metasnapshot.errors import DamageError
from metasnapshot.rows.arrays import array_of
from metasnapshot.rows.fit import Fit, Unfit
from metasnapshot.rows.text import text_of
from metasnapshot.sst.place import Place
from metasnapshot.sst.types import Field, Kind, Type
from metasnapshot.sst.values import Cursor, read_value

FIT = Fit(time="ns", decimal_scale=None)
DAY_NS = 86_400_000_000_000


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


PLAIN: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.SMALLINT: signed(16),
    Kind.INT: signed(32),
    Kind.BIGINT: signed(64),
    Kind.SERIAL: signed(64),
    Kind.INT256: signed(256),
    Kind.REAL: st.integers(0, (1 << 32) - 1),
    Kind.DOUBLE: st.integers(0, (1 << 64) - 1),
    Kind.BOOLEAN: st.booleans(),
    Kind.VARCHAR: st.text(max_size=8),
    Kind.BYTEA: st.binary(max_size=8),
    Kind.DECIMAL: st.decimals(allow_nan=False, allow_infinity=False, places=5).map(Decimal),
    Kind.INTERVAL: st.tuples(signed(32), signed(32), signed(64)),
    Kind.DATE: st.integers(-90_000_000, 90_000_000),
    Kind.TIME: st.integers(0, DAY_NS - 1),
    Kind.TIMESTAMP: st.integers(-(1 << 55), 1 << 55).map(lambda number: number * 1000),
    Kind.TIMESTAMPTZ: st.integers(-(1 << 60), 1 << 60),
    Kind.JSONB: st.sampled_from(['{"a":1}', "[]", "null", '"x"']),
}
KEYS = (Kind.INT, Kind.VARCHAR, Kind.BIGINT)


def plain_type(kind: Kind) -> Type:
    return Type(kind)


def structs(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    fields = st.lists(inner, min_size=1, max_size=3)
    return fields.map(
        lambda types: Type(Kind.STRUCT, tuple(Field(f"f{n}", t) for n, t in enumerate(types)))
    )


def lists(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    return inner.map(lambda type_: Type(Kind.LIST, (Field("element", type_),)))


def maps(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    keys = st.sampled_from(KEYS).map(plain_type)
    return st.tuples(keys, inner).map(
        lambda pair: Type(Kind.MAP, (Field("key", pair[0]), Field("value", pair[1])))
    )


VECTORS = st.integers(1, 4).map(lambda size: Type(Kind.VECTOR, size=size))
TYPES = st.recursive(
    st.one_of(st.sampled_from(list(PLAIN)).map(plain_type), VECTORS),
    lambda inner: st.one_of(structs(inner), lists(inner), maps(inner)),
    max_leaves=6,
)


def values_of(type_: Type) -> st.SearchStrategy[Any]:
    """Values of a type, NULL among them."""
    parts = [values_of(field.type) for field in type_.fields]
    makers: dict[Kind, Callable[[], st.SearchStrategy[Any]]] = {
        Kind.STRUCT: lambda: st.tuples(*parts),
        Kind.LIST: lambda: st.lists(parts[0], max_size=4),
        Kind.MAP: lambda: st.lists(
            st.tuples(PLAIN[type_.fields[0].type.kind], parts[1]),
            max_size=4,
            unique_by=lambda item: item[0],
        ),
        Kind.VECTOR: lambda: st.tuples(*[PLAIN[Kind.REAL]] * type_.size),
    }
    make = makers.get(type_.kind)
    return st.one_of(st.none(), PLAIN[type_.kind] if make is None else make())


@given(st.data())
def test_any_type_comes_through_parquet(data: st.DataObject) -> None:
    """Values of any type, structs, lists and maps in each other with NULL at every place, are the
    same behind Arrow, and behind a Parquet file."""
    type_ = data.draw(TYPES)
    values = data.draw(st.lists(values_of(type_), max_size=6))
    array = array_of(values, type_, FIT)
    array.validate(full=True)
    file = io.BytesIO()
    pq.write_table(pa.table({"c": array}), file, use_dictionary=False)
    file.seek(0)
    chunked = pq.read_table(file)["c"]
    behind = pa.concat_arrays(chunked.chunks) if chunked.num_chunks else array.slice(0, 0)
    for made in (array, behind):
        pairs = list(zip(values, back(made, type_, FIT), strict=True))
        assert [pair for pair in pairs if not same(*pair, type_, FIT)] == []


def read(kind: Kind, seconds: int, nanos: int) -> int:
    size = 4 if kind is Kind.TIME else 8
    data = seconds.to_bytes(size, "little", signed=kind is Kind.TIMESTAMP)
    data += nanos.to_bytes(4, "little")
    return read_value(Cursor(data, 0, len(data), Place()), Type(kind))


SECOND = 1_000_000_000
LEAPS = [
    (Kind.TIME, 86_399, SECOND, "23:59:60"),
    (Kind.TIME, 59, SECOND + 500_000_000, "00:00:60.500"),
    (Kind.TIMESTAMP, 1_483_228_799, SECOND, "2016-12-31 23:59:60"),
    (Kind.TIMESTAMP, -1, 2 * SECOND - 1, "1969-12-31 23:59:60.999999999"),
]


@pytest.mark.parametrize(("kind", "seconds", "nanos", "text"), LEAPS)
def test_a_leap_second_is_no_other_second(kind: Kind, seconds: int, nanos: int, text: str) -> None:
    """A second of 60, which RisingWave stores as 59 and more nanoseconds, is printed as one; Arrow
    has none, so that a column of it is text or the read ends."""
    type_, value = Type(kind), read(kind, seconds, nanos)
    assert text_of(value, type_) == text
    for fit in (Fit(), Fit(time="ns", timestamp="ns")):
        with pytest.raises(Unfit, match="leap second") as caught:
            array_of([None, value], type_, fit)
        assert caught.value.option == "--on-unfit text"
    fit = Fit(unfit_as_text=True, time="ns")
    assert array_of([value], type_, fit).to_pylist() == [text]


@pytest.mark.parametrize(
    ("kind", "seconds", "nanos"),
    [
        (Kind.TIME, 86_399, 2 * SECOND),
        (Kind.TIME, 86_398, SECOND),
        (Kind.TIME, 86_400, 0),
        (Kind.TIMESTAMP, 58, SECOND),
        (Kind.TIMESTAMP, -1, (1 << 32) - 1),
    ],
)
def test_more_than_a_second_has_is_damage(kind: Kind, seconds: int, nanos: int) -> None:
    """Nanoseconds that go on in any other second, or too far, are none that RisingWave wrote."""
    with pytest.raises(DamageError):
        read(kind, seconds, nanos)
