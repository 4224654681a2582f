"""kill -9 at any step of expire, gc and rebuild-manifest: no good snapshot is lost, and a re-run
ends where a run that nobody disturbed does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import goldens
import msgspec
import pytest
from deaths import deaths

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.facts import FACTS_NAME
from metasnapshot.catalogue.ledger import LEDGER_NAME, Ledger, Verified, change_ledger
from metasnapshot.catalogue.manifest import MANIFEST_NAME, parse
from metasnapshot.catalogue.manifest_file import PREVIOUS_NAME
from metasnapshot.catalogue.rebuilder import Rebuilder
from metasnapshot.catalogue.repository import Repository
from metasnapshot.operations import expire as expiring
from metasnapshot.operations import gc as collecting
from metasnapshot.operations import rebuild as rebuilding
from metasnapshot.operations.delete import keep
from metasnapshot.operations.expire import Policy
from metasnapshot.store.local import LocalStore

TAG = goldens.SHIPPED / "v3.0.3"
DAY = timedelta(days=1)
OLD = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
YOUNG = OLD + 10 * DAY
NOW = YOUNG + DAY / 2
LEFTOVERS = ("10.reserved", "metasnapshot.trial-1", "metasnapshot.lease/1", ".metasnapshot-x7_k2")
FOREIGN = "notes.txt"


class World:
    """A directory that has seen many changes: 2, which is kept, 3 and 4 were taken at one time,
    and 7 later; nobody knows when 1 was. 3 and 7 were verified.
    """

    def __init__(self, path: Path) -> None:
        self.path = path / "backup"
        backups = goldens.copy_backups(TAG, path)
        self.edit(manifest_id=40)
        backups.refresh_manifest()
        snapshot = backups.get(2)
        for snapshot.id in (3, 4):
            changes.create(backups, snapshot, "made here")
        keep(backups, [2])
        note = Verified(OLD.isoformat(), "file", "0123456789abcdef")
        notes = {3: note, 7: note}
        change_ledger(backups.store, "backup", lambda ledger: ledger.verified.update(notes))

    def edit(self, **fields: Any) -> None:
        """Change what the manifest says."""
        manifest = msgspec.json.decode((self.path / MANIFEST_NAME).read_bytes())
        (self.path / MANIFEST_NAME).write_bytes(msgspec.json.encode(manifest | fields))

    @property
    def backups(self) -> Repository:
        return Repository(LocalStore(self.path.parent), "backup")

    @property
    def rebuilder(self) -> Rebuilder:
        return Rebuilder(LocalStore(self.path.parent), "backup")

    def expire(self) -> None:
        backups = self.backups
        expiring.expire(backups, expiring.judge(backups, Policy(keep_last=1)))

    def collect(self) -> None:
        backups = self.backups
        collecting.collect(backups, collecting.look(backups, DAY, NOW))

    def rebuild(self) -> None:
        """What the command does with --commit."""
        repository = self.rebuilder
        found = rebuilding.rebuild(repository)
        if not found.is_same:
            rebuilding.write(repository, found)

    def age(self, name: str, time: datetime) -> None:
        os.utime(self.path / name, (time.timestamp(), time.timestamp()))

    def put(self, name: str, data: bytes = b"x", time: datetime = OLD) -> None:
        (self.path / name).parent.mkdir(exist_ok=True)
        (self.path / name).write_bytes(data)
        self.age(name, time)

    def files(self) -> dict[str, bytes]:
        """All but the lock, whose text is for people."""
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in self.path.rglob("*")
            if path.is_file() and path.name != ".metasnapshot.lock"
        }

    def snapshots(self) -> dict[str, bytes]:
        return {name: data for name, data in self.files().items() if name.endswith(".snapshot")}

    def entered(self) -> tuple[int, ...]:
        """Ids in the manifest that stands there; none if there is none, or it is damaged."""
        return self.rebuilder.manifest().ids

    def expect_sound(self, ids: tuple[int, ...]) -> None:
        """The manifest has these snapshots and no other, and each can be read to its end."""
        backups = self.backups
        assert backups.manifest().ids == ids
        assert tuple(backups.get(number).id for number in ids) == ids


def without_temporaries(files: dict[str, bytes]) -> dict[str, bytes]:
    """What a write that died left beside them is for gc, once it is old."""
    return {name: data for name, data in files.items() if not name.startswith(".metasnapshot-")}


def test_expire(memory_path: Path) -> None:
    """What a rule keeps stays whole; what goes leaves the manifest first. The next run says what an
    undisturbed one says, and the files that no entry names any more are gc's.
    """
    whole = World(memory_path / "undisturbed")
    before = whole.snapshots()
    whole.expire()
    whole.expect_sound((1, 2, 7))
    points, died = deaths(World, World.expire, memory_path)
    for number in points:
        world = died(number)
        assert world.entered() in ((1, 2, 7, 3, 4), (1, 2, 7))
        assert {f"{n}.snapshot" for n in world.entered()} <= world.snapshots().keys()
        assert world.snapshots().items() <= before.items()
        world.expire()
        world.expect_sound((1, 2, 7))
        backups = world.backups
        later = datetime.now(UTC) + 2 * DAY
        collecting.collect(backups, collecting.look(backups, DAY, later))
        assert noted(world.files(), {1, 2, 7}) == noted(whole.files(), {1, 2, 7})


def noted(files: dict[str, bytes], ids: set[int]) -> Mapping[str, object]:
    """Files by name; of ledger and facts, what they say of these ids: notes of snapshots that are
    gone are dropped when their id is used again, and facts are of nobody then.
    """
    ledger = msgspec.json.decode(files[LEDGER_NAME], type=Ledger)
    about = {n: note for n, note in ledger.verified.items() if n in ids}
    facts = msgspec.json.decode(files[FACTS_NAME])["snapshots"]
    return files | {
        LEDGER_NAME: (ledger.kept, ledger.made, ledger.last_deleted, about),
        FACTS_NAME: {number: row for number, row in facts.items() if int(number) in ids},
    }


def littered(path: Path) -> World:
    """With files that no entry names, one of them young, what died processes left, and a file that
    is nobody's.
    """
    world = World(path)
    data = (world.path / "1.snapshot").read_bytes()
    for name in ("8.snapshot", "9.snapshot"):
        world.put(name, data)
    for name in LEFTOVERS:
        world.put(name)
    world.put("11.snapshot", data, YOUNG)
    world.put(FOREIGN)
    return world


def test_gc(memory_path: Path) -> None:
    """Whatever it came to, all that the manifest names is there, and so is what is young or
    foreign; the next run takes the rest.
    """
    whole = littered(memory_path / "undisturbed")
    before = whole.files()
    whole.collect()
    gone = {"8.snapshot", "9.snapshot", *LEFTOVERS}
    stays = {name: data for name, data in before.items() if name not in gone}
    assert whole.files() == stays
    points, died = deaths(littered, World.collect, memory_path)
    for number in points:
        world = died(number)
        assert stays.items() <= world.files().items() <= before.items()
        world.collect()
        assert world.files() == stays
        world.expect_sound((1, 2, 7, 3, 4))


def lost(world: World) -> None:
    """The manifest is gone, and so is the one before it."""
    (world.path / MANIFEST_NAME).unlink()
    (world.path / PREVIOUS_NAME).unlink()


def damaged(world: World) -> None:
    """The manifest ends early."""
    data = (world.path / MANIFEST_NAME).read_bytes()
    (world.path / MANIFEST_NAME).write_bytes(data[: len(data) // 2])


def wrong(world: World) -> None:
    """The manifest names one file that is gone, lacks one that is there, and lies about one."""
    manifest = msgspec.json.decode((world.path / MANIFEST_NAME).read_bytes())
    first, second, *rest = manifest["snapshot_metadata"]
    first["hummock_version_id"] += 1
    world.edit(snapshot_metadata=[first, *rest, second | {"id": 12}])


@pytest.mark.parametrize("spoil", [lost, damaged, wrong])
def test_rebuild_manifest(memory_path: Path, spoil: Callable[[World], None]) -> None:
    """No file is touched, and the manifest is the old one or the new one, never anything between;
    the next run makes the one that an undisturbed run makes.
    """

    def spoilt(path: Path) -> World:
        world = World(path)
        spoil(world)
        return world

    whole = spoilt(memory_path / "undisturbed")
    before = whole.files()
    whole.rebuild()
    after = whole.files()
    ids = parse(after[MANIFEST_NAME]).ids
    assert sorted(ids) == [1, 2, 3, 4, 7]
    points, died = deaths(spoilt, World.rebuild, memory_path)
    for number in points:
        world = died(number)
        now = without_temporaries(world.files())
        assert now.get(MANIFEST_NAME) in (before.get(MANIFEST_NAME), after[MANIFEST_NAME])
        assert world.snapshots() == whole.snapshots()
        world.rebuild()
        assert without_temporaries(world.files()) == after
        world.expect_sound(ids)
