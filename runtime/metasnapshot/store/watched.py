"""A store that tells how far its readers, writers and listings are."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, BinaryIO, cast

from metasnapshot.store.context import Context, Progress, Unit
from metasnapshot.store.port import ObjectHead, Store
from metasnapshot.store.through import Through

STEP = 1 << 20
"""Bytes between two calls."""
PAGE = 1000
"""Objects of a listing between two."""
_TASKS = count(1)

Listener = Callable[[Progress], None]


def watched(store: Store, context: Context) -> Store:
    """The store; one that tells its progress if the context has a listener."""
    return store if context.on_progress is None else _WatchedStore(store, context.on_progress)


class _WatchedStore(Through):
    """A store whose readers and writers tell where they are."""

    def __init__(self, store: Store, listener: Listener) -> None:
        super().__init__(store)
        self._store = store
        self._listener = listener

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        with told(self._listener, f"listing {prefix}", None, "objects") as move:
            for number, head in enumerate(self._store.list(prefix)):
                if number % PAGE == 0:
                    move(number)
                yield head

    @contextmanager
    def open_reader(self, path: str) -> Generator[BinaryIO]:
        head = self._store.head(path)
        total = head.size if head else None
        with (
            self._store.open_reader(path) as file,
            told(self._listener, f"reading {path}", total, "bytes") as move,
        ):
            yield cast("BinaryIO", _WatchedFile(file, move))

    @contextmanager
    def open_writer(self, path: str) -> Generator[BinaryIO]:
        with (
            self._store.open_writer(path) as file,
            told(self._listener, f"writing {path}", None, "bytes") as move,
        ):
            yield cast("BinaryIO", _WatchedFile(file, move))


class _WatchedFile:
    """A file that tells where it is, each time that so many bytes went through."""

    def __init__(self, file: BinaryIO, move: Callable[[int], None]) -> None:
        self._file = file
        self._move = move
        self._waiting = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._count(len(data))
        return data

    def write(self, data: bytes) -> int:
        done = self._file.write(data)
        self._count(len(data))
        return done

    def _count(self, size: int) -> None:
        self._waiting += size
        if self._waiting >= STEP:
            self._move(self._file.tell())
            self._waiting = 0


@contextmanager
def told(
    listener: Listener | None, title: str, total: int | None, unit: Unit
) -> Generator[Callable[[int], None]]:
    """A piece of work for the block: its beginning and its end are told; gives what tells how far
    it is.
    """
    if listener is None:
        yield lambda _: None
        return
    task, done = next(_TASKS), 0

    def move(place: int) -> None:
        nonlocal done
        done = place
        listener(Progress(task, title, done, total, unit))

    move(0)
    try:
        yield move
    finally:
        listener(Progress(task, title, done, total, unit, is_over=True))
