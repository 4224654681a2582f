"""Ids of snapshots: 0 to ID_MAX, in names of files, documents and on the command line alike.

They come from a sequence that is an i64 (hummock_sequence), whose largest value can no longer be
followed by a next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from metasnapshot.errors import DamageError

ID_MAX = (1 << 63) - 2
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


def following_id(sequence: int, taken: Mapping[str, Iterable[int]]) -> int:
    """The next id: a sequence's, or one more than the largest that is or was taken.

    Args:
        sequence: meta_backup of the meta store.
        taken: ids, by the words for where they stand.

    Raises:
        DamageError: no id is left.
    """
    largest = {where: max(ids, default=0) for where, ids in taken.items()}
    largest["sequence meta_backup of the meta store"] = sequence - 1
    where = max(largest, key=lambda name: largest[name])
    if largest[where] >= ID_MAX:
        raise DamageError(
            f"no id is left for a snapshot: {where} has {largest[where]}, and {ID_MAX} is the last",
            hint="no cluster reaches such ids: repair or move away what the error names",
        )
    return max(1, largest[where] + 1)


def id_in(name: str, suffix: str) -> int | None:
    """The id in a name `{id}.{suffix}`; None if it is no such name."""
    text, dot, rest = name.partition(".")
    return parse_id(text) if dot and rest == suffix else None


def parse_id(text: str) -> int | None:
    """The id that a text is; None if it is none, or not as RisingWave writes it."""
    if _NUMBER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if number <= ID_MAX else None
