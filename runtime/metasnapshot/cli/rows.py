"""Where the rows of read and query go: a new file, or standard output."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast, get_args

from metasnapshot import Format, new_path
from metasnapshot.cli.screen import printable_rows
from metasnapshot.errors import MetasnapshotError, UsageError

STDOUT = Path("-")


class Stdout(io.RawIOBase):
    """Standard output for whole rows. On a terminal no character moves the cursor, and no cell
    begins a line.
    """

    def __init__(self, form: Format) -> None:
        super().__init__()
        self._is_quoted = form == "csv"

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any, /) -> int:
        """Write all of it, or say that one cannot; a broken pipe is told to the caller."""
        found = bytes(data)
        try:
            if sys.stdout.isatty():
                text = found.decode("utf-8", "backslashreplace")
                sys.stdout.write(printable_rows(text, quoted=self._is_quoted))
            else:
                sys.stdout.buffer.write(found)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise MetasnapshotError(f"cannot write the output: {error.strerror}") from error
        return len(found)


def form_of(given: Format | None, to: Path) -> Format:
    """What rows are written as, by what is said, or by the ending of the file."""
    if given is not None:
        return given
    ending = to.suffix.removeprefix(".")
    return cast("Format", ending) if ending in get_args(Format) else "jsonl"


def refuse_stdout(to: Path, form: Format, *, json: bool) -> None:
    """Refuse standard output where it cannot be.

    Raises:
        UsageError: something else goes there, or it is a terminal.
    """
    if to == STDOUT and json:
        raise UsageError("--json describes a file", hint="give --to, or leave --json")
    if to == STDOUT and form in ("parquet", "arrow") and sys.stdout.isatty():
        raise UsageError(f"{form} is not for a terminal", hint="give --to, or --format jsonl")


@contextmanager
def row_file(to: Path, form: Format) -> Generator[BinaryIO]:
    """A file for rows: standard output, or a new one that appears when the block ends well.

    Raises:
        ConflictError: there is something already.
        MetasnapshotError: it cannot be written.
    """
    if to == STDOUT:
        yield cast("BinaryIO", Stdout(form))
        return
    with new_path(to) as path, path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
