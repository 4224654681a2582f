"""What RisingWave's own code wrote: files that tests compare with, by release tag.

A part of them is shipped in tests/golden. The whole set may stand beside the checkout, in any
sibling folder that has golden/ and facts/; then the tests check all of it."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import metasnapshot
from metasnapshot.catalogue.repository import Repository
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.checkpoint import write_checkpoint
from metasnapshot.hummock.objects import needed_by
from metasnapshot.hummock.paths import object_path
from metasnapshot.store.local import LocalStore
from metasnapshot_models.layouts import LAYOUTS

SHIPPED = Path(__file__).parent / "golden"
DATA_DIRECTORY = "hummock_001"


def reference() -> Path | None:
    """The folder beside the checkout that holds the whole set, if there is one."""
    beside = Path(__file__).parents[2]
    found = [path for path in sorted(beside.iterdir()) if (path / "golden").is_dir()]
    return next((path for path in found if (path / "facts").is_dir()), None)


def _root() -> Path:
    found = reference()
    return SHIPPED if found is None else found / "golden"


TAGS = sorted(path.parent.parent for path in _root().glob("*/backup/manifest.json"))
"""One folder per release tag."""
SNAPSHOTS = sorted(
    path for tag in TAGS for path in tag.glob("*/*.snapshot") if path.parent.name != "v1"
)
"""V2 snapshots of all tags."""
V1_SNAPSHOTS = sorted(path for tag in TAGS for path in tag.glob("v1/*.snapshot"))
STORES = [tag for tag in TAGS if (tag / "meta.db").exists()]
"""Tags with the SQLite meta store that snapshot 7 was taken from."""
SMALL = SHIPPED / "v3.0.3" / "backup" / "1.snapshot"
"""A small snapshot: a 3.0.3 cluster right after its first start."""


def name(path: Path) -> str:
    """A test's id for a golden path: its last parts."""
    parts = path.parts[path.parts.index("golden") + 1 :]
    return "/".join(parts)


def restored(tag: Path) -> Path:
    """The SQLite file that upstream's restore of snapshot 2 made."""
    return next(
        path
        for path in (tag / "restored" / "restored.2.db", tag / "restored.2.db")
        if path.exists()
    )


def expected(tag: Path, number: int) -> Path:
    """The rows of snapshot `number` as RisingWave's encoder wrote them."""
    return tag / f"expected.{number}.json"


def copy_store(tag: Path, target: Path) -> Path:
    """A writable copy of a tag's meta store."""
    shutil.copyfile(tag / "meta.db", target)
    target.chmod(0o644)
    return target


def migrations(tag: Path) -> list[str]:
    """Names of a tag's migrations, as its folder has them."""
    if (tag / "migrations.txt").exists():
        return (tag / "migrations.txt").read_text().split()
    return re.findall(r"^- name: (\w+)", (tag / "migrations.yaml").read_text(), re.MULTILINE)


def empty_store(tag: Path, target: Path) -> Path:
    """A copy of a tag's meta store with all tables emptied."""
    copy_store(tag, target)
    with sqlite3.connect(target) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        for (table,) in tables:
            connection.execute(f'DELETE FROM "{table}"')
    connection.close()
    return target


def copy_backups(tag: Path, target: Path) -> Repository:
    """A repository with a tag's snapshots 1, 2 and 7."""
    for path in (tag / "backup").iterdir():
        (target / "backup").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / "backup" / path.name)
    _of_one_cluster(target / "backup")
    return Repository(LocalStore(target), "backup")


def _of_one_cluster(folder: Path) -> None:
    """Golden snapshot 1 is of a cluster of its own; let it be of that of the others."""
    first, last = (
        metasnapshot.loads((folder / name).read_bytes()) for name in ("1.snapshot", "7.snapshot")
    )
    first.sections["clusters"] = last.sections["clusters"]
    (folder / "1.snapshot").write_bytes(metasnapshot.dumps(first))


def write_state(tag: Path, target: Path) -> LocalStore:
    """A state store whose checkpoint has the version of a tag's snapshot 7."""
    snapshot = metasnapshot.loads((tag / "backup" / "7.snapshot").read_bytes())
    store = LocalStore(target)
    version = snapshot.hummock_version.message
    write_checkpoint(store, DATA_DIRECTORY, version, LAYOUTS[snapshot.layout])
    return store


def lay_out(tag: Path, target: Path) -> Path:
    """A cluster in a directory: meta.db, its state store, and empty.db to restore into."""
    copy_store(tag, target / "meta.db")
    empty_store(tag, target / "empty.db")
    write_state(tag, target / "state")
    with closing(sqlite3.connect(target / "meta.db")) as connection, connection:
        connection.execute(
            "UPDATE system_parameter SET value = 'hummock+fs://state' WHERE name = 'state_store'"
        )
    return target


def write_objects(reader: SnapshotReader, state: Path, directory: str = DATA_DIRECTORY) -> Path:
    """Lay out the objects that a snapshot needs, as holes of their sizes; the first one's path."""
    paths: list[Path] = []
    for item in needed_by(reader):
        paths.append(state / object_path(directory, item.id, item.suffix, prefixed=False))
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        with paths[-1].open("wb") as file:
            file.truncate(item.size)
    return paths[0]


def point_to_state(snapshots: Repository, state: Path, numbers: tuple[int, ...]) -> None:
    """Rewrite snapshots so that their state store is a local one; ids and all other rows stay."""
    for number in numbers:
        snapshot = snapshots.get(number)
        for row in snapshot.sections["system_parameters"]:
            if row.name == "state_store":
                row.value = f"hummock+fs://{state}"
        path = Path(snapshots.store.url.removeprefix("fs://")) / snapshots.path(number)
        path.write_bytes(metasnapshot.dumps(snapshot))
