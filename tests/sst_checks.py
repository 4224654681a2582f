"""Checks of whole SSTs, in each way that there is, which must agree to the word."""

from __future__ import annotations

import io
from collections.abc import Callable

from sst_writer import LZ4, ZSTD, Sst, put

from metasnapshot.errors import MetasnapshotError
from metasnapshot.sst.frame import check_frame
from metasnapshot.sst.whole import check_whole


def pair() -> Sst:
    """An object of three blocks of two tables."""
    sst = Sst(filter=b"\x01\x02\xff")
    sst.add(7, [put(b"\x00\x01k%02d" % i, 1 << 16, b"v" * i) for i in range(30)], LZ4)
    sst.add(7, [put(b"\x00\x02k%02d" % i, 1 << 16, b"v" * i) for i in range(30)], ZSTD)
    sst.add(9, [put(b"\x00\x00", 1 << 16, b"")])
    return sst


def check(data: bytes) -> None:
    """Either way of checking an object, which must agree to the word."""
    slow = error_of(check_frame, io.BytesIO(data), len(data), "x.data")
    quick = error_of(check_whole, data, "x.data")
    assert (type(quick), str(quick)) == (type(slow), str(slow))
    if slow is not None:
        raise slow


def error_of(look: Callable[..., object], *arguments: object) -> MetasnapshotError | None:
    """What a look at an object finds."""
    try:
        look(*arguments)
    except MetasnapshotError as error:
        return error
    return None
