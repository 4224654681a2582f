"""The command as the tests type it: in this process, in a directory that holds a small world.

The world is that of the fixture `cluster`: meta.db, its state store, and empty.db to restore into.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import schemas
from ran import Ran

from metasnapshot.cli.app import main

STORE = ("--meta-store", "sqlite:///meta.db")
TARGET = ("--meta-store", "sqlite:///empty.db")
BACKUPS = ("--backup-storage-url", "fs://backups")
STATE = ("--hummock-storage-url", "fs://state")
DIRECTORY = ("--hummock-storage-directory", "hummock_001")
UNLOOKED = "--no-object-check"
"""The small world has no objects."""
STATE_FOLDER = (*STATE, *DIRECTORY)
"""Where the objects are, for commands that have no meta store to ask."""


class Shell:
    """Runs the command in a directory; `last` stands at the end of every line.

    Attributes:
        forms: which documents of the schemas were printed as JSON.
    """

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str], *last: str) -> None:
        self.path, self._capsys, self._last = path, capsys, last
        self.forms: set[str] = set()

    def run(self, *arguments: str) -> Ran:
        """Exit code, stdout and stderr; only a bug, 70, shows a traceback. JSON is as its schema
        says, whatever the test is about.
        """
        self._capsys.readouterr()
        code = main([*arguments, *self._last])
        shown = self._capsys.readouterr()
        assert code == 70 or "Traceback" not in shown.err
        self.forms |= schemas.check_output(arguments, shown.out)
        return Ran(code, shown.out, shown.err)

    def lines(self, *arguments: str) -> list[Any]:
        """The lines of JSON of a command that ends well."""
        code, out, err = self.run(*arguments, "--json")
        assert (code, err) == (0, "")
        return [json.loads(line) for line in out.splitlines()]

    def lines_with_notes(self, *arguments: str) -> list[Any]:
        """The same of a command that has something to say on stderr."""
        code, out, err = self.run(*arguments, "--json")
        assert (code, err != "") == (0, True)
        return [json.loads(line) for line in out.splitlines()]

    def answer(self, *arguments: str) -> tuple[int, Any]:
        """Exit code and the one line of JSON on stdout."""
        code, out, _ = self.run(*arguments, "--json")
        (line,) = out.splitlines()
        return code, json.loads(line)

    def files(self) -> dict[Path, bytes]:
        """Every file of the directory, as it is now."""
        return {path: path.read_bytes() for path in self.path.rglob("*") if path.is_file()}


def bare(key: str) -> str:
    """A metric without the labels that say of which directory and cluster it is."""
    return re.sub(r'(directory|cluster)="[^"]*",?', "", key).replace(",}", "}").removesuffix("{}")
