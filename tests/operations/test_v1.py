"""What verify finds in V1 snapshots, each of which is changed in one place."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from v1_manifests import TABLE
from v1_snapshots import GENERATORS, cluster, deep_fragments, row

import metasnapshot
from metasnapshot import Blob, HummockVersion, MetaSnapshot
from metasnapshot.catalogue.entry import describe
from metasnapshot.contents.findings import ERROR, WARNING
from metasnapshot.contents.references import check_references
from metasnapshot.contents.version_findings import check_version
from metasnapshot.errors import TooDeep
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.v1 import Pair
from metasnapshot.operations.verify import find_lost_objects
from metasnapshot_models.v1 import V1_LAYOUTS

NEWEST = "v1-2.0"
PLACE = {"database_id": 1, "schema_id": 2, "owner": 1}


class Found(NamedTuple):
    """A finding without its hint."""

    severity: str
    section: str
    row: str
    what: str


def reader_of(snapshot: MetaSnapshot) -> SnapshotReader:
    data = metasnapshot.dumps(snapshot)
    return SnapshotReader(BytesIO(data), len(data))


def references(snapshot: MetaSnapshot) -> list[Found]:
    found = check_references(reader_of(snapshot))
    return [Found(item.severity, item.section, item.row, item.what) for item in found]


def of_version(snapshot: MetaSnapshot, ssts: tuple[int, ...] = (7,)) -> list[Found]:
    entry = describe(snapshot.id, (1, snapshot.layout), snapshot.hummock_version.message, ssts)
    found = check_version(reader_of(snapshot), entry)
    return [Found(item.severity, item.section, item.row, item.what) for item in found]


def with_version(layout: str, change: Callable[[Any], object]) -> MetaSnapshot:
    """The cluster with a version that is changed."""
    snapshot = cluster(layout, 5)
    message = snapshot.hummock_version.message
    change(message)
    data = message.SerializeToString(deterministic=True)
    snapshot.hummock_version = HummockVersion("message", [data], V1_LAYOUTS[layout].eras[0])
    return snapshot


@pytest.mark.parametrize("layout", V1_LAYOUTS)
def test_a_cluster_without_contradictions_has_no_findings(layout: str) -> None:
    """What the tests below find is what each of them changed."""
    assert references(cluster(layout, 5)) == []
    assert of_version(cluster(layout, 5)) == []


PLACED = ["table", "index", "sink", "source", "view", "function", "connection", "subscription"]
REFERENCES = [
    ("database", {"owner": 9, "database_id": None, "schema_id": None}, "owner: user_info 9"),
    ("schema", {"owner": 9, "schema_id": None}, "owner: user_info 9"),
    ("schema", {"database_id": 9, "schema_id": None}, "database_id: database 9"),
    *((name, {"owner": 9}, "owner: user_info 9") for name in [*PLACED, "secret"]),
    *((name, {"database_id": 9}, "database_id: database 9") for name in [*PLACED, "secret"]),
    *((name, {"schema_id": 9}, "schema_id: schema 9") for name in [*PLACED, "secret"]),
    ("index", {"index_table_id": 9}, "index_table_id: table 9"),
    ("index", {"primary_table_id": 9}, "primary_table_id: table 9"),
    ("sink", {"target_table": 9}, "target_table: table 9"),
    ("sink", {"connection_id": 9}, "connection_id: connection 9"),
    ("source", {"connection_id": 9}, "connection_id: connection 9"),
    ("subscription", {"dependent_table_id": 9}, "dependent_table_id: table 9"),
]
NAMING = {
    "index": {"index_table_id": TABLE, "primary_table_id": TABLE},
    "subscription": {"dependent_table_id": TABLE},
}


@pytest.mark.parametrize(("section", "change", "what"), REFERENCES)
def test_a_name_of_something_that_is_not_there(
    section: str, change: dict[str, Any], what: str
) -> None:
    """Each reference by its own words, and nothing else, is found; sound, it is not."""
    for fields, expected in (
        ({name: value for name, value in change.items() if value is None}, []),
        (change, [Found(ERROR, section, "id 2000", f"{what} is not there")]),
    ):
        snapshot = cluster(NEWEST, 5)
        merged = {"id": 2000, "name": "x"} | PLACE | NAMING.get(section, {}) | fields
        sound = {name: value for name, value in merged.items() if value is not None}
        snapshot.sections[section].append(row(NEWEST, section, **sound))
        assert references(snapshot) == expected


def test_fragments_of_no_job() -> None:
    """Fragments are of a table, sink, source, index or subscription; a job that is still being
    made is in no catalog yet."""
    snapshot = cluster(NEWEST, 5)
    for number, state in ((1002, 3), (TABLE, 3), (1004, 3), (1005, 2)):
        fragments = row(NEWEST, "table_fragments", table_id=number, state=state)
        snapshot.sections["table_fragments"].append(fragments)
    assert references(snapshot) == [
        Found(ERROR, "table_fragments", "table_id 1004", "no such job is there"),
        Found(WARNING, "table_fragments", "table_id 1005", "no such job is there"),
    ]


def test_a_plan_that_is_nested_deep_is_no_damage() -> None:
    """RisingWave decodes it, whatever its depth; it is read and written, and refs tells that it did
    not look."""
    deep = deep_fragments().bytes
    snapshot = cluster(NEWEST, 5)
    snapshot.sections["table_fragments"][0] = Blob(deep)
    again = metasnapshot.loads(metasnapshot.dumps(snapshot))
    assert again.sections["table_fragments"][0].bytes == deep
    (found,) = references(snapshot)
    assert (found.severity, "nested too deep" in found.what) == (WARNING, True)
    with pytest.raises(TooDeep) as caught:
        _ = again.sections["table_fragments"][0].message
    assert caught.value.exit_code == 14


@pytest.mark.parametrize("layout", V1_LAYOUTS)
def test_what_is_not_set_names_nothing(layout: str) -> None:
    """An optional id that is missing is no id 0; a layout without connections has none to miss."""
    snapshot = cluster(layout, 5)
    sink = row(layout, "sink", id=2000, name="x", **PLACE)
    snapshot.sections["sink"].append(sink)
    assert references(snapshot) == []


def nothing(_: Any) -> None:
    pass


@pytest.mark.parametrize("layout", V1_LAYOUTS)
def test_ssts_of_every_era(layout: str) -> None:
    """Ids are those of objects, in `id` up to 0.1.17 and in `object_id` since; repeats are one."""

    def change(version: Any) -> None:
        level = version.levels[2].l0.sub_levels[0]
        for _ in range(2):
            level.table_infos.add().CopyFrom(level.table_infos[0])
        level.level_type = 2

    assert of_version(with_version(layout, change), (7, 7, 7)) == []
    assert of_version(with_version(layout, nothing), (8,)) == [
        Found(ERROR, "hummock_version", "object 7", "is needed, but the manifest does not pin it"),
        Found(WARNING, "hummock_version", "object 8", "is in the manifest, but nothing needs it"),
    ]


def test_an_object_and_its_sst_have_two_ids() -> None:
    """Since 0.18: the manifest pins objects; ids of both kinds come from one sequence."""

    def change(version: Any) -> None:
        version.levels[2].l0.sub_levels[0].table_infos[0].sst_id = 3000

    what = "stands at 2001, but 3000 is in use"
    assert of_version(with_version(NEWEST, change)) == [
        Found(ERROR, "default_cf", "sstable_object", what)
    ]


@pytest.mark.parametrize("layout", list(V1_LAYOUTS)[1:])
def test_levels_of_another_group(layout: str) -> None:
    """Levels say their group since 0.1.17; before, nothing is missed."""

    def change(version: Any) -> None:
        version.levels[2].group_id = 3

    expected = Found(ERROR, "hummock_version", "group 2", "its levels say group 3")
    assert of_version(with_version(layout, change)) == [expected]


def test_a_group_of_its_own_has_a_row() -> None:
    """The config of a group that is none of the first ones stands in compaction_groups."""

    def change(version: Any) -> None:
        version.levels[9].group_id = 9

    snapshot = with_version(NEWEST, change)
    what = "has no compaction config: the meta node will make a new one"
    assert of_version(snapshot) == [Found(WARNING, "hummock_version", "group 9", what)]
    snapshot.sections["compaction_groups"] = [row(NEWEST, "compaction_groups", id=9)]
    assert of_version(snapshot) == []


SEQUENCES = [
    (b"hummock_ss_table_id_id_next_generator", "sstable_object", 7, 1),
    (b"compaction_group_id_next_generator", "compaction_group", 2, 5),
    (b"backup_id_next_generator", "meta_backup", 5, 1),
]


@pytest.mark.parametrize(("key", "name", "largest", "first"), SEQUENCES)
def test_the_next_id_is_in_default_cf(key: bytes, name: str, largest: int, first: int) -> None:
    """Eight bytes, the first the highest; one that is missing starts where a cluster does."""

    def stand(value: int | None) -> list[Found]:
        snapshot = cluster(NEWEST, 5)
        pairs = {k: v for k, v in GENERATORS.items() if k != key}
        pairs |= {} if value is None else {key: value}
        found = [Pair(k, v.to_bytes(8, "big")) for k, v in pairs.items()]
        snapshot.sections["default_cf"] = found
        return of_version(snapshot)

    def low(value: int) -> list[Found]:
        what = f"stands at {value}, but {largest} is in use"
        return [Found(ERROR, "default_cf", name, what)]

    assert stand(largest + 1) == []
    assert stand(largest) == low(largest)
    assert stand(1 << 40) == []
    assert stand(None) == ([] if first > largest else low(first))


@pytest.mark.parametrize("layout", list(V1_LAYOUTS)[1:])
def test_objects_in_the_state_store(tmp_path: Path, layout: str) -> None:
    """Each is looked for by its id, whatever field has it, and with its size, where the snapshot
    says; 0.1.15 does not.
    """
    folder = tmp_path / "hummock_001"
    folder.mkdir()
    snapshot = cluster(layout, 5)
    where = {"state_store": f"hummock+fs://{tmp_path}", "data_directory": "hummock_001"}
    snapshot.sections["system_param"] = [row(layout, "system_param", **where)]
    (folder / "8.data").write_bytes(bytes(4096))
    (found,) = find_lost_objects(reader_of(snapshot))
    assert (found.row, found.missing) == ("hummock_001/7.data", True)
    (folder / "7.data").write_bytes(bytes(4095))
    (found,) = find_lost_objects(reader_of(snapshot))
    assert found.what == "object 7 has 4095 bytes, the snapshot says 4096"
    (folder / "7.data").write_bytes(bytes(4096))
    assert list(find_lost_objects(reader_of(snapshot))) == []


def test_objects_of_a_snapshot_that_does_not_say_where(tmp_path: Path) -> None:
    """0.1.15 has no system parameters; who says where its state is, is believed."""
    snapshot = cluster("v1-0.1.15", 5)
    data = metasnapshot.dumps(snapshot)
    (tmp_path / "hummock_001").mkdir()
    (tmp_path / "hummock_001" / "7.data").write_bytes(bytes(4096))
    place = (f"fs://{tmp_path}", "hummock_001")
    assert list(find_lost_objects(SnapshotReader(BytesIO(data), len(data)), place)) == []
