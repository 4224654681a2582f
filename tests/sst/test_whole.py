"""The quick check of an object in memory: what it takes, it has proved."""

from __future__ import annotations

import io

import pytest
import xxhash
from golden_ssts import IDS, OBJECTS, facts, path
from hypothesis import given
from hypothesis import strategies as st
from sst_checks import error_of, pair
from sst_writer import reseal

from metasnapshot.sst import whole
from metasnapshot.sst.frame import check_frame
from metasnapshot.sst.meta import read_meta
from metasnapshot.sst.whole import check_whole


@pytest.mark.parametrize(("tag", "number"), OBJECTS, ids=IDS)
def test_what_risingwave_wrote_passes_quickly(
    tag: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every golden object of version 2 is taken without the slow check, and hashed rightly."""
    known, data = facts(tag)[number], path(tag, number).read_bytes()
    if known["version"] == 2:
        monkeypatch.delattr(whole, "check_frame")
    found = check_whole(memoryview(data))
    assert found == (known["meta_offset"], xxhash.xxh3_128_digest(data))


@given(st.data())
def test_what_is_taken_quickly_is_sound(data: st.DataObject) -> None:
    """Whatever bytes of an object are changed, and sealed again or not: the quick check takes
    nothing that the slow one refuses, and says the same of it.
    """
    sst = pair()
    sst.version = data.draw(st.sampled_from([1, 2]))
    found = bytearray(sst.data())
    offset = read_meta(io.BytesIO(bytes(found)), len(found)).tail.meta_offset
    start = data.draw(st.sampled_from([0, offset]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(start, len(found) - 1))
        found[at] = data.draw(st.sampled_from([0, 1, 255, found[at] ^ 1, found[at] ^ 128]))
    if data.draw(st.booleans()):
        found = found[: data.draw(st.integers(0, len(found)))]
    changed = bytes(found)
    if data.draw(st.booleans()) and len(changed) > 24:
        changed = reseal(changed, offset)
    slow = error_of(check_frame, io.BytesIO(changed), len(changed), "x")
    quick = error_of(check_whole, changed, "x")
    assert (type(quick), str(quick)) == (type(slow), str(slow))


@pytest.mark.parametrize("count", [1, 4, 8, 400])
def test_bytes_behind_the_keys_are_not_taken_quickly(count: int) -> None:
    """A meta that is sealed and goes on behind its last figure is refused in the same words."""
    data = pair().data()
    offset = read_meta(io.BytesIO(data), len(data)).tail.meta_offset
    changed = reseal(data[:-24] + bytes(count) + data[-24:], offset)
    slow = error_of(check_frame, io.BytesIO(changed), len(changed), "x")
    assert isinstance(slow, Exception)
    assert str(error_of(check_whole, changed, "x")) == str(slow)
