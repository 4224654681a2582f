"""The kernel that decides the speed: bytes <-> the text of a JSON array of integers, `[255,0,128]`.

Blobs stand in a row as such arrays, 3 to 4 characters a byte, and make up most of a snapshot.
orjson writes them from a numpy view of the bytes; long ones are read with numpy, short ones with
orjson, whichever is faster at that length. Reading accepts only what RisingWave writes: no spaces,
no leading zeros, 0 to 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

U8 = np.uint8
DECODE_SHORT = 1500
"""Characters below which orjson decodes faster."""
_COMMA = 252
"""`,` less `0`, modulo 256: what a comma becomes when digits become 0 to 9."""


def decode(row: bytes, start: int, end: int) -> bytes:
    """Decode row[start:end], the inside of an array.

    Raises:
        ValueError: the text is not a canonical list of integers from 0 to 255.
    """
    if end - start < DECODE_SHORT:
        return _decode_short(b"[%b]" % row[start:end])
    return _decode_long(np.frombuffer(row, U8, end - start, start))


def decode_many(texts: Sequence[bytes]) -> list[bytes]:
    """Decode the insides of many arrays; short ones joined by commas, as the one array that they
    are then.

    Raises:
        ValueError: one of them is not a canonical list of integers from 0 to 255.
    """
    short = b",".join([text for text in texts if 0 < len(text) < DECODE_SHORT])
    numbers = _decode_long(np.frombuffer(short, U8)) if short else b""
    found: list[bytes] = []
    position = 0
    for text in texts:
        if len(text) >= DECODE_SHORT:
            found.append(_decode_long(np.frombuffer(text, U8)))
        elif text:
            end = position + text.count(b",") + 1
            found.append(numbers[position:end])
            position = end
        else:
            found.append(b"")
    return found


def encode(data: bytes) -> bytes:
    """Encode bytes as an array."""
    return orjson.dumps(np.frombuffer(data, U8), option=orjson.OPT_SERIALIZE_NUMPY)


def _decode_short(text: bytes) -> bytes:
    try:
        data = bytes(orjson.loads(text))
    except (ValueError, TypeError) as error:
        raise ValueError("not an array of integers from 0 to 255") from error
    if encode(data) != text:
        raise ValueError("an array of integers in a form that RisingWave does not write")
    return data


def _decode_long(text: NDArray[Any]) -> bytes:
    """Every position at once: the value of the number that ends there, then only the real ends are
    kept.

    With digits as 0 to 9 and commas as 0, a number's value is last + 10 * the digit before + 100 *
    the one before that, where the hundreds count only if no comma lies between. Of two positions
    that follow each other one at most is an end, so that half as many are looked through for them.
    """
    size = len(text)
    digits = np.empty(size + 3 + size % 2, U8)  # two commas before, one or two after: even
    digits[:2] = digits[size + 2 :] = _COMMA
    np.subtract(text, ord("0"), out=digits[2 : size + 2])
    ones = (digits < 10).view(U8)  # noqa: PLR2004 - ten digits
    digits *= ones
    values = digits[:-3] * ones[1:-2]
    values *= ones[2:-1]  # a comma's own position has no hundreds
    hundreds_max = int(values.max())
    values *= U8(10)
    values += digits[1:-2]
    values *= U8(10)
    values += digits[2:-1]
    ends = ones[2:-1] > ones[3:]
    values *= ends.view(U8)
    twos = values.view(np.uint16)
    twos |= twos >> np.uint16(8)
    numbers = twos.astype(U8).take(np.flatnonzero(ends.view(np.uint16) != 0))
    _check(text, numbers, hundreds_max)
    return numbers.tobytes()


def _check(text: NDArray[Any], numbers: NDArray[Any], hundreds_max: int) -> None:
    """Accept exactly the canonical text of `numbers`.

    There is a number before and after every comma; and the other characters are as many as the
    digits that the numbers need, which leaves no room for anything else, a leading zero, a fourth
    digit or a value over 255 (300 would have become 44); only values from 356 on could hide behind
    as many digits, so the hundreds are looked at.
    """
    comma_count = int(np.count_nonzero(text == ord(",")))
    needed = (
        len(numbers)
        + int(np.count_nonzero(numbers >= 10))  # noqa: PLR2004 - two digits
        + int(np.count_nonzero(numbers >= 100))  # noqa: PLR2004 - three digits
    )
    is_whole = len(numbers) == comma_count + 1 and len(text) - comma_count == needed
    if not is_whole or hundreds_max > 2:  # noqa: PLR2004 - 255
        raise ValueError("not an array of integers from 0 to 255 as RisingWave writes it")
