"""Progress bars on a terminal, none elsewhere: a store that counts what goes through it.

Operations know nothing of it. Bytes of readers and writers are counted, and the objects of a
listing, each with a bar on stderr that goes away when it ends.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from metasnapshot.cli.text import printable, spelt_size
from metasnapshot.store.port import ObjectHead, Store
from metasnapshot.store.through import Through

STEP = 1 << 20
"""Bytes between two updates of a bar."""
PAGE = 1000
"""Objects of a listing between two."""

Move = Callable[[int, str], None]


def with_progress(store: Store) -> Store:
    """The store, with bars if stderr is a terminal."""
    return _WatchedStore(store) if sys.stderr.isatty() else store


class _WatchedStore(Through):
    """A store whose readers and writers show where they are."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._store = store
        self._bars = _Bars()

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        with self._bars.bar(f"listing {prefix}", None) as move:
            for number, head in enumerate(self._store.list(prefix)):
                if number % PAGE == 0:
                    move(number, f"{number} objects")
                yield head

    @contextmanager
    def open_reader(self, path: str) -> Generator[BinaryIO]:
        head = self._store.head(path)
        with (
            self._store.open_reader(path) as file,
            self._bars.bar(f"reading {path}", head.size if head else None) as move,
        ):
            yield cast("BinaryIO", _WatchedFile(file, move))

    @contextmanager
    def open_writer(self, path: str) -> Generator[BinaryIO]:
        with (
            self._store.open_writer(path) as file,
            self._bars.bar(f"writing {path}", None) as move,
        ):
            yield cast("BinaryIO", _WatchedFile(file, move))


class _WatchedFile:
    """A file that tells where it is, each time that so many bytes went through."""

    def __init__(self, file: BinaryIO, move: Move) -> None:
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
        count = self._file.write(data)
        self._count(len(data))
        return count

    def _count(self, size: int) -> None:
        self._waiting += size
        if self._waiting >= STEP:
            place = self._file.tell()
            self._move(place, spelt_size(place))
            self._waiting = 0


class _Bars:
    """The bars of files that are open at the same time; a terminal takes one display only."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a terminal has bars
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[done]}", markup=False),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._open = 0

    @contextmanager
    def bar(self, title: str, total: int | None) -> Generator[Move]:
        """A bar for the block; gives what moves it to a place, which words say beside it."""
        task = self._progress.add_task(printable(title), total=total, done="")
        self._open += 1
        self._progress.start()
        try:
            yield lambda place, done: self._progress.update(task, completed=place, done=done)
        finally:
            self._progress.remove_task(task)
            self._open -= 1
            if not self._open:
                self._progress.stop()


@contextmanager
def counted(title: str) -> Generator[Callable[[int], None]]:
    """How many things are done, for the block, if stderr is a terminal; gives what moves it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal has bars
    from rich.progress import Progress, SpinnerColumn, TextColumn  # noqa: PLC0415

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.completed:,.0f}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(printable(title), total=None)
        yield lambda count: progress.update(task, completed=count)
