"""Ids of snapshots: 0 to ID_MAX, in names of files, documents and on the command line alike.

They come from a sequence that is an i64 (hummock_sequence), whose largest value can no longer be
followed by a next one.
"""

from __future__ import annotations

import re

ID_MAX = (1 << 63) - 2
NUMBER = r"0|[1-9][0-9]{0,18}"
"""An id as RisingWave writes it, and some numbers that are too large for one."""
_NUMBER = re.compile(NUMBER)


def parse_id(text: str) -> int | None:
    """The id that a text is; None if it is none, or not as RisingWave writes it."""
    if _NUMBER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if number <= ID_MAX else None
