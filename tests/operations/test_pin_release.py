"""The release of what a meta node pinned: refused, asked for in vain, or asked too early."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from clock import Clock
from pinned_world import PinnedWorld

from metasnapshot.errors import (
    ConflictError,
    MetaNodeError,
    MetaNodeUnavailable,
    MetasnapshotError,
)
from metasnapshot.operations import pinning

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def world(tmp_path: Path) -> PinnedWorld:
    return PinnedWorld(tmp_path)


def test_a_delete_that_is_refused(world: PinnedWorld) -> None:
    """The backup is complete, and says what stays; the note stays too, and the next one releases
    both.
    """
    world.node.refuses = MetaNodeError("no")
    done = world.backup()
    assert (done.complete, done.pinned) == (True, True)
    assert "may stay there: no" in done.warnings[0]
    assert (world.node.ids, len(world.pins)) == ([8], 1)
    again = world.backup()
    assert again.complete
    assert any("killed backup" in text for text in again.warnings)
    assert len(world.pins) == 2
    world.node.refuses = None
    world.backup()
    assert (world.node.ids, world.pins, world.full_ids) == ([], [], [8, 9, 10])


@pytest.mark.parametrize("error", [MetaNodeError("too many"), ConflictError("another job")])
def test_a_node_that_refuses(world: PinnedWorld, error: MetasnapshotError, clock: Clock) -> None:
    """Nobody waits for what was never begun, and no note is left."""

    def refuse(_: str | None) -> int:
        raise error

    world.node.start = refuse  # type: ignore[method-assign]
    before = clock.now
    with pytest.raises(type(error)):
        world.backup()
    assert clock.now == before
    assert (world.node.ids, world.pins, world.copies()) == ([], [], set())


@pytest.mark.parametrize("late_s", [1.0, 5.0, pinning.RELEASE_WAIT_S - 1, 1e6])
def test_a_node_that_answers_late(world: PinnedWorld, clock: Clock, late_s: float) -> None:
    """Its answer to BackupMeta is lost and its snapshot comes later: it is released if it comes
    soon, and by the next run if not.
    """
    start, until = world.node.start, 0.0

    def lost(remarks: str | None) -> int:
        nonlocal until
        start(remarks)
        until = clock.now + late_s
        raise MetaNodeUnavailable("no answer")

    def come() -> None:
        if clock.now >= until:
            world.node.end_job()

    world.node.start = lost  # type: ignore[method-assign]
    clock.meanwhile = come
    with pytest.raises(MetaNodeUnavailable) as caught:
        world.backup()
    comes_soon = late_s < pinning.RELEASE_WAIT_S
    assert (len(world.pins), world.node.ids) == (int(not comes_soon), [])
    assert ("may stay there" in caught.value.hint) != comes_soon
    world.node.start = start  # type: ignore[method-assign]
    done = world.backup()
    assert (done.complete, done.warnings) == (True, ())
    assert (world.node.ids, world.pins) == ([], [])


def away(world: PinnedWorld, clock: Clock, until: float) -> Callable[[], object]:
    """From the last listing of the area on nobody answers, until then."""

    def step() -> None:
        if world.copies() and clock.now < until:
            raise MetaNodeUnavailable("gone")

    return step


@pytest.mark.parametrize("away_s", [3.0, 1e6])
def test_a_node_that_is_away_at_the_end(world: PinnedWorld, clock: Clock, away_s: float) -> None:
    """The release waits a while; then the note stays for the next run."""
    world.node.step = away(world, clock, clock.now + away_s)
    done = world.backup()
    comes_back = away_s < pinning.RELEASE_WAIT_S
    assert (done.complete, done.pinned) == (True, not comes_back)
    assert len(world.pins) == int(not comes_back)
    world.live_on()
    world.backup()
    assert (world.node.ids, world.pins) == ([], [])
