"""`make demo`: a real RisingWave 3.0.3 meta store, backed up, listed, verified and restored.

Every command is the one that a user types; its output is shown as it is.
"""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from object_world import fill_logs, fill_message

from metasnapshot.format.hummock_version import VERSION, decode
from metasnapshot.format.messages import message_class
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.checkpoint import write_checkpoint
from metasnapshot.hummock.objects import needed_by
from metasnapshot.hummock.paths import object_path
from metasnapshot.store.local import LocalStore
from metasnapshot_models.layouts import LAYOUTS

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "v3.0.3"
DEMO = ROOT / "build" / "demo"
LAYOUT = LAYOUTS["3.0.1"]
DELTAS = "SELECT id, full_version_delta FROM hummock_version_delta"
CHANGE_DELTA = "UPDATE hummock_version_delta SET full_version_delta = ? WHERE id = ?"
METASNAPSHOT = Path(sys.executable).parent / "metasnapshot"


def main() -> int:
    prepare()
    say("A SQLite meta store of RisingWave 3.0.3 (test data, hence the odd names):")
    show_store("meta.db")
    say("Back it up, without a meta node; the version checkpoint is five deltas behind:")
    run("backup --meta-store sqlite:///meta.db --backup-storage-url fs://backups")
    run("list --backup-storage-url fs://backups")
    say("Is every byte and every row of it sound?")
    run("verify latest --backup-storage-url fs://backups")
    say("Would it have noticed a table that it does not know?")
    run("coverage --meta-store sqlite:///meta.db")
    say("The worst night of the year: the meta store is gone. An empty schema, and then:")
    run(
        "restore latest --meta-store sqlite:///restored.db --backup-storage-url fs://backups "
        "--hummock-storage-url fs://state"
    )
    show_store("restored.db")
    say("All that a snapshot holds is there; what coverage calls excluded is not. See build/demo.")
    return 0


def prepare() -> None:
    """Lay out build/demo: the meta store, its checkpoint, objects for it, and an empty schema.

    The store is RisingWave's. Its objects were gigabytes, and are made anew: small SSTs and index
    files, of which checkpoint, deltas and change logs say what is true.
    """
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir(parents=True)
    shutil.copyfile(GOLDEN / "meta.db", DEMO / "meta.db")
    objects: dict[int, bytes] = {}
    version = decode((GOLDEN / "hummock_version_base.pb").read_bytes(), VERSION, LAYOUT.era)
    fill_message(version, objects)
    write_checkpoint(LocalStore(DEMO / "state"), "hummock_001", version, LAYOUT)
    with closing(sqlite3.connect(DEMO / "meta.db")) as connection, connection:
        for number, data in connection.execute(DELTAS).fetchall():
            delta: Any = message_class("hummock.HummockVersionDelta", LAYOUT.era).FromString(data)
            fill_message(delta, objects)
            connection.execute(CHANGE_DELTA, (delta.SerializeToString(), number))
        fill_logs(connection, objects)
        connection.execute(
            "UPDATE system_parameter SET value = 'hummock+fs://state' WHERE name = 'state_store'"
        )
    with (GOLDEN / "backup" / "7.snapshot").open("rb") as file:
        for item in needed_by(SnapshotReader(file)):
            path = object_path("hummock_001", item.id, item.suffix, prefixed=False)
            (DEMO / "state" / path).write_bytes(objects[item.id])
    with closing(sqlite3.connect(DEMO / "restored.db")) as connection:
        connection.executescript((GOLDEN / "schema.sqlite.sql").read_text(encoding="utf-8"))


def show_store(name: str) -> None:
    """A few facts of a meta store, read with SQLite itself."""
    with sqlite3.connect(f"file:{DEMO / name}?mode=ro", uri=True) as connection:
        names = [
            row[0]
            for row in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        counts = [connection.execute(f'SELECT count(*) FROM "{table}"') for table in names]
        rows = sum(count.fetchone()[0] for count in counts)
        found = connection.execute('SELECT name FROM "table" ORDER BY table_id LIMIT 3').fetchall()
    connection.close()
    shown = ", ".join(repr(row[0]) for row in found)
    print(f"   {name}: {len(names)} meta tables with {rows} rows; user tables {shown}, ...\n")


def say(text: str) -> None:
    print(f"\n== {text}\n", flush=True)


def run(arguments: str) -> None:
    """Run a command in build/demo and show it with its output; a failure ends the demo."""
    print(f"$ metasnapshot {arguments}", flush=True)
    subprocess.run([METASNAPSHOT, *shlex.split(arguments)], cwd=DEMO, check=True)
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
