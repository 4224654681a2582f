"""The blob kernel: exactly the arrays that RisingWave writes, at every length around its
thresholds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metasnapshot.format import blobs

LENGTHS = [0, 1, 2, 3, 374, 375, 376, 499, 500, 501, 749, 750, 751, 2001]


def reference(data: bytes) -> bytes:
    return json.dumps(list(data), separators=(",", ":")).encode()[1:-1]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    "pattern", [b"\0", b"\x09", b"\x0a", b"\x63", b"\x64", b"\xff", bytes(range(256))]
)
def test_both_ways_at_every_length(length: int, pattern: bytes) -> None:
    """Encoding gives the text that json gives; decoding gives the bytes back."""
    data = (pattern * length)[:length]
    array = blobs.encode(data)
    assert array[1:-1] == reference(data)
    assert blobs.decode(array, 1, len(array) - 1) == data


@given(st.binary(max_size=2000))
def test_any_bytes_come_back(data: bytes) -> None:
    """Random bytes of any length."""
    array = blobs.encode(data)
    assert array[1:-1] == reference(data)
    assert blobs.decode(array, 1, len(array) - 1) == data


def test_every_token_of_up_to_four_digits() -> None:
    """Of all numbers of one to four characters, with leading zeros, exactly 0 to 255 in canonical
    form are accepted."""
    filler = b",".join([b"200"] * 500)
    canonical = {b"%d" % value for value in range(256)}
    tokens = [b"%0*d" % (width, value) for width in range(1, 5) for value in range(10**width)]
    for token in tokens[::1]:
        for text in (token + b"," + filler, filler + b"," + token):
            assert _is_accepted(text) == (token in canonical), token


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b",",
        b"1,",
        b",1",
        b"1,,2",
        b"1 ,2",
        b" 1",
        b"-1",
        b"1.0",
        b"a",
        b"1\n",
        b"+1",
        b"\xff",
        b"[1",
        b"1e2",
        b"/",
        b":",
    ],
)
@pytest.mark.parametrize("place", ["first", "middle", "last", "alone"])
def test_what_is_no_list_of_bytes(bad: bytes, place: str) -> None:
    """Anything but canonical integers is refused, in short and in long arrays, wherever it
    stands."""
    filler = b",".join([b"17"] * 800)
    texts = {
        "first": bad + b"," + filler,
        "middle": filler + b"," + bad + b"," + filler,
        "last": filler + b"," + bad,
        "alone": bad,
    }
    assert _is_accepted(texts[place]) == (place == "alone" and bad == b"")


def _is_accepted(text: bytes) -> bool:
    try:
        decoded = blobs.decode(text, 0, len(text))
    except ValueError:
        return False
    assert reference(decoded) == text, "taken for something else"
    return True
