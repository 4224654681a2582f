"""Progress bars on a terminal, none elsewhere. Operations tell how far they are; each piece of work
has a bar on stderr that goes away when it ends. Results that are printed meanwhile stand above the
bars on a terminal; they do not touch what goes into a file or a pipe.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Lock

from metasnapshot import Progress
from metasnapshot.cli.screen import is_coloured, printable
from metasnapshot.cli.text import spelt_size

Listener = Callable[[Progress], None]


def listener() -> Listener | None:
    """What shows bars, if stderr is a terminal."""
    return _Bars() if sys.stderr.isatty() else None


class _Bars:
    """The bars of what is done at the same time; a terminal takes one display only."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a terminal has bars
        from rich.progress import BarColumn, TaskID, TextColumn  # noqa: PLC0415
        from rich.progress import Progress as Display  # noqa: PLC0415

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[done]}", markup=False),
        )
        self._display = Display(
            *columns,
            console=Console(stderr=True, no_color=not is_coloured(sys.stderr)),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        self._shown: dict[int, TaskID] = {}
        self._lock = Lock()

    def __call__(self, found: Progress) -> None:
        with self._lock:
            if found.is_over:
                self._end(found)
            else:
                self._move(found)

    def _move(self, found: Progress) -> None:
        if found.task not in self._shown:
            title = printable(found.title)
            self._shown[found.task] = self._display.add_task(title, total=found.total, done="")
            self._display.start()
        if found.done:
            is_size = found.unit == "bytes"
            done = spelt_size(found.done) if is_size else f"{found.done} {found.unit}"
            task = self._shown[found.task]
            self._display.update(task, completed=found.done, done=done)

    def _end(self, found: Progress) -> None:
        task = self._shown.pop(found.task, None)
        if task is not None:
            self._display.remove_task(task)
        if not self._shown:
            self._display.stop()


@contextmanager
def counted(title: str) -> Generator[Callable[[int], None]]:
    """How many things are done, for the block, if stderr is a terminal; gives what moves it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal has bars
    from rich.progress import Progress as Display  # noqa: PLC0415
    from rich.progress import SpinnerColumn, TextColumn  # noqa: PLC0415

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.completed:,.0f}"),
    )
    display = Display(
        *columns,
        console=Console(stderr=True, no_color=not is_coloured(sys.stderr)),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )
    with display as progress:
        task = progress.add_task(printable(title), total=None)
        yield lambda count: progress.update(task, completed=count)
