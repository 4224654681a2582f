"""A backup of PostgreSQL and MariaDB is what RisingWave's own reading gives."""

from __future__ import annotations

from pathlib import Path

import goldens
import pytest
import worlds
from servers import Server

import metasnapshot
from metasnapshot.catalogue.repository import Repository
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.checkpoint import write_checkpoint
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.load import Target, digest_rows
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.store.local import LocalStore
from metasnapshot_models.layouts import LAYOUTS


def golden_snapshot(tag: Path, server: Server) -> Path:
    folder, number = worlds.FOLDERS[server.engine]
    return tag / folder / f"{number}.snapshot"


def write_state(snapshot: metasnapshot.MetaSnapshot, path: Path) -> BackupOptions:
    store, layout = LocalStore(path), LAYOUTS[snapshot.layout]
    write_checkpoint(store, goldens.DATA_DIRECTORY, snapshot.hummock_version.message, layout)
    return BackupOptions(f"fs://{path}", goldens.DATA_DIRECTORY)


def compare(one: SnapshotReader, other: SnapshotReader, skipped: tuple[str, ...] = ()) -> None:
    """Every section of the golden one has the same rows, in any order. A backup may have more: of
    layouts with one set of migrations it writes the longest.
    """
    layout = LAYOUTS[other.layout]
    assert one.section_names[: len(other.section_names)] == other.section_names
    for section in other.section_names:
        if section not in (HUMMOCK_VERSION, *skipped):
            model = model_of(layout, section)
            found = [
                digest_rows(Target(layout), model, side.rows(section)) for side in (one, other)
            ]
            assert found[0] == found[1], section
            raw = [sorted(row for _, row in side.raw_rows(section)) for side in (one, other)]
            if section not in ("version_stats", "tables"):  # maps in random order
                assert raw[0] == raw[1], section


@pytest.mark.parametrize("tag", worlds.TAGS, ids=goldens.name)
def test_backup_equals_risingwaves_own(tag: Path, server: Server, tmp_path: Path) -> None:
    """Row by row, byte by byte, from the golden rows of each engine."""
    data = (tag / worlds.FOLDERS[server.engine][0] / "data.sql").read_text()
    url = server.create("golden", worlds.schema(tag, server) + data)
    golden = metasnapshot.loads(golden_snapshot(tag, server).read_bytes())
    options = write_state(golden, tmp_path / "state")
    with server.admin("golden").connect() as connection:
        connection.exec_driver_sql("DELETE FROM hummock_version_delta")
    backups = Repository(LocalStore(tmp_path), "backup")
    with open_meta_store(url) as store:
        made = backup(store, backups, options).entry
    with (
        backups.open(made.id) as found,
        golden_snapshot(tag, server).open("rb") as file,
    ):
        compare(found, SnapshotReader(file), skipped=("hummock_sequences",))
