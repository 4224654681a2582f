"""backup --with-objects by way of a meta node: what it makes is pinned while it is copied, and
released in any case; never complete and short.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pinned_world import LocalNode, PinnedWorld

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.full import read_full
from metasnapshot.catalogue.pin import token_in, with_token
from metasnapshot.errors import (
    AuthenticationError,
    ConflictError,
    UsageError,
)
from metasnapshot.operations.verify import verify
from metasnapshot.operations.verify_content import ContentCheck

pytestmark = pytest.mark.usefixtures("clock")

OTHER = "00000000-0000-4000-8000-00000000000b"
LATE = 90_001


@pytest.fixture
def world(tmp_path: Path) -> PinnedWorld:
    made = PinnedWorld(tmp_path)
    made.add_sst(LATE)
    return made


def expect_nothing(world: PinnedWorld) -> None:
    """No pin, no note, no snapshot, no object."""
    assert (world.node.ids, world.pins, world.repository.manifest().ids) == ([], [], ())
    assert world.copies() == set()


def test_it_is_full_and_released(world: PinnedWorld) -> None:
    """The node's id, its bytes, every object; the node's own snapshot and the note are gone."""
    done = world.backup(remarks="nightly")
    assert (done.entry.id, done.complete, done.pinned, done.warnings) == (8, True, False, ())
    assert (done.error, done.copied, done.reused) == (None, len(world.needed), 0)
    assert (world.node.ids, world.pins) == ([], [])
    assert world.full_ids == [8]
    assert (world.repository.entry(8).remarks or "").startswith("nightly [metasnapshot pin ")
    found = verify(world.repository, 8, "rows", content=ContentCheck("area"))
    assert found.error is None
    full = read_full(world.target.inner, "full", 8)
    assert full is not None
    assert list(full.objects.ids) == [item.id for item in world.needed]


def test_a_second_copies_the_difference(world: PinnedWorld) -> None:
    """Objects of the first are reused."""
    world.backup()
    world.add_sst(LATE + 1)
    done = world.backup()
    assert (done.entry.id, done.copied, done.reused) == (9, 1, len(world.needed) - 1)
    assert world.full_ids == [8, 9]


def test_what_is_pinned_does_not_vanish(world: PinnedWorld) -> None:
    """The cluster compacts, and collects before every call of the backup's store: what only the
    pin holds is there until it was copied, and goes when it is released.
    """
    compacted = False

    def act() -> None:
        nonlocal compacted
        if "wait" in world.node.asked and not compacted:
            compacted = True
            world.compact(LATE)
        world.node.collect()

    world.target.meanwhile = act
    done = world.backup()
    assert (done.complete, compacted) == (True, True)
    assert LATE in world.copies()
    assert LATE not in world.objects


def test_a_pin_that_is_kept(world: PinnedWorld) -> None:
    """Two runs with --keep-pin: the node has both snapshots still, no note is left, and the next
    run without it releases its own alone.
    """
    assert world.backup(keep_pin=True).pinned
    assert world.backup(keep_pin=True).pinned
    assert (world.node.ids, world.pins) == ([8, 9], [])
    assert not world.backup().pinned
    assert (world.node.ids, world.pins, world.full_ids) == ([8, 9], [], [8, 9, 10])


def test_what_failed_is_not_kept(world: PinnedWorld) -> None:
    """--keep-pin is for what is complete."""
    world.place(LATE).write_bytes(b"damaged")
    done = world.backup(keep_pin=True)
    assert done.error is not None
    assert (done.error.exit_code, done.complete, done.pinned) == (4, False, False)
    assert (world.node.ids, world.pins, world.full_ids) == ([], [], [])


@pytest.mark.parametrize("taken", ["manifest", "deleted", "file", "reserved", "full", "copying"])
@pytest.mark.parametrize("keep_pin", [False, True])
def test_an_id_that_is_not_above_all_is_11(
    world: PinnedWorld,
    taken: str,
    keep_pin: bool,  # noqa: FBT001 - cases
) -> None:
    """Before anything is copied, and the node's snapshot goes."""
    store = world.target.inner
    if taken in {"manifest", "deleted"}:
        world.backup()
        world.node.sequence = 8
        if taken == "deleted":
            changes.delete(world.repository, [8])
    else:
        store.put_if_absent(f"full/8.{taken}" if taken != "file" else "full/8.snapshot", b"")
        store.put_if_absent("full/manifest.json", b'{"manifest_id":1,"snapshot_metadata":[]}')
    before = {head.path for head in store.list("full/")}
    world.node.sequence = 8 if taken != "manifest" else 7
    with pytest.raises(ConflictError, match="must be above all others") as caught:
        world.backup(keep_pin=keep_pin)
    assert "a directory for each way" in caught.value.hint
    assert {head.path for head in store.list("full/")} == before
    assert (world.node.ids, world.pins) == ([], [])


def test_another_cluster_is_11(world: PinnedWorld) -> None:
    """The directory is another cluster's: the node is not asked for a snapshot. It says one
    cluster, and its snapshot is of another: nothing is copied, and that snapshot goes.
    """
    world.node.cluster = OTHER
    with pytest.raises(ConflictError, match=OTHER):
        world.backup()
    expect_nothing(world)
    assert world.node.asked.count("start") == 1
    world.node.cluster = None
    world.backup()
    world.node.cluster = OTHER
    with pytest.raises(ConflictError, match="is of cluster"):
        world.backup()
    assert world.node.asked.count("start") == 2


def test_only_what_carries_the_token_is_deleted(world: PinnedWorld) -> None:
    """An address that leads to another cluster's node in the middle: the snapshot of that id there
    stays, and so do all others.
    """
    world.node.sequence = 8
    other = LocalNode(world)
    for _ in range(3):
        other.start("somebody's")
        other.end_job()

    def swap() -> None:
        if "wait" in world.node.asked:
            world.node.own = other.own

    world.node.step = swap
    done = world.backup()
    assert other.ids == [8, 9, 10]
    assert (done.complete, done.pinned) == (True, True)
    assert "snapshot 8 there does not carry the remarks" in done.warnings[0]


def test_a_node_that_keeps_no_remarks(world: PinnedWorld) -> None:
    """Whose snapshot it is nobody can say, so it stays, and that is told."""
    world.node.keeps_remarks = False
    done = world.backup()
    assert (done.complete, done.pinned, world.node.ids) == (True, True, [8])
    assert "does not carry the remarks" in done.warnings[0]


def test_the_nodes_own_directory(world: PinnedWorld) -> None:
    """What is released there would be gone, so it is 2 without --keep-pin, before the node is
    asked; with it the node's own snapshot becomes a full one.
    """
    world.target = own = type(world.target)(world.node.own.store)
    place = {"backup_storage_url": own.url, "backup_storage_directory": "full"}
    plain = world.node.parameters
    world.node.parameters = lambda: plain() | place  # type: ignore[method-assign]
    world.node.own = type(world.node.own)(own.inner, "full")
    with pytest.raises(UsageError, match="own backup directory"):
        world.backup()
    assert "start" not in world.node.asked
    done = world.backup(keep_pin=True)
    assert (done.complete, world.full_ids, world.node.ids) == (True, [8], [8])
    assert world.backup(keep_pin=True).complete
    assert world.full_ids == [8, 9]


def test_a_node_that_says_nothing(world: PinnedWorld) -> None:
    """Where its backups lie nobody knows: 2, and it is not asked for one."""
    world.node.parameters = dict  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="where its backups lie"):
        world.backup()
    assert "start" not in world.node.asked


def restarted(world: PinnedWorld) -> None:
    """The node lost its snapshot, compacted and collected."""
    world.node.drop(world.node.ids)
    world.compact(LATE)
    world.node.collect()


def test_a_pin_that_is_lost(world: PinnedWorld) -> None:
    """An object that vanished is named, 17, and the reason too; there is no side file. The next
    backup is complete.
    """
    reads = 0

    def act() -> None:
        nonlocal reads
        reads += 1
        if reads == 30:
            restarted(world)

    world.target.meanwhile = act
    done = world.backup()
    assert reads > 30
    error = done.error
    assert error is not None
    assert (error.exit_code, done.complete) == (17, False)
    assert str(LATE) in str(error)
    assert "does not have its snapshot any more" in done.warnings[0]
    assert (world.full_ids, world.pins) == ([], [])
    world.live_on()
    assert world.backup().complete


def test_a_pin_that_is_lost_when_all_is_copied(world: PinnedWorld) -> None:
    """Nothing vanished: what is in the area is whole, and so is the backup."""
    world.backup()

    def act() -> None:
        if world.node.ids and world.target.inner.head("full/9.copying") is not None:
            restarted(world)

    world.target.meanwhile = act
    done = world.backup()
    assert (done.complete, done.copied) == (True, 0)


def test_who_may_not_write_asks_for_nothing(
    world: PinnedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note cannot be made: no snapshot either."""

    def denied(_: str, __: bytes) -> str:
        raise AuthenticationError("read only")

    monkeypatch.setattr(world.target, "put_if_absent", denied)
    with pytest.raises(AuthenticationError):
        world.backup()
    assert "start" not in world.node.asked


def test_a_token_in_remarks() -> None:
    """What somebody wrote is never taken for a token of ours, whatever it looks like."""
    token = "0123456789abcdef" * 2
    assert token_in(with_token(None, token)) == token
    assert token_in(with_token("nightly", token)) == token
    assert token_in(with_token("[metasnapshot pin x]", token)) == token
    for text in (None, "", "nightly", token, "[metasnapshot pin]", f"[metasnapshot pin {token}0]"):
        assert token_in(text) is None
