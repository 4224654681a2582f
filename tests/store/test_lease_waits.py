"""How long a lease is waited for, and when its holder or a claim is taken for dead."""

from __future__ import annotations

import msgspec
import pytest
from clock import Clock
from store.test_lease import PlainMemory, claim, claims

from metasnapshot.errors import ConflictError, StorageError
from metasnapshot.store import lease as module
from metasnapshot.store.lease import Claim, LeasedStore, leased
from metasnapshot.store.lock import Holder


@pytest.fixture
def plain() -> PlainMemory:
    return PlainMemory()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The lease's clock: a second passes between two looks, and no time otherwise."""
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    monkeypatch.setattr(module, "POLL_S", 1.0)
    return made


@pytest.mark.parametrize("number", [0, 1])
def test_who_waits_is_told_for_whom(plain: PlainMemory, clock: Clock, number: int) -> None:
    """After its time, not before; also if that one is still choosing its number."""
    path = claim(plain, "other", number)
    with (
        pytest.raises(ConflictError, match="memory, d is leased by process 4711 on elsewhere"),
        leased(plain, "d", wait_s=5),
    ):
        pytest.fail("two hold it")
    assert clock.pauses == [1.0] * 6
    assert claims(plain) == [path]


@pytest.mark.parametrize("number", [0, 1])
def test_a_claim_that_stays_the_same_is_taken_away(
    plain: PlainMemory, clock: Clock, number: int
) -> None:
    """Its process died; nobody waits for it longer than it may live."""
    claim(plain, "other", number)
    with leased(plain, "d"):
        assert len(clock.pauses) == module.CLAIM_LIFE_S + 1
        assert len(claims(plain)) == 1
    assert claims(plain) == []


def test_a_claim_that_changes_lives(plain: PlainMemory, clock: Clock) -> None:
    """By the clock of who waits, whatever time the claim says; also if it changes once in its
    life, and however many lives the wait takes.
    """
    path = claim(plain, "other", 1)

    def beat() -> None:
        if len(clock.pauses) % (module.CLAIM_LIFE_S - 1) == 0:
            holder = Holder(len(clock.pauses), "elsewhere", "")
            plain.put(path, msgspec.json.encode(Claim(1, holder)))

    clock.meanwhile = beat
    wait_s = 5 * module.CLAIM_LIFE_S
    with pytest.raises(ConflictError), leased(plain, "d", wait_s=wait_s):
        pytest.fail("two hold it")
    assert path in claims(plain)
    assert len(clock.pauses) > wait_s


def test_nothing_is_written_behind_the_fence(plain: PlainMemory, clock: Clock) -> None:
    """Who held the lease for half a claim's life may be taken for dead, and must not write."""
    store = LeasedStore(plain)
    etag = store.put_if_absent("d/x", b"1")
    start = clock.now

    def later(seconds: float) -> None:
        clock.now = start + seconds

    with store.exclusive("d/x"):
        later(module.CLAIM_LIFE_S / 2 + 0.1)
        with pytest.raises(StorageError, match="the lease for d/x is too old"):
            store.put_if_match("d/x", b"2", etag)
        with pytest.raises(StorageError, match="the lease for d/y is too old"):
            store.put_if_absent("d/y", b"2")
        assert (plain.read("d/x").data, plain.head("d/y")) == (b"1", None)
        later(module.CLAIM_LIFE_S / 3)
        store.put_if_match("d/x", b"3", etag)
    assert plain.read("d/x").data == b"3"


def test_whoever_waits_renews_its_claim(plain: PlainMemory, clock: Clock) -> None:
    """However long it waits for others, and for the dead: nobody who looks sees its claim the same
    for as long as a claim lives.
    """
    dead = claim(plain, "dead", 1)
    living = claim(plain, "living", 2)
    seen: dict[bytes, float] = {}
    longest = 0.0

    def look() -> None:
        nonlocal longest
        plain.put(living, msgspec.json.encode(Claim(2, Holder(len(clock.pauses), "x", ""))))
        (own,) = set(claims(plain)) - {dead, living}
        first = seen.setdefault(plain.read(own).data, clock.now)
        longest = max(longest, clock.now - first)
        if len(clock.pauses) == 4 * module.CLAIM_LIFE_S:
            plain.delete(living)

    clock.meanwhile = look
    with leased(plain, "d", wait_s=10 * module.CLAIM_LIFE_S):
        assert len(clock.pauses) == 4 * module.CLAIM_LIFE_S
    assert 0 < longest <= module.CLAIM_LIFE_S / module.BEATS + 1
    assert claims(plain) == []
