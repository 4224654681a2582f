"""The fingerprints of many rows, in a file by parts of their keys: all of one key are in one part.
So two sides are compared a part at a time, after each was read once.

A record has no value of a row but its key; the file is in a directory of this user alone, which
goes with the process.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import xxhash

from metasnapshot.errors import StorageError
from metasnapshot.store.scratch import scratch_directory

Key = tuple[Any, ...]
Fingerprint = tuple[tuple[str, ...], bytes]
"""Names of columns, and a hash of 8 bytes for each."""
Keyed = tuple[Key, Fingerprint]
HELD_ROWS = 20_000
"""Rows that wait in memory to be written."""
_Record = tuple[tuple[Any, ...], int, bytes]
"""Key, the number of its columns' names, and their hashes."""
_decode = msgspec.msgpack.Decoder(list[_Record]).decode
_encode = msgspec.msgpack.Encoder().encode


class Parts:
    """Rows of one side."""

    def __init__(self, file: BinaryIO, count: int, rows: Iterable[Keyed]) -> None:
        """Write them all.

        Args:
            file: an empty one.
            count: of parts.
            rows: of the side, in any order.
        """
        self._file, self._end = file, 0
        self._places: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self._names: dict[tuple[str, ...], int] = {}
        held: list[list[_Record]] = [[] for _ in range(count)]
        for number, (key, (names, hashes)) in enumerate(rows, 1):
            named = self._names.setdefault(names, len(self._names))
            held[_part_of(key, count)].append((key, named, hashes))
            if number % HELD_ROWS == 0:
                self._write(held)
        self._write(held)

    def _write(self, held: list[list[_Record]]) -> None:
        for records, places in zip(held, self._places, strict=True):
            if records:
                data = _encode(records)
                with _room():
                    self._file.write(data)
                places.append((self._end, len(data)))
                self._end += len(data)
                records.clear()
        with _room():
            self._file.flush()

    def read(self, part: int) -> Iterator[Keyed]:
        """The rows of a part, in their order."""
        names = list(self._names)
        for start, size in self._places[part]:
            with _room():
                self._file.seek(start)
                data = self._file.read(size)
            for key, number, hashes in _decode(data):
                yield key, (names[number], hashes)


@contextmanager
def in_parts(
    before: Iterable[Keyed], after: Iterable[Keyed], count: int
) -> Generator[Iterator[tuple[Iterator[Keyed], Iterator[Keyed]]]]:
    """Both sides' rows, part by part, as long as the block lasts.

    Args:
        before: the rows of one side, read once.
        after: the rows of the other, read once.
        count: of parts.

    Raises:
        StorageError: there is no room for them.
    """
    with ExitStack() as stack:
        with _room():
            folder: Path = stack.enter_context(scratch_directory("diff"))
            files = [stack.enter_context((folder / name).open("x+b")) for name in ("a", "b")]
        sides = [
            Parts(file, count, rows) for file, rows in zip(files, (before, after), strict=True)
        ]
        yield ((sides[0].read(part), sides[1].read(part)) for part in range(count))


@contextmanager
def _room() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"no room for what is compared: {error.strerror or error}",
            hint="it lies in TMPDIR while diff runs; set TMPDIR to a directory with more room",
        ) from error


def _part_of(key: Key, count: int) -> int:
    """The part of a key, the same in every process: results come in one order."""
    return xxhash.xxh3_64_intdigest(_encode(key)) % count
