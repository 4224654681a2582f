"""backup --with-objects beside a cluster that compacts and collects while its objects are copied:
complete with what a newer snapshot needs, or 17; never complete and short.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from exhaustive import WHOLE
from object_world import ObjectWorld
from shell import Shell

from metasnapshot.catalogue.area import look_for
from metasnapshot.catalogue.full import read_full
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import AuthenticationError
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup_full import FullResult, backup_full
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.crew import ROUNDS, Pace
from metasnapshot.operations.rounds import Round, hasty_objects, in_haste, is_lost, why_no_more
from metasnapshot.store.local import LocalStore
from metasnapshot.store.port import READ_MAX, StoredObject
from metasnapshot.store.through import Through

ONE = Pace(jobs=1)
FIRST = 90_000


class Disturbed(Through):
    """A state store that lets others act before an object is read."""

    def __init__(self, inner: LocalStore, act: Callable[[], object]) -> None:
        super().__init__(inner)
        self._act = act

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        if path.endswith((".data", ".vector", ".hnsw_graph")):
            self._act()
        return super().read(path, size_max)


class Living(ObjectWorld):
    """A cluster at work: each of its SSTs is rewritten in turn, and the old one collected."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.source = Disturbed(LocalStore(self.state), self._tick)
        self.backups = LocalStore(path / "backups")
        self.reads = 0
        self.act: Callable[[int], object] = lambda _: None
        self.next_id = FIRST
        for _ in range(4):
            self.write()

    def write(self, size: int = 0) -> int:
        self.next_id += 1
        self.add_sst(self.next_id, size)
        return self.next_id

    def compact(self, object_id: int, size: int = 0) -> None:
        """Another object takes the place of one, which is collected at once."""
        self.write(size)
        self.remove_sst(object_id)
        del self.objects[object_id]

    def backup(self, rounds: int = ROUNDS) -> FullResult:
        with open_meta_store(f"sqlite:///{self.meta}") as meta_store:
            found = Repository(self.backups, "backup")
            return backup_full(
                meta_store, found, BackupOptions(), ONE, self.source, rounds_max=rounds
            )

    def _tick(self) -> None:
        self.reads += 1
        self.act(self.reads)

    def expect_whole(self, done: FullResult) -> None:
        """What the side file names is what its snapshot needs, and all of it is there."""
        full = read_full(self.backups, "backup", done.backup.entry.id)
        assert full is not None
        assert list(full.objects.ids) == list(done.backup.needed.ids)
        assert all(look_for(self.backups, "backup", full.objects).seen)


@pytest.fixture
def world(tmp_path: Path) -> Living:
    return Living(tmp_path)


def reads_of(path: Path) -> int:
    """Reads of the state store by a backup that nobody disturbs."""
    quiet = Living(path)
    assert quiet.backup().complete
    return quiet.reads


READS = 20
"""At least so many does one have."""


@pytest.mark.parametrize("nth", range(1, READS) if WHOLE else [1, 2, 3, 5, 9, 15])
def test_a_collection_inside_the_nth_read(world: Living, nth: int) -> None:
    """Whatever is collected at that moment: the backup ends complete, and whole. One snapshot is
    left, which is full.
    """

    def act(now: int) -> None:
        if now == nth:
            for number in range(FIRST + 1, FIRST + 5):
                world.compact(number)

    world.act = act
    done = world.backup()
    assert done.complete
    assert done.error is None
    world.expect_whole(done)
    assert Repository(world.backups, "backup").manifest().ids == (done.backup.entry.id,)


def test_most_reads_are_disturbed(tmp_path: Path) -> None:
    """The test above is about reads that happen, and about rounds after the first."""
    assert reads_of(tmp_path / "quiet") > READS
    world = Living(tmp_path / "living")

    def act(now: int) -> None:
        if now == 3:
            for number in range(FIRST + 1, FIRST + 5):
                world.compact(number)

    world.act = act
    assert world.backup().rounds == 2


def test_a_writer_that_is_always_faster(world: Living) -> None:
    """Exit 17 with both speeds, once a round has no less to copy; what was copied stays, the last
    snapshot is partial, and no side file is there. The next backup goes on from there.
    """

    def act(_: int) -> None:
        kept = [number for number in world.objects if number > FIRST]
        world.compact(kept[-1], 60_000)

    world.act = act
    done = world.backup()
    assert not done.complete
    error = done.error
    assert error is not None
    assert error.exit_code == 17
    assert "cannot keep up" in str(error)
    assert str(error).count("MB/s") == 2
    assert "--jobs" in error.hint
    assert done.rounds < ROUNDS
    assert list(world.path.rglob("*.full")) == []
    assert Repository(world.backups, "backup").manifest().ids == (done.backup.entry.id,)
    world.act = lambda _: None
    again = world.backup()
    assert (again.complete, again.rounds) == (True, 1)
    assert again.reused > READS / 2


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_rounds_are_bounded(world: Living, rounds: int) -> None:
    """Each round vanishes something and is smaller than the one before: 17 after so many."""

    def act(now: int) -> None:
        kept = [number for number in world.objects if number > FIRST]
        if kept and now % 5 == 0:
            world.remove_sst(kept[0])
            del world.objects[kept[0]]

    world.act = act
    for number in range(8):
        world.write(50_000 - 5_000 * number)
    done = world.backup(rounds)
    assert (done.complete, done.rounds) in ((False, rounds), (True, done.rounds))
    if not done.complete:
        assert done.error is not None
        assert done.error.exit_code == 17


def test_a_lost_object_is_no_race(world: Living) -> None:
    """What the newer snapshot needs too was not collected: it is named after two rounds, 17."""
    item = world.needed[2]
    world.place(item.id).unlink()
    done = world.backup()
    assert (done.complete, done.rounds, done.stopped) == (False, 2, None)
    assert done.error is not None
    assert str(item.id) in str(done.error)


def test_a_snapshot_that_cannot_go_is_told(world: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that may not delete: the backup is complete all the same, and says what stays."""

    def denied(_: LocalStore, path: str) -> None:
        if path.endswith(".snapshot"):
            raise AuthenticationError("may not delete")

    monkeypatch.setattr(LocalStore, "delete", denied)
    world.act = lambda now: world.compact(FIRST + 1) if now == 2 else None
    done = world.backup()
    assert done.complete
    if done.rounds > 1:
        assert "may not delete" in done.problems[0]


def test_the_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--rounds wants --with-objects and one round at least; JSON says how many it took."""
    shell = Shell(tmp_path, capsys)
    world = ObjectWorld(tmp_path)
    there = ("--backup-storage-url", f"fs://{tmp_path}/backups")
    store = ("--meta-store", f"sqlite:///{world.meta}", *there)
    assert shell.run("backup", *store, "--rounds", "2")[0] == 2
    assert shell.run("backup", *store, "--with-objects", "--rounds", "0")[0] == 2
    code, found = shell.answer("backup", *store, "--with-objects", "--rounds", "2")
    assert (code, found["rounds"], found["complete"]) == (0, 1, True)


def test_what_is_collected_first_is_copied_first(world: Living) -> None:
    """Level 0 and internal tables, then the others, each by rising size."""
    done = world.backup()
    with Repository(world.backups, "backup").open(done.backup.entry.id) as reader:
        hasty = hasty_objects(reader)
    young = {
        sst.object_id
        for levels in world.version.levels.values()
        for sub in levels.l0.sub_levels
        for sst in sub.table_infos
    }
    assert young <= hasty
    needed = NeededObjects([NeededObject(n, "data", size) for n, size in ((1, 9), (2, 5), (3, 7))])
    assert in_haste(range(3), needed, {3}) == [2, 1, 0]


CASES = [
    ([Round(9, 9, 1.0)], 5, None),
    ([Round(9, 9, 1.0)], 1, "in each of 1 rounds"),
    ([Round(9, 9, 1.0), Round(8, 8, 1.0)], 5, None),
    ([Round(9, 9, 1.0), Round(9, 8, 1.0, 9, 1.0)], 5, "had 9 bytes to copy, after 9"),
    ([Round(9, 9, 1.0), Round(10, 8, 1.0, 9, 1.0)], 5, "had 10 bytes to copy, after 9"),
    ([Round(9, 9, 1.0), Round(8, 8, 0.0, 9, 1.0)], 2, "in each of 2 rounds"),
    ([Round(n, n, 1.0) for n in (9, 8, 7, 6, 5)], 5, "in each of 5 rounds"),
    ([Round(n, n, 1.0) for n in (9, 8, 7, 6)], 5, None),
]


@pytest.mark.parametrize(("rounds", "most", "said"), CASES)
def test_when_to_stop(rounds: list[Round], most: int, said: str | None) -> None:
    """After so many rounds, or one that did not get smaller."""
    error = why_no_more(rounds, most)
    assert (error is None) == (said is None)
    assert said is None or said in str(error)


def test_when_an_object_is_lost() -> None:
    """If it was missing twice running."""
    one, two = Round(1, 0, 0.0, vanished=frozenset({1})), Round(1, 0, 0.0, vanished=frozenset({2}))
    assert [is_lost([one]), is_lost([one, two]), is_lost([one, two, two])] == [False, False, True]
