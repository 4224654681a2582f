"""Generated input for the benchmark: a blob-heavy snapshot of layout 3.0.1, of any size, made from
a golden one."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure
import msgspec
import numpy as np

import metasnapshot
from metasnapshot import Blob, MetaSnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.entry import new_entry
from metasnapshot.catalogue.manifest import Manifest, render
from metasnapshot.catalogue.repository import Repository
from metasnapshot.format.layout import HUMMOCK_VERSION, section_names
from metasnapshot.format.writer import SnapshotWriter
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations import backup as backup_operation
from metasnapshot.operations import verify as verify_operation
from metasnapshot.operations.restore import restoration as restore_operation
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.verify import Level
from metasnapshot.store.local import LocalStore
from metasnapshot_models.layouts import LAYOUTS
from metasnapshot_models.models import Fragment

GOLDEN = Path(__file__).parents[1] / "golden" / "v3.0.3"
STATE_STORE = "hummock+fs://state"
BLOB_SIZE = 20_000
"""Bytes of a fragment's stream_node, about what RisingWave's are."""
TEXT_PER_BYTE = 3.57
"""Characters that a random byte takes in a row, its comma included."""


def write_snapshot(path: Path, size: int) -> None:
    """Write a snapshot of about `size` bytes: the golden one with many more fragments."""
    golden = metasnapshot.loads((GOLDEN / "backup" / "2.snapshot").read_bytes())
    for row in golden.sections["system_parameters"]:
        if row.name == "state_store":
            row.value = STATE_STORE
    count = max(1, round(size / (BLOB_SIZE * TEXT_PER_BYTE)))
    layout = LAYOUTS[golden.layout]
    with path.open("wb") as file:
        writer = SnapshotWriter(file, golden.id, layout)
        for section in section_names(layout):
            if section == HUMMOCK_VERSION:
                writer.write_hummock_version(golden.hummock_version)
            elif section == "fragments":
                template = golden.sections[section]
                rows = len(template) + count
                writer.write_section(section, rows, _fragments(golden, template, count))
            else:
                writer.write_section(
                    section, len(golden.sections[section]), golden.sections[section]
                )
        writer.finish()


def _fragments(golden: MetaSnapshot, rows: list[Any], count: int) -> Iterator[Fragment]:
    yield from rows
    random = np.random.default_rng(7)
    job_id = golden.sections["streaming_jobs"][0].job_id
    first = 1_000_000
    known = {row.fragment_id for row in rows}
    numbers = (number for number in range(first, 1 << 31) if number not in known)
    for _, number in zip(range(count), numbers, strict=False):
        data = random.integers(0, 256, BLOB_SIZE, dtype=np.uint8).tobytes()
        yield msgspec.structs.replace(
            rows[0], fragment_id=number, job_id=job_id, stream_node=Blob(data)
        )


def write_manifest(path: Path) -> None:
    """A manifest beside a snapshot that names it."""
    with metasnapshot.open(path) as reader:
        layout = LAYOUTS[reader.layout]
        version = reader.hummock_version.message
        entry = new_entry(reader.id, version, [], layout, None, None)
    manifest = Manifest().with_entry(entry)
    (path.parent / "manifest.json").write_bytes(render(manifest))


def repository() -> Repository:
    return Repository(LocalStore(Path()), "backup")


def verify(level: Level) -> None:
    """Verify the snapshot in the working directory."""
    result = verify_operation.verify(repository(), 2, level)
    assert result.error is None, result.error


def restore(folder: Path, number: int = 2) -> None:
    """Restore it, or another one, into a new SQLite file."""
    path = folder / "restored.db"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript((GOLDEN / "schema.sqlite.sql").read_text(encoding="utf-8"))
    connection.close()
    with open_meta_store(f"sqlite:///{path}") as store:
        options = RestoreOptions("fs://state", "hummock_001", no_object_check=True)
        restore_operation.restore(repository(), store, number, options)


def backup(folder: Path) -> None:
    """Back up what was restored; the backup is deleted again."""
    found = repository()
    with open_meta_store(f"sqlite:///{folder / 'restored.db'}") as store:
        result = backup_operation.backup(store, found)
    changes.delete(found, [result.entry.id])


def main() -> int:
    """Run one job and print the peak RSS of this process."""
    job, folder = sys.argv[1], Path(sys.argv[2])
    if job == "verify":
        verify("rows")
    elif job == "restore":
        restore(folder)
    else:
        backup(folder)
    print(json.dumps({"job": job, "peak_kib": measure.own_peak_kib()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
