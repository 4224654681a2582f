"""Progress bars on a terminal, none elsewhere: a store that counts the bytes that go through it.

Operations know nothing of it. A snapshot's file is the only large object there is, so only readers
and writers are counted, each with a bar on stderr that goes away when it ends.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from metasnapshot.cli.text import printable
from metasnapshot.store.port import Store
from metasnapshot.store.through import Through

STEP = 1 << 20
"""Bytes between two updates of a bar."""


def with_progress(store: Store) -> Store:
    """The store, with bars if stderr is a terminal."""
    return _WatchedStore(store) if sys.stderr.isatty() else store


class _WatchedStore(Through):
    """A store whose readers and writers show where they are."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._store = store
        self._bars = _Bars()

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
        count = self._file.write(data)
        self._count(len(data))
        return count

    def _count(self, size: int) -> None:
        self._waiting += size
        if self._waiting >= STEP:
            self._move(self._file.tell())
            self._waiting = 0


class _Bars:
    """The bars of files that are open at the same time; a terminal takes one display only."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a terminal has bars
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
        )

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._open = 0

    @contextmanager
    def bar(self, title: str, total: int | None) -> Generator[Callable[[int], None]]:
        """A bar for the block; gives what moves it to a place in bytes."""
        task = self._progress.add_task(printable(title), total=total)
        self._open += 1
        self._progress.start()
        try:
            yield lambda place: self._progress.update(task, completed=place)
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
