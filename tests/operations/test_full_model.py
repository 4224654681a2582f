"""A random walk over full backups: no complete snapshot ever misses an object."""

from __future__ import annotations

import pytest
from exhaustive import WHOLE
from full_model import Model

SEEDS, STEPS = (20, 10_000) if WHOLE else (1, 600)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_complete_snapshot_ever_misses_an_object(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Backups, copies, expiry, gc by clocks that are wrong, two directories, ids that are given
    again; processes die at any call, stand still for longer than gc watches them, and meet.
    """
    model = Model(seed)
    model.patch(monkeypatch)
    for _ in range(STEPS):
        model.step()
    done = model.done
    model.end()
    for what in ("complete", "killed", "collected", "expire", "copied", "relive"):
        assert done[what] * 1000 > STEPS, (what, done)
    assert any(word.startswith("meanwhile still") for word in done)
    assert any(word.startswith("meanwhile beating") for word in done)
