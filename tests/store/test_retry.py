"""How long the pauses before further tries are."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from metasnapshot.store.retry import RetryPolicy

POLICY = RetryPolicy(retries=6, backoff_s=1.0, backoff_max_s=10.0)
LONGEST = [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_pauses_grow_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is at most twice the one before; none is longer than the policy has it."""
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    assert list(POLICY.pauses()) == LONGEST


def test_pauses_have_a_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the longest: the dice cannot make it none at all."""
    monkeypatch.setattr(random, "uniform", lambda least, _: least)
    shortest = list(POLICY.pauses())
    assert shortest == [pause / 2 for pause in LONGEST]
    assert all(before <= after for before, after in pairwise(shortest))


def test_pauses_have_jitter() -> None:
    """Whoever failed at the same moment comes back at another, within the same bounds."""
    found = [tuple(POLICY.pauses()) for _ in range(50)]
    assert len(set(found)) == len(found)
    for pauses in found:
        assert all(most / 2 <= pause <= most for pause, most in zip(pauses, LONGEST, strict=True))


@pytest.mark.parametrize("retries", [0, 1, 100])
def test_there_is_a_pause_before_each_further_try(retries: int) -> None:
    """And none before the first, or after the last."""
    assert len(list(RetryPolicy(retries=retries).pauses())) == retries
