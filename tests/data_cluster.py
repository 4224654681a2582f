"""A cluster with rows: the golden tables in a catalog, their objects in a state store, and a
snapshot of it, of a release with V2 or with V1."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import golden_rows
import goldens
import msgspec
from golden_ssts import ROOT
from v1_snapshots import CLUSTER_ID, bare, row

import metasnapshot
from metasnapshot import Blob, HummockVersion, MetaSnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.area import make_area
from metasnapshot.catalogue.area import object_path as area_path
from metasnapshot.catalogue.full import FullBackup, write_full
from metasnapshot.catalogue.full_header import Header
from metasnapshot.catalogue.repository import Repository
from metasnapshot.format import messages
from metasnapshot.hummock.objects import needed_by
from metasnapshot.store.local import LocalStore
from metasnapshot_models.enums import JobStatus, ObjectType, TableType
from metasnapshot_models.v1 import V1_LAYOUTS

NUMBER = 9
DATABASE, SCHEMA = 1, 2
_TYPES = {
    1: TableType.TABLE,
    2: TableType.MATERIALIZED_VIEW,
    3: TableType.INDEX,
    4: TableType.INTERNAL,
}


def table_messages(tag: str) -> list[Any]:
    """The catalog.Table messages of a release."""
    files = sorted((ROOT / tag).glob("table-*.pb"))
    return [messages.parse(file.read_bytes(), "catalog.Table", tag) for file in files]


def write_objects(tag: str, state: Path) -> Path:
    """A state store with the objects that the version of a release needs."""
    folder = state / goldens.DATA_DIRECTORY
    folder.mkdir(parents=True)
    for file in (ROOT / tag).glob("*.data"):
        shutil.copyfile(file, folder / file.name)
    return state


def v2_snapshot(tag: str) -> MetaSnapshot:
    """A V2 snapshot whose catalog has the golden tables of its release."""
    snapshot = metasnapshot.loads((goldens.SHIPPED / tag / "backup" / "7.snapshot").read_bytes())
    sections = snapshot.sections
    templates = {name: sections[name][0] for name in ("objects", "tables", "streaming_jobs")}
    database, schema = sections["databases"][0], sections["schemas"][0]
    for name in list(sections):
        if name not in ("seaql_migrations", "clusters", "system_parameters", "users"):
            sections[name].clear()
    sections["databases"].append(
        msgspec.structs.replace(database, database_id=DATABASE, name="dev")
    )
    sections["schemas"].append(msgspec.structs.replace(schema, schema_id=SCHEMA, name="public"))
    for message in table_messages(tag):
        sections["tables"].append(_table_row(templates["tables"], message))
        _add_object(sections, templates, message.id, ObjectType.TABLE)
    snapshot.hummock_version = HummockVersion.from_message(
        golden_rows.version(tag), snapshot.hummock_version.form, snapshot.hummock_version.era
    )
    snapshot.id = NUMBER
    return snapshot


def _add_object(sections: Any, templates: Any, oid: int, kind: ObjectType) -> None:
    changed = {"oid": oid, "obj_type": kind, "schema_id": SCHEMA, "database_id": DATABASE}
    sections["objects"].append(msgspec.structs.replace(templates["objects"], **changed))
    job = {"job_id": oid, "job_status": JobStatus.CREATED}
    sections["streaming_jobs"].append(msgspec.structs.replace(templates["streaming_jobs"], **job))


def _table_row(template: Any, message: Any) -> Any:
    def blob(name: str, data: bytes) -> Blob:
        old = getattr(template, name)
        return Blob(data, old.type, old.era)

    def array(items: Any) -> bytes:
        """A message whose field 1 is these."""
        found = [item.SerializeToString(deterministic=True) for item in items]
        return b"".join(b"\x0a" + _varint(len(data)) + data for data in found)

    version = None
    if message.HasField("version"):
        data = message.version.SerializeToString(deterministic=True)
        version = Blob(data, template.version.type, template.version.era)
    return msgspec.structs.replace(
        template,
        table_id=message.id,
        name=message.name,
        table_type=_TYPES[message.table_type],
        belongs_to_job_id=None,
        columns=blob("columns", array(message.columns)),
        pk=blob("pk", array(message.pk)),
        value_indices=list(message.value_indices),
        version=version,
        retention_seconds=message.retention_seconds
        if message.HasField("retention_seconds")
        else None,
        append_only=message.append_only,
    )


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def v1_snapshot(tag: str) -> MetaSnapshot:
    """A V1 snapshot of the same."""
    layout = next(
        name for name, found in V1_LAYOUTS.items() if tag.removeprefix("v") in found.releases
    )
    era = V1_LAYOUTS[layout].eras[-1]

    def rows(section: str, *found: Any) -> list[Blob]:
        kind = row(layout, section).type
        return [Blob(item.SerializeToString(deterministic=True), kind, era) for item in found]

    database = messages.message_class("catalog.Database", era)(id=DATABASE, name="dev")
    schema = messages.message_class("catalog.Schema", era)
    return bare(
        layout,
        NUMBER,
        golden_rows.version(tag).SerializeToString(deterministic=True),
        table=rows("table", *table_messages(tag)),
        database=rows("database", database),
        schema=rows("schema", schema(id=SCHEMA, name="public", database_id=DATABASE)),
        cluster_id=[CLUSTER_ID],
    )


def write_cluster(tag: str, folder: Path) -> Repository:
    """A backup directory `backups` with a snapshot of the golden tables, and a state store."""
    write_objects(tag, folder / "state")
    repository = Repository(LocalStore(folder / "backups"), "backup")
    changes.create(repository, v1_snapshot(tag) if tag.startswith("v1.") else v2_snapshot(tag))
    return Repository(LocalStore(folder / "backups"), "backup")


def write_area(folder: Path) -> None:
    """Make the snapshot of a cluster a full one: its objects copied, and the side file."""
    repository = Repository(LocalStore(folder / "backups"), "backup")
    with repository.open(NUMBER) as reader:
        needed = needed_by(reader)
        checksum = f"{reader.checksum:016x}"
    area = make_area(repository.store, "backup", None)
    for item in needed:
        target = folder / "backups" / area_path("backup", item)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "state" / goldens.DATA_DIRECTORY / f"{item.id}.data", target)
    snapshot = folder / "backups" / "backup" / f"{NUMBER}.snapshot"
    header = Header(
        snapshot_id=NUMBER,
        checksum=checksum,
        size=snapshot.stat().st_size,
        hummock_version_id=1,
        cluster_id=None,
        area_id=area.area_id,
        base=None,
        objects=len(needed),
        bytes=needed.size,
        objects_new=len(needed),
        bytes_new=needed.size,
        taken="2026-11-30T00:00:00Z",
    )
    write_full(repository.store, "backup", FullBackup(header, needed, bytes(16 * len(needed))))


def write_as_of(tag: str, folder: Path, number: int, epoch: int) -> None:
    """Another V2 snapshot into the directory of a cluster, its tables as of an epoch."""
    snapshot = v2_snapshot(tag)
    version = type(golden_rows.version(tag))()
    version.CopyFrom(golden_rows.version(tag))
    for info in version.state_table_info.values():
        info.committed_epoch = min(epoch, info.committed_epoch)
    old = snapshot.hummock_version
    snapshot.hummock_version = HummockVersion.from_message(version, old.form, old.era)
    snapshot.id = number
    changes.create(Repository(LocalStore(folder / "backups"), "backup"), snapshot)
