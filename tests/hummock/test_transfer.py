"""One object from store to store: checked on its way, named when whole, never over another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import xxhash
from faults import Fault, FaultyStore
from golden_ssts import IDS, OBJECTS, facts, path

from metasnapshot.errors import ConflictError, DamageError, ObjectMissing, StorageError
from metasnapshot.hummock import transfer
from metasnapshot.hummock.objects import NeededObject
from metasnapshot.hummock.paths import DATA, GRAPH, VECTOR
from metasnapshot.hummock.transfer import (
    SMALL_MAX,
    STREAM_COST,
    Original,
    check_object,
    copy_object,
    cost_of,
    read_tail,
)
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import READ_MAX

FROM, TO = "hummock_001/9.data", "backup/objects/1/9.sst"
TAG, NUMBER = "v3.0.3", 108
BYTES = path(TAG, NUMBER).read_bytes()
META_OFFSET = facts(TAG)[NUMBER]["meta_offset"]
ITEM = NeededObject(9, DATA, len(BYTES), 1, META_OFFSET)


@pytest.fixture(params=["at once", "in pieces"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Objects of either size; the large ones in small pieces."""
    if request.param == "in pieces":
        monkeypatch.setattr(transfer, "SMALL_MAX", 0)
        monkeypatch.setattr(transfer, "PIECE_SIZE", 100)
    return request.param


def stores(data: bytes = BYTES) -> tuple[MemoryStore, MemoryStore]:
    source, target = MemoryStore(), MemoryStore()
    source.put_if_absent(FROM, data)
    return source, target


def objects(store: MemoryStore) -> dict[str, bytes]:
    return {head.path: store.read(head.path).data for head in store.list("")}


@pytest.mark.parametrize(("tag", "number"), OBJECTS, ids=IDS)
def test_a_golden_object_arrives(tag: str, number: int) -> None:
    """The same bytes under the new name, and their hash."""
    data, known = path(tag, number).read_bytes(), facts(tag)[number]
    source, target = stores(data)
    item = NeededObject(number, DATA, len(data), 1, known["meta_offset"])
    assert copy_object(Original(source, FROM, item), target, TO) == xxhash.xxh3_128_digest(data)
    assert objects(target) == {TO: data}
    assert check_object(Original(target, TO, item)) == xxhash.xxh3_128_digest(data)


@pytest.mark.parametrize("suffix", [VECTOR, GRAPH])
@pytest.mark.parametrize("data", [b"", b"x" * 1000])
def test_what_has_no_hashes_arrives(suffix: str, data: bytes) -> None:
    """Of vector files and graphs the size is checked, and the hash where it is known."""
    source, target = stores(data)
    item = NeededObject(9, suffix, len(data))
    found = xxhash.xxh3_128_digest(data)
    assert copy_object(Original(source, FROM, item, found), target, TO) == found
    assert objects(target) == {TO: data}
    with pytest.raises(DamageError):
        copy_object(Original(source, FROM, item, b"another"), MemoryStore(), TO)


def test_any_flipped_byte_stops_it() -> None:
    """A byte that is wrong in the source leaves nothing in the target."""
    for place in range(0, len(BYTES), 7):
        damaged = bytearray(BYTES)
        damaged[place] ^= 0x10
        source, target = stores(bytes(damaged))
        with pytest.raises(DamageError) as caught:
            copy_object(Original(source, FROM, ITEM), target, TO)
        assert FROM in str(caught.value)
        assert objects(target) == {}


CUTS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "half": lambda data: data[: len(data) // 2],
    "the last byte": lambda data: data[:-1],
    "one more": lambda data: data + b"\0",
    "twice": lambda data: data * 2,
}


@pytest.mark.parametrize("cut", CUTS)
def test_another_size_stops_it(cut: str) -> None:
    """A source that is cut, or goes on, is damaged; nothing gets a name."""
    source, target = stores(CUTS[cut](BYTES))
    with pytest.raises(DamageError):
        copy_object(Original(source, FROM, ITEM), target, TO)
    assert objects(target) == {}


def test_an_object_of_another_life_stops_it() -> None:
    """A sound SST of this id and size whose meta starts elsewhere is another object."""
    source, target = stores()
    other = ITEM._replace(meta_offset=META_OFFSET - 1)
    with pytest.raises(DamageError) as caught:
        copy_object(Original(source, FROM, other), target, TO)
    assert "another object of this id" in str(caught.value)
    assert objects(target) == {}


def test_a_known_hash_is_compared() -> None:
    """A sound SST that is not the one that was hashed does not pass."""
    source, target = stores()
    with pytest.raises(DamageError) as caught:
        copy_object(Original(source, FROM, ITEM, b"\1" * 16), target, TO)
    assert "when they were copied" in str(caught.value)
    assert objects(target) == {}


@pytest.mark.parametrize("fault", [Fault.SHORT, Fault.CUT])
def test_a_bad_read_is_made_again(fault: Fault, way: str) -> None:
    """A body that ends early once does not matter; twice it is the source's damage."""
    method = "read" if way == "at once" else "open_reader"
    fault = Fault.SHORT if way == "at once" else fault
    source, target = stores()
    faulty = FaultyStore(source)
    faulty.plan(method, 1, fault)
    found = copy_object(Original(faulty, FROM, ITEM), target, TO)
    assert (found, objects(target)) == (xxhash.xxh3_128_digest(BYTES), {TO: BYTES})
    for nth in (1, 2):
        faulty.plan(method, faulty.calls[method] + nth, fault)
    with pytest.raises(DamageError):
        copy_object(Original(faulty, FROM, ITEM), MemoryStore(), TO)


class _Flipping(MemoryStore):
    """A line that flips a bit of so many reads."""

    def __init__(self, flips: int) -> None:
        super().__init__()
        self.flips = flips

    def read(self, path: str, size_max: int = READ_MAX) -> Any:
        found = super().read(path, size_max)
        if not self.flips:
            return found
        self.flips -= 1
        return type(found)(found.data[:200] + b"\xff" + found.data[201:], found.etag)


@pytest.mark.parametrize(("flips", "arrives"), [(0, True), (1, True), (2, False)])
def test_a_flipped_bit_on_the_line(flips: int, *, arrives: bool) -> None:
    """Once, it is read again; always, the source is called damaged."""
    source, target = _Flipping(0), MemoryStore()
    source.put_if_absent(FROM, BYTES)
    source.flips = flips
    if arrives:
        copy_object(Original(source, FROM, ITEM), target, TO)
        assert objects(target) == {TO: BYTES}
    else:
        with pytest.raises(DamageError):
            copy_object(Original(source, FROM, ITEM), target, TO)
        assert objects(target) == {}


def test_an_original_that_vanished_is_missing() -> None:
    """It is told as what it is, and leaves nothing behind."""
    target = MemoryStore()
    with pytest.raises(ObjectMissing) as caught:
        copy_object(Original(MemoryStore(), FROM, ITEM), target, TO)
    assert (caught.value.path, objects(target)) == (FROM, {})


def test_a_second_copy_changes_nothing() -> None:
    """What has the name already and is this object is taken for the copy."""
    source, target = stores()
    first = copy_object(Original(source, FROM, ITEM), target, TO)
    assert copy_object(Original(source, FROM, ITEM), target, TO) == first
    assert objects(target) == {TO: BYTES}


@pytest.mark.parametrize("other", [b"", BYTES[:-1], bytes(len(BYTES)), BYTES[:-1] + b"\0"])
def test_another_object_under_the_name_stays(other: bytes) -> None:
    """Exit 11, and it keeps its bytes."""
    source, target = stores()
    target.put_if_absent(TO, other)
    with pytest.raises(ConflictError):
        copy_object(Original(source, FROM, ITEM), target, TO)
    assert objects(target) == {TO: other}


def test_a_lost_answer_is_no_failure(way: str) -> None:
    """A write that happened though its answer got lost fails; the next run takes what is there."""
    source, target = stores()
    faulty = FaultyStore(target)
    faulty.plan("put_if_absent" if way == "at once" else "open_writer", 1, Fault.AFTER)
    with pytest.raises(StorageError):
        copy_object(Original(source, FROM, ITEM), faulty, TO)
    assert copy_object(Original(source, FROM, ITEM), faulty, TO) == xxhash.xxh3_128_digest(BYTES)
    assert objects(target) == {TO: BYTES}


def test_bytes_are_asked_for_before_they_are_read() -> None:
    """The limit hears of every byte, in pieces no larger than what is read at once."""
    source, target = stores()
    asked: list[int] = []
    copy_object(Original(source, FROM, ITEM, take=asked.append), target, TO)
    assert sum(asked) >= len(BYTES)


def test_tails() -> None:
    """The last 24 bytes, or all that a smaller object has."""
    source, _ = stores()
    assert read_tail(source, FROM, len(BYTES)) == BYTES[-24:]
    source.put_if_absent("small", b"abc")
    assert read_tail(source, "small", 3) == b"abc"


def test_costs(way: str) -> None:
    """What is read at once costs its size, what passes in pieces the same for all."""
    assert cost_of(0) == 0
    assert cost_of(SMALL_MAX + 1) == STREAM_COST
    assert (cost_of(SMALL_MAX) == SMALL_MAX) is (way == "at once")
