"""V1 snapshots made by hand: no RisingWave that writes them is at hand, and golden ones hold values
at random."""

from __future__ import annotations

from typing import Any

from google.protobuf import wrappers_pb2

from metasnapshot import Blob, HummockVersion, MetaSnapshot
from metasnapshot.format.messages import message_class
from metasnapshot.format.v1 import Pair, member_of
from metasnapshot_models.definitions import ColumnType
from metasnapshot_models.v1 import V1_LAYOUTS

CLUSTER_ID = "7e3a9b1c-9a61-4c44-9c0b-7b6f6b6b0c11"
GENERATORS = {
    b"backup_id_next_generator": 1000,
    b"compaction_group_id_next_generator": 1005,
    b"hummock_ss_table_id_id_next_generator": 2001,
}


def bare(
    layout: str, number: int, version: bytes = b"\x08\xc1\x02", **sections: list[Any]
) -> MetaSnapshot:
    """A snapshot with these rows and no others; version 321."""
    found = V1_LAYOUTS[layout]
    rows: dict[str, list[Any]] = {}
    for member in found.members:
        empty: list[Any] = {"message": [Blob(b"")], "text": [""]}.get(member.form, [])
        rows[member.name] = sections.get(member.name, empty)
    del rows["hummock_version"]
    whole = HummockVersion("message", [version], found.eras[0])
    format_version = 0 if found.header == "id" else 1
    return MetaSnapshot(format_version, number, layout, found.releases, rows, whole)


def row(layout: str, section: str, **fields: Any) -> Blob:
    """A message of a section, in the first era of its layout."""
    found = V1_LAYOUTS[layout]
    name = member_of(found, section).message
    message = message_class(name, found.eras[0])(**fields)
    column = ColumnType(section, "message", message=name, wrapper="single")
    return Blob(message.SerializeToString(deterministic=True), column, found.eras[0])


def cluster(layout: str, number: int, *, view: str = "SELECT 1") -> MetaSnapshot:
    """A small cluster without contradictions: a table with one SST, a source, a sink, a view."""
    place = {"database_id": 1, "schema_id": 2, "owner": 1}
    old = V1_LAYOUTS[layout].eras[0] in ("v0.1.15", "v0.1.17")
    made: dict[str, list[Any]] = {
        "default_cf": [Pair(k, v.to_bytes(8, "big")) for k, v in GENERATORS.items()],
        "user_info": [row(layout, "user_info", id=1, name="root", is_super=True)],
        "database": [row(layout, "database", id=1, name="dev", owner=1)],
        "schema": [row(layout, "schema", id=2, name="public", database_id=1, owner=1)],
        "table": [row(layout, "table", id=1001, name="t", table_type=1, **place)],
        "table_fragments": [row(layout, "table_fragments", table_id=1001)],
        "view": [row(layout, "view", id=1004, name="v", sql=view, **place)],
    }
    kafka = {"connector": "kafka", "properties.sasl.password": "hunter2"}
    made["sink"] = [row(layout, "sink", id=1003, name="s", properties=kafka, **place)]
    made["table_fragments"].append(row(layout, "table_fragments", table_id=1003))
    cdc = {"connector": "postgres-cdc", "slot.name": "one", "password": "hunter2"}
    name = "properties" if V1_LAYOUTS[layout].eras[0] < "v1.6" else "with_properties"
    made["source"] = [row(layout, "source", id=1002, name="c", **{name: cdc}, **place)]
    members = [member.name for member in V1_LAYOUTS[layout].members]
    if "cluster_id" in members:
        made["cluster_id"] = [CLUSTER_ID]
    if "system_param" in members:
        where = {"state_store": "hummock+memory", "data_directory": "hummock_001"}
        fields: dict[str, Any] = {"bloom_false_positive": 0.001, "barrier_interval_ms": 1000}
        made["system_param"] = [row(layout, "system_param", **where, **fields)]
    ids = {"id": 7} if old else {"object_id": 7, "sst_id": 7}
    sst = {**ids, "file_size": 4096, "table_ids": [1001]}
    levels: dict[str, Any] = {
        "l0": {"sub_levels": [{"level_type": 1, "sub_level_id": 1, "table_infos": [sst]}]}
    }
    if V1_LAYOUTS[layout].eras[0] != "v0.1.15":
        levels["group_id"] = 2
    epoch = 116_795_000_000 << 16
    fields = {"id": 321, "levels": {2: levels}, "max_committed_epoch": epoch, "safe_epoch": epoch}
    version = row(layout, "hummock_version", **fields)
    return bare(layout, number, version.bytes, **made)


def deep_fragments() -> Blob:
    """Fragments whose plan is nested deeper than the protobuf library follows."""
    data = b""
    for field in (*[3] * 300, 3, 4, 2):  # StreamNode.input, StreamActor.nodes, Fragment.actors
        data = bytes([field << 3 | 2]) + _varint(len(data)) + data
    entry = b"\x08\x01" + data
    return Blob(b"\x08\xe9\x07\x1a" + _varint(len(entry)) + entry)


def _varint(number: int) -> bytes:
    return wrappers_pb2.UInt64Value(value=number).SerializeToString()[1:]
