"""backup --as-delta: small where it can be, plain where not; what goes leaves the others sound."""

from __future__ import annotations

from pathlib import Path

import pytest
from delta_world import DeltaWorld

from metasnapshot.catalogue.ledger import read_ledger
from metasnapshot.catalogue.records import Records
from metasnapshot.errors import DamageError, RetentionLocked, UsageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.operations.check import check
from metasnapshot.operations.delete import delete, keep
from metasnapshot.operations.drill import drill
from metasnapshot.operations.expire import Policy, expire, judge
from metasnapshot.operations.rounds import drop
from metasnapshot.operations.verify import verify


@pytest.fixture
def world(tmp_path: Path) -> DeltaWorld:
    return DeltaWorld(tmp_path)


def test_the_first_is_plain_and_the_next_are_deltas(world: DeltaWorld) -> None:
    """There is nothing to be a delta of at first; then each is one of the newest plain one."""
    first, second, third = (world.back_up() for _ in range(3))
    assert (None, first.entry.id, first.entry.id) == (first.base, second.base, third.base)
    assert world.backups.manifest().ids == (first.entry.id,)
    assert second.stored < second.size // 10


def test_every_so_many_th_is_plain(world: DeltaWorld) -> None:
    """--full-every counts the plain one too."""
    kinds = [world.back_up(full_every=3).base is None for _ in range(7)]
    assert kinds == [True, False, False, True, False, False, True]


def test_deltas_that_expired_count(world: DeltaWorld) -> None:
    """A base is not kept for ever because its deltas are thinned out."""
    made = world.fill(3, full_every=4)
    delete(world.backups, made[1:])
    assert [made[0], None] == [world.back_up(full_every=4).base for _ in range(2)]


def test_full_every_1_makes_no_deltas(world: DeltaWorld) -> None:
    """Each is the first of one."""
    assert [world.back_up(full_every=1).base for _ in range(2)] == [None, None]


def test_below_1_is_refused() -> None:
    """There is no such number."""
    with pytest.raises(UsageError):
        BackupOptions(full_every=0)


def test_each_is_verified_and_drilled_like_a_plain_one(world: DeltaWorld) -> None:
    """A delta restores: rows come back as they were."""
    made = world.fill(3)
    for number in made:
        assert verify(world.backups, number, "refs").error is None
    assert drill(world.backups, made[-1]).differences == ()
    assert check(world.backups, None, 3).problems == ()


def test_a_damaged_base_makes_a_plain_one(world: DeltaWorld) -> None:
    """What nothing can be rebuilt from is no base; the operator is told."""
    first = world.back_up().entry.id
    path = world.path / "backup" / f"{first}.snapshot"
    data = bytearray(path.read_bytes())
    data[9000] ^= 1
    path.write_bytes(data)
    made = world.back_up()
    assert made.base is None
    assert any(f"snapshot {first} is no base" in text for text in made.warnings)


def test_a_base_that_is_gone_makes_a_plain_one(world: DeltaWorld) -> None:
    """As after a risectl that died half-way."""
    first = world.back_up().entry.id
    (world.path / "backup" / f"{first}.snapshot").unlink()
    assert world.back_up().base is None


def test_a_dry_run_writes_nothing(world: DeltaWorld) -> None:
    """Neither a delta nor a mark."""
    world.back_up()
    before = {file: file.read_bytes() for file in (world.path / "backup").iterdir()}
    with open_meta_store(f"sqlite:///{world.store}") as store:
        options = BackupOptions(
            f"fs://{world.path}/state", "hummock_001", as_delta=True, dry_run=True
        )
        backup(store, world.backups, options)
    assert before == {file: file.read_bytes() for file in (world.path / "backup").iterdir()}


def test_delete_of_a_base_rewrites_its_heirs(world: DeltaWorld) -> None:
    """The oldest heir becomes plain and the base of the others; each comes back as it was."""
    made = world.fill(5)
    before = world.plain_bytes()
    delete(world.backups, [made[0]])
    after = world.plain_bytes()
    assert {number: before[number] for number in made[1:]} == after
    first, *others = made[1:]
    assert {f"{first}.snapshot", *(f"{number}.delta" for number in others)} == world.names()
    assert world.backups.manifest().ids == (first,)
    assert read_ledger(world.backups.store, "backup").kept == [first]
    assert check(world.backups, None, 4).problems == ()


@pytest.mark.parametrize("places", [[1], [2], [1, 2]])
def test_what_a_killed_delete_left_is_no_snapshot_again(
    world: DeltaWorld, places: list[int]
) -> None:
    """The delta of an heir that is plain by now goes before its plain file does."""
    ids = world.fill(3)
    left = world.path / "backup" / f"{ids[1]}.delta"
    data = left.read_bytes()
    delete(world.backups, ids[:1])
    left.write_bytes(data)
    gone = {ids[place] for place in places}
    delete(world.backups, gone)
    assert set(world.plain_bytes()) == {*ids[1:]} - gone


def test_delete_of_a_base_and_some_heirs(world: DeltaWorld) -> None:
    """Those that go with it are not rewritten; one that stays alone needs no mark."""
    made = world.fill(4)
    before = world.plain_bytes()
    delete(world.backups, made[:3])
    assert {made[3]: before[made[3]]} == world.plain_bytes()
    assert {f"{made[3]}.snapshot"} == world.names()
    assert read_ledger(world.backups.store, "backup").kept == []


def test_delete_of_all(world: DeltaWorld) -> None:
    """Nothing is rewritten that goes as well."""
    made = world.fill(3)
    delete(world.backups, made)
    assert set() == world.names()
    assert world.backups.ids == ()


def test_the_snapshot_of_an_earlier_round_may_be_a_base(world: DeltaWorld) -> None:
    """A full backup drops it for the newer one, which becomes a plain snapshot by that."""
    made = world.fill(2)
    before = world.plain_bytes()
    assert drop(world.backups, made[0]) == []
    assert {made[1]: before[made[1]]} == world.plain_bytes()
    assert {f"{made[1]}.snapshot"} == world.names()


def test_a_base_that_the_operator_keeps_is_not_deleted(world: DeltaWorld) -> None:
    """16, and no heir is touched."""
    made = world.fill(3)
    keep(world.backups, [made[0]])
    names = world.names()
    with pytest.raises(RetentionLocked):
        delete(world.backups, [made[0]])
    assert names == world.names()


def test_marks_and_notes_of_an_heir_outlive_its_rewriting(world: DeltaWorld) -> None:
    """What the operator kept as a delta is kept as a plain file, and what was verified stays so."""
    made = world.fill(3)
    keep(world.backups, [made[1]])
    verify(world.backups, made[1], "rows")
    noted = Records(world.backups).ledger.verified
    delete(world.backups, [made[0]])
    records = Records(world.backups)
    assert {made[1]} == records.kept
    assert noted == records.ledger.verified
    with pytest.raises(RetentionLocked):
        delete(world.backups, [made[1]])


def test_an_heir_that_cannot_be_rebuilt_stops_the_delete(world: DeltaWorld) -> None:
    """The base stays as long as a damaged heir might need it."""
    made = world.fill(3)
    path = world.path / "backup" / f"{made[1]}.delta"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamageError, match=rf"{made[1]}\.delta"):
        delete(world.backups, [made[0]])
    assert made[0] in world.backups.manifest().ids


def test_expire_rewrites_heirs_too(world: DeltaWorld) -> None:
    """A base that no rule keeps goes; the deltas that stay come back."""
    made = world.fill(5)
    before = world.plain_bytes()
    gone = expire(world.backups, judge(world.backups, Policy(keep_last=2)))
    assert made[:3] == sorted(entry.id for entry in gone)
    assert {number: before[number] for number in made[3:]} == world.plain_bytes()


def test_a_base_with_several_generations(world: DeltaWorld) -> None:
    """Only the heirs of what goes are rewritten."""
    made = world.fill(6, full_every=3)
    before = world.plain_bytes()
    delete(world.backups, [made[0]])
    assert {number: before[number] for number in made[1:]} == world.plain_bytes()
    assert {made[1], made[3]} == set(world.backups.manifest().ids)
