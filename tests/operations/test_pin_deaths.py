"""Deaths of a full backup by way of a meta node, before and after each question to the node and
each call of the store: what one left pinned the next one releases, and what is called full is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from clock import Clock
from deaths import spread
from exhaustive import WHOLE
from pinned_world import Died, PinnedWorld

from metasnapshot.catalogue.pin import Pin, new_token, pin_path, token_in, with_token
from metasnapshot.operations.gc_objects import WATCHED_S
from metasnapshot.operations.verify import verify
from metasnapshot.operations.verify_content import ContentCheck
from metasnapshot.store.lock import Holder

pytestmark = pytest.mark.usefixtures("clock")

GONE = (1 << 22) - 1
"""A process that there is not: numbers begin from below."""


def expect_sound(world: PinnedWorld) -> None:
    """Every full snapshot has all its objects, with their bytes."""
    for number in world.full_ids:
        found = verify(world.repository, number, "file", content=ContentCheck("area"))
        assert found.error is None


def steps_of(path: Path, *, keep_pin: bool) -> int:
    world = PinnedWorld(path)
    count = world.kill_at(None)
    world.backup(keep_pin=keep_pin)
    return count()


@pytest.mark.parametrize("keep_pin", [False, True])
def test_at_every_step(tmp_path: Path, keep_pin: bool) -> None:  # noqa: FBT001 - a case
    """The node is slow too: its snapshot may come after the death. When the next two backups are
    through, the node has no snapshot but one that was complete and to be kept, and no note is left.
    """
    steps = steps_of(tmp_path / "count", keep_pin=keep_pin)
    assert steps > 70
    for at in spread(steps)[:: 1 if WHOLE else 3]:
        world = PinnedWorld(tmp_path / str(at))
        world.node.is_slow = bool(at % 2)
        world.kill_at(at)
        with pytest.raises(Died):
            world.backup(keep_pin=keep_pin)
        world.live_on()
        expect_sound(world)
        was_full = world.full_ids
        done = world.backup()
        assert (done.complete, done.pinned, done.warnings) == (True, False, ()), at
        assert set(world.node.ids) <= (set(was_full) if keep_pin else set()), at
        assert (world.pins, world.copies()) == ([], {item.id for item in world.needed}), at
        expect_sound(world)


def left(world: PinnedWorld, holder: Holder, *, is_kept: bool = False) -> str:
    """What a killed process left: a note, and a snapshot of the node; gives the token."""
    token = new_token()
    pin = Pin(holder, is_kept=is_kept)
    world.target.inner.put_if_absent(pin_path("full", token), msgspec.json.encode(pin))
    world.node.start(with_token(None, token))
    world.node.end_job()
    return token


def beating(world: PinnedWorld, token: str) -> Callable[[], None]:
    """Its beat moves."""
    beat = 0

    def act() -> None:
        nonlocal beat
        beat += 1
        path, store = pin_path("full", token), world.target.inner
        if store.head(path) is not None:
            data = msgspec.json.encode(Pin(Holder(1, "elsewhere", ""), beat))
            store.put_if_match(path, data, store.read(path).etag)

    return act


def test_of_this_host(tmp_path: Path, clock: Clock) -> None:
    """A process that is gone is not watched: nobody waits."""
    world = PinnedWorld(tmp_path)
    left(world, Holder(GONE, os.uname().nodename, ""))
    before = clock.now
    assert world.backup().complete
    assert (clock.now, world.node.ids, world.pins) == (before, [], [])


def test_of_other_hosts(tmp_path: Path, clock: Clock) -> None:
    """A beat that stands still for two lives is dead, and all of them are watched together; one
    that moves is alive, and keeps its snapshot.
    """
    world = PinnedWorld(tmp_path)
    for number in range(3):
        left(world, Holder(1, f"pod-{number}", ""))
    token = left(world, Holder(1, "elsewhere", ""))
    clock.meanwhile = beating(world, token)
    before = clock.now
    assert world.backup().complete
    assert (world.node.ids, world.pins) == ([11], [token])
    assert WATCHED_S <= clock.now - before < 2 * WATCHED_S


def test_one_that_was_to_be_kept(tmp_path: Path) -> None:
    """Its backup is not complete, so it goes."""
    world = PinnedWorld(tmp_path)
    left(world, Holder(GONE, os.uname().nodename, ""), is_kept=True)
    assert world.backup().complete
    assert (world.node.ids, world.pins) == ([], [])


def test_one_that_was_to_be_kept_and_is_complete(tmp_path: Path) -> None:
    """Who died between the side file and the end of the note asked for the pin: it stays, and the
    note goes.
    """
    world = PinnedWorld(tmp_path)
    assert world.backup(keep_pin=True).complete
    (kept,) = world.node.manifest()[1]
    token = token_in(kept.remarks)
    assert token is not None
    pin = Pin(Holder(GONE, os.uname().nodename, ""), is_kept=True)
    world.target.inner.put_if_absent(pin_path("full", token), msgspec.json.encode(pin))
    assert world.backup().complete
    assert (world.node.ids, world.pins) == ([kept.id], [])


def test_a_note_that_is_damaged(tmp_path: Path) -> None:
    """Nobody knows whether it was to be kept: it stays, and is told."""
    world = PinnedWorld(tmp_path)
    token = left(world, Holder(GONE, os.uname().nodename, ""))
    path = pin_path("full", token)
    world.target.inner.delete(path)
    world.target.inner.put_if_absent(path, b"{")
    done = world.backup()
    assert done.complete
    assert "is damaged" in done.warnings[0]
    assert (world.node.ids, world.pins) == ([8], [token])
