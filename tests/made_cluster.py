"""A cluster of any size with plain names, made of the rows of a golden snapshot, and a backup
directory with as many snapshots of it as one likes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import goldens
import msgspec
import xxhash

import metasnapshot
from metasnapshot import HummockVersion, MetaSnapshot
from metasnapshot.catalogue.entry import new_entry
from metasnapshot.catalogue.facts import FACTS_NAME, FORMAT, Facts
from metasnapshot.catalogue.manifest import Manifest, render
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import epoch_time
from metasnapshot.hummock.objects import object_ids
from metasnapshot.store.local import LocalStore
from metasnapshot_models.enums import ObjectType, TableType
from metasnapshot_models.layouts import LAYOUTS

GOLDEN = goldens.SHIPPED / "v3.0.3" / "backup" / "7.snapshot"
EPOCH = 11_300_000_000_000_000
"""In the year 2026."""
HOUR = 3_600_000 << 16
MARK = 900_000_000
"""An object id that copies change."""
DATABASE, SCHEMA, FIRST = 1, 2, 100
EMPTY = (
    *("views", "indexes", "functions", "connections", "subscriptions", "secrets"),
    *("streaming_jobs", "fragments", "fragment_relations", "hummock_table_change_logs"),
)
replaced = msgspec.structs.replace


class Made:
    """A cluster while it is made: names of objects, and who reads whom."""

    def __init__(self, number: int = 1) -> None:
        self.snapshot = metasnapshot.loads(GOLDEN.read_bytes())
        self.snapshot.id = number
        self.sections: dict[str, list[Any]] = self.snapshot.sections
        self.templates = {name: rows[0] for name, rows in self.sections.items() if rows}
        for name in ("tables", "sources", "sinks", "objects", "object_dependencies", *EMPTY):
            if name in self.sections:
                self.sections[name] = []
        self.sections["databases"] = [
            replaced(self.templates["databases"], database_id=DATABASE, name="dev")
        ]
        self.sections["schemas"] = [
            replaced(self.templates["schemas"], schema_id=SCHEMA, name="public")
        ]
        self.ids: dict[str, int] = {}
        self.sizes: dict[int, int] = {}
        self._object(DATABASE, ObjectType.DATABASE, None, None)
        self._object(SCHEMA, ObjectType.SCHEMA, DATABASE, None)

    def table(self, name: str, *reads: str, size: int = 0, view: bool = False) -> None:
        """A table, or a materialized view over others, of so many bytes."""
        kind = TableType.MATERIALIZED_VIEW if view else TableType.TABLE
        number = self._new(name, ObjectType.TABLE, reads)
        source = {"optional_associated_source_id": None}
        self._row("tables", table_id=number, name=name, table_type=kind, **source)
        self.sizes[number] = size

    def source(self, name: str, connector: str = "kafka", **properties: str) -> None:
        """A source."""
        number = self._new(name, ObjectType.SOURCE, ())
        found = {"connector": connector, **properties}
        table = {"optional_associated_table_id": None}
        self._row("sources", source_id=number, name=name, with_properties=found, **table)

    def sink(self, name: str, *reads: str, connector: str = "kafka", into: str = "") -> None:
        """A sink, maybe into a table."""
        number = self._new(name, ObjectType.SINK, reads)
        target = self.ids[into] if into else None
        properties = {"connector": "table" if into else connector}
        found = {"target_table": target, "properties": properties}
        self._row("sinks", sink_id=number, name=name, **found)

    def finished(self, objects: Iterable[int] = (), size: int = 1 << 26) -> MetaSnapshot:
        """The snapshot, with an SST for each object id, shared by all tables in turn."""
        version = self.snapshot.hummock_version.message
        template = next(
            sst
            for levels in version.levels.values()
            for level in levels.levels
            for sst in level.table_infos
        )
        kept = type(template)()
        kept.CopyFrom(template)
        made = type(version)()
        made.CopyFrom(version)
        for field in ("levels", "state_table_info", "table_change_logs", "vector_indexes"):
            if field in made.DESCRIPTOR.fields_by_name:
                made.ClearField(field)
        made.id = 1000 * self.snapshot.id
        tables = list(self.sizes)
        for number in tables:
            made.state_table_info[number].committed_epoch = EPOCH + self.snapshot.id * HOUR
            made.state_table_info[number].compaction_group_id = 2 + number % 2
        _levels(made, list(objects), tables, kept, size)
        self.snapshot.hummock_version = HummockVersion.from_message(
            made, self.snapshot.hummock_version.form, self.snapshot.hummock_version.era
        )
        return self.snapshot

    def _new(self, name: str, kind: ObjectType, reads: Iterable[str]) -> int:
        number = self.ids[name] = FIRST + len(self.ids)
        self._object(number, kind, DATABASE, SCHEMA)
        for other in reads:
            count = len(self.sections["object_dependencies"])
            self._row("object_dependencies", id=count + 1, oid=self.ids[other], used_by=number)
        return number

    def _row(self, section: str, **values: Any) -> None:
        """One more row of a section, like the golden one but for some values."""
        self.sections[section].append(replaced(self.templates[section], **values))

    def _object(
        self, number: int, kind: ObjectType, database: int | None, schema: int | None
    ) -> None:
        places = {"database_id": database, "schema_id": schema}
        self._row("objects", oid=number, obj_type=kind, **places)


def _levels(made: Any, objects: list[int], tables: list[int], template: Any, size: int) -> None:
    """Two groups; of ten objects one lies in level 0, the others in the last level."""
    for group in (2, 3):
        levels = made.levels[group]
        levels.group_id = group
        levels.l0.SetInParent()
        for number in range(1, 7):
            levels.levels.add(level_idx=number, level_type=1)
    for place, number in enumerate(objects):
        levels = made.levels[2 + place % 2]
        if place % 10 == 0:
            level = levels.l0.sub_levels.add(sub_level_id=place + 1, level_type=1)
        else:
            level = levels.levels[5]
        sst = level.table_infos.add()
        sst.CopyFrom(template)
        sst.object_id = sst.sst_id = number
        sst.file_size = sst.sst_size = size + 1000 * (number % 997)
        del sst.table_ids[:]
        sst.table_ids.extend(tables[place % len(tables) :: 7][:3] if tables else [])
        level.total_file_size += sst.sst_size
        if place % 10 == 0:
            levels.l0.total_file_size += sst.sst_size


def shop(number: int = 1, *, grown: bool = False) -> Made:
    """A shop: what its people call things, and a lineage of five layers."""
    made = Made(number)
    made.source("orders_topic", topic="orders")
    made.source("customers_pg", "postgres-cdc", **{"slot.name": "rw_customers"})
    made.table("customers", "customers_pg")
    made.table("products")
    made.table("orders", "orders_topic")
    made.table("order_items", "orders", "products", view=True)
    made.table("revenue_by_day", "order_items", view=True)
    made.table("top_customers", "orders", "customers", view=True)
    made.table("revenue_by_customer", "revenue_by_day", "top_customers", view=True)
    made.sink("revenue_to_warehouse", "revenue_by_day", connector="iceberg")
    made.sink("alerts", "revenue_by_customer")
    if grown:
        made.table("stock", "products", view=True)
        made.sink("stock_to_table", "stock", into="products")
    return made


def wide(number: int, tables: int, objects: Iterable[int] = ()) -> MetaSnapshot:
    """So many tables, of which every third is a view over the two before it."""
    made = Made(number)
    names = [f"table_{place:05d}" for place in range(tables)]
    for place, name in enumerate(names):
        reads = names[place - 2 : place] if place % 3 == 2 else ()
        made.table(name, *reads, view=bool(reads))
    return made.finished(objects)


def laid(
    folder: Path, snapshots: Iterable[MetaSnapshot], hours: dict[int, float] | None = None
) -> Repository:
    """A backup directory of these snapshots, taken an hour apart or as said, all facts recorded."""
    (folder / "backup").mkdir(parents=True, exist_ok=True)
    entries: list[Any] = []
    facts: dict[int, Facts] = {}
    store = LocalStore(folder)
    for snapshot in snapshots:
        layout = LAYOUTS[snapshot.layout]
        version = snapshot.hummock_version.message
        logs = snapshot.sections.get("hummock_table_change_logs", [])
        entries.append(new_entry(snapshot.id, version, object_ids(version, logs), layout))
        data = metasnapshot.dumps(snapshot)
        (folder / "backup" / f"{snapshot.id}.snapshot").write_bytes(data)
        cluster = str(snapshot.sections["clusters"][0].cluster_id)
        hour = (hours or {}).get(snapshot.id, float(snapshot.id))
        facts[snapshot.id] = Facts(
            checksum=f"{int.from_bytes(data[-8:], 'little'):016x}",
            size=len(data),
            cluster_id=cluster,
            layout=snapshot.layout,
            releases=layout.releases,
            taken=epoch_time(EPOCH) + timedelta(hours=hour),
        )
    manifest = Manifest(manifest_id=len(entries), entries=tuple(entries))
    (folder / "backup" / "manifest.json").write_bytes(render(manifest))
    document = {"format": FORMAT, "snapshots": {str(key): item for key, item in facts.items()}}
    (folder / "backup" / FACTS_NAME).write_bytes(msgspec.json.encode(document))
    return Repository(store, "backup")


def copies(folder: Path, snapshot: MetaSnapshot, count: int) -> None:
    """A backup directory of so many snapshots that differ in their id, and in the object that is
    MARK in this one: made by their bytes, for a message a snapshot would take long.
    """
    repository = laid(folder, [snapshot])
    entry = repository.manifest().entries[0].raw
    data = (folder / "backup" / f"{snapshot.id}.snapshot").read_bytes()[:-8]
    entries: list[bytes] = []
    facts: dict[str, Facts] = {}
    for number in range(1, count + 1):
        mine = str(MARK + number).encode()
        body = data[:4] + number.to_bytes(8, "little") + data[12:].replace(str(MARK).encode(), mine)
        checksum = xxhash.xxh64_intdigest(body)
        path = folder / "backup" / f"{number}.snapshot"
        path.write_bytes(body + checksum.to_bytes(8, "little"))
        text = entry.replace(f'"id":{snapshot.id},'.encode(), f'"id":{number},'.encode(), 1)
        entries.append(text.replace(str(MARK).encode(), mine))
        taken = epoch_time(EPOCH) + timedelta(hours=number)
        facts[str(number)] = Facts(checksum=f"{checksum:016x}", size=len(body) + 8, taken=taken)
    text = b'{"manifest_id":%d,"snapshot_metadata":[%s]}' % (count, b",".join(entries))
    (folder / "backup" / "manifest.json").write_bytes(text)
    document = {"format": FORMAT, "snapshots": facts}
    (folder / "backup" / FACTS_NAME).write_bytes(msgspec.json.encode(document))
