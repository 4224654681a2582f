"""The catalog of a cluster is the same, whichever format its snapshot is in."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import goldens
import pytest
from v1_snapshots import GENERATORS, bare, row

import metasnapshot
from metasnapshot import Blob, MetaSnapshot
from metasnapshot.contents.cluster import (
    KINDS,
    SECTIONS,
    SINK,
    SOURCE,
    Catalog,
    Item,
    V1Catalog,
    V2Catalog,
    catalog_of,
    parameter_texts,
)
from metasnapshot.contents.names import named_objects
from metasnapshot.format.messages import message_class
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.v1 import Pair
from metasnapshot_models.v1 import V1_LAYOUTS

LAYOUT = "v1-2.0"
GOLDEN = goldens.SHIPPED / "v3.0.3" / "backup" / "7.snapshot"
MEMBERS = {
    **{name: name.removesuffix("s") for name in SECTIONS},
    "indexes": "index",
    "users": "user_info",
}
KEYS = {
    "sstable_object": b"hummock_ss_table_id_id_next_generator",
    "compaction_group": b"compaction_group_id_next_generator",
    "meta_backup": b"backup_id_next_generator",
}


def v2_snapshot() -> MetaSnapshot:
    """A cluster with objects of every kind that RisingWave itself wrote."""
    return metasnapshot.loads(GOLDEN.read_bytes())


def reader_of(snapshot: MetaSnapshot) -> SnapshotReader:
    data = metasnapshot.dumps(snapshot)
    return SnapshotReader(BytesIO(data), len(data))


def placed(item: Item) -> dict[str, Any]:
    """The fields of an object that every message has."""
    fields = {"id": item.id, "name": item.name}
    places = {"database_id": item.database_id, "schema_id": item.schema_id}
    return fields | {name: number for name, number in places.items() if number is not None}


def as_v1(snapshot: MetaSnapshot) -> MetaSnapshot:
    """What a cluster with the objects of a V2 snapshot would have had in etcd."""
    catalog = catalog_of(reader_of(snapshot))
    made: dict[str, list[Any]] = {"table": tables(snapshot, catalog)}
    for item in catalog.items():
        if item.kind in MEMBERS:
            fields = placed(item)
            if item.kind == "sources":
                fields["with_properties"] = dict(item.row.with_properties)
            elif item.kind == "sinks":
                fields["properties"] = dict(item.row.properties)
            member = MEMBERS[item.kind]
            made.setdefault(member, []).append(row(LAYOUT, member, **fields))
    made["cluster_id"] = list(catalog.cluster_ids())
    made["compaction_groups"] = [
        row(LAYOUT, "compaction_groups", id=number) for number in catalog.group_ids()
    ]
    made["system_param"] = [row(LAYOUT, "system_param", **typed(catalog.parameters()))]
    made["default_cf"] = [
        Pair(KEYS[name], number.to_bytes(8, "big"))
        for name, number in catalog.sequences().items()
        if name in KEYS
    ]
    return bare(LAYOUT, snapshot.id, b"\x08\x01", **made)


def tables(snapshot: MetaSnapshot, catalog: Catalog) -> list[Blob]:
    """All tables; those that are neither one nor a materialized view are internal."""
    numbers = {"tables": 1, "materialized views": 2}
    named = {item.id: item for item in catalog.items() if item.kind in numbers}
    found: list[Blob] = []
    for table in snapshot.sections["tables"]:
        item = named.get(table.table_id)
        fields = {"id": table.table_id, "name": table.name} if item is None else placed(item)
        number = 4 if item is None else numbers[item.kind]
        found.append(row(LAYOUT, "table", table_type=number, **fields))
    return found


def typed(texts: dict[str, str]) -> dict[str, Any]:
    """System parameters as the fields of their message, those that it has."""
    message = message_class("meta.SystemParams", V1_LAYOUTS[LAYOUT].eras[0])
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if field.name in texts:
            text = texts[field.name]
            kinds = {field.TYPE_STRING: str, field.TYPE_DOUBLE: float}
            is_bool = field.type == field.TYPE_BOOL
            found[field.name] = text == "true" if is_bool else kinds.get(field.type, int)(text)
    return found


@pytest.fixture(scope="module")
def both() -> tuple[Catalog, Catalog]:
    """The V2 catalog of a cluster, and the V1 catalog."""
    snapshot = v2_snapshot()
    two, one = catalog_of(reader_of(snapshot)), catalog_of(reader_of(as_v1(snapshot)))
    assert (type(two), type(one)) == (V2Catalog, V1Catalog)
    return two, one


def bare_items(catalog: Catalog) -> list[tuple[Any, ...]]:
    """Items without their rows, which are of different kinds."""
    return [item[:-1] for item in catalog.items()]


def test_items(both: tuple[Catalog, Catalog]) -> None:
    """Kind, name, id, database and schema of every object, kind by kind; no internal table."""
    v2, v1 = map(bare_items, both)
    assert sorted(v1) == sorted(v2)
    kinds = [item[0] for item in v1]
    assert set(kinds) == set(KINDS)
    order = [KINDS.index(kind) for kind in kinds if kind in SECTIONS]
    assert order == sorted(order)
    assert len(both[1].table_ids()) > kinds.count("tables") + kinds.count("materialized views")


def test_full_names(both: tuple[Catalog, Catalog]) -> None:
    """`database.schema.name`, and numbers for those with one name."""
    v2, v1 = ({found[:-1] for found in named_objects(catalog)} for catalog in both)
    assert v1 == v2
    assert {number for _, _, number in v1} >= {1}


@pytest.mark.parametrize("what", ["cluster_ids", "table_ids", "group_ids"])
def test_ids(both: tuple[Catalog, Catalog], what: str) -> None:
    """Of the cluster, its tables, its groups with a config."""
    v2, v1 = (getattr(catalog, what)() for catalog in both)
    assert v1 == v2
    assert v1


def test_sequences(both: tuple[Catalog, Catalog]) -> None:
    """The next ids of what a snapshot can tell to be in use."""
    v2, v1 = (catalog.sequences() for catalog in both)
    assert v1 == {name: v2[name] for name in KEYS}


def test_connectors(both: tuple[Catalog, Catalog]) -> None:
    """Sources, then sinks, with all their properties."""
    v2, v1 = ([*catalog.connectors()] for catalog in both)
    assert [(kind, name, dict(found)) for kind, name, found in v1] == [
        (kind, name, dict(found)) for kind, name, found in v2
    ]
    assert {kind for kind, _, _ in v1} == {SOURCE, SINK}


def test_parameters(both: tuple[Catalog, Catalog]) -> None:
    """The text is that of the SQL meta store, for every parameter that both have."""
    v2, v1 = (catalog.parameters() for catalog in both)
    assert v1 == {name: text for name, text in v2.items() if name in v1}
    assert {"state_store", "enable_tracing", "barrier_interval_ms"} <= set(v1)


def texts(**fields: Any) -> dict[str, str]:
    message = message_class("meta.SystemParams", V1_LAYOUTS[LAYOUT].eras[0])
    return dict(parameter_texts(message(**fields)))


NUMBERS = [
    (0.001, "0.001"),
    (1.0, "1"),
    (0.0, "0"),
    (-0.0, "-0"),
    (10.0, "10"),
    (0.1, "0.1"),
    (0.3, "0.3"),
    (1e-7, "0.0000001"),
    (1.5e-9, "0.0000000015"),
    (1e16, "10000000000000000"),
    (1e21, "1000000000000000000000"),
    (1.5e21, "1500000000000000000000"),
    (5e-324, f"0.{'0' * 323}5"),
    (123456.75, "123456.75"),
]


@pytest.mark.parametrize(("value", "text"), NUMBERS)
def test_a_number_is_written_as_rust_does(value: float, text: str) -> None:
    """The shortest digits that are the same number, no exponent, no `.0`."""
    assert texts(bloom_false_positive=value) == {"bloom_false_positive": text}


def test_other_values_are_written_as_rust_does() -> None:
    """Integers to the largest u64, booleans in small letters, texts as they are."""
    fields = {"checkpoint_frequency": (1 << 64) - 1, "barrier_interval_ms": 0}
    found = texts(**fields, telemetry_enabled=True, enable_tracing=False, license_key='a"\\')
    assert found == {
        "barrier_interval_ms": "0",
        "checkpoint_frequency": "18446744073709551615",
        "telemetry_enabled": "true",
        "enable_tracing": "false",
        "license_key": 'a"\\',
    }


def test_what_is_not_set_is_no_parameter() -> None:
    """An empty text and a zero are set; a field that is not there is not."""
    assert texts() == {}
    assert texts(license_key="", barrier_interval_ms=0) == {
        "license_key": "",
        "barrier_interval_ms": "0",
    }


@pytest.mark.parametrize("era", ["v0.1.17", "v0.19.0", "v1.6.0", "v1.8.0", "v2.0.1"])
def test_parameters_of_every_era_can_be_unset(era: str) -> None:
    """Fields of SystemParams know whether they are set, in every state of the message."""
    message = message_class("meta.SystemParams", era)
    assert dict(parameter_texts(message())) == {}
    assert dict(parameter_texts(message(state_store="x"))) == {"state_store": "x"}


@pytest.mark.parametrize("value", [b"", b"\x00" * 7, b"\x01" * 9])
def test_a_sequence_of_another_size_is_none(value: bytes) -> None:
    """Only eight bytes are a next id; a key that is not known is no sequence."""
    pairs = [Pair(key, value) for key in GENERATORS] + [Pair(b"telemetry", bytes(8))]
    assert catalog_of(reader_of(bare(LAYOUT, 1, default_cf=pairs))).sequences() == {}


@pytest.mark.parametrize("layout", V1_LAYOUTS)
def test_an_empty_cluster_has_nothing(layout: str) -> None:
    """Members that a layout has not, and those that are empty, are no objects, ids or texts."""
    catalog = catalog_of(reader_of(bare(layout, 1)))
    assert [*catalog.items(), *catalog.connectors()] == []
    assert (catalog.cluster_ids(), catalog.parameters(), catalog.sequences()) == ((), {}, {})
    assert catalog.table_ids() | catalog.group_ids() == set()


@pytest.mark.parametrize(
    ("name", "layout"), [("properties", "v1-0.19"), ("with_properties", LAYOUT)]
)
def test_the_properties_of_a_source_had_two_names(name: str, layout: str) -> None:
    """`properties` up to 1.5, `with_properties` since; without a connector it is no connector."""
    fields: dict[str, Any] = {name: {"connector": "kafka", "topic": "t"}}
    rows = [row(layout, "source", id=1, name="a", **fields)]
    rows += [row(layout, "source", id=2, name="b", **{name: {"topic": "t"}})]
    found = [*catalog_of(reader_of(bare(layout, 1, source=rows))).connectors()]
    assert found == [(SOURCE, "a", {"connector": "kafka", "topic": "t"})]
