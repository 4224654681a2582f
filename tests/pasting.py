"""A meta store to begin with for a made-up release: of the newest release that there is, so that it
comes after all others. And what an author does with guesses that are right."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import goldens
import pytest

from metasnapshot_models.definitions import Layout
from metasnapshot_models.layouts import LAYOUTS

LAST = list(LAYOUTS.values())[-1]
"""The newest layout."""


def folder_of(layout: Layout) -> Path:
    """The golden folder of one of a layout's releases."""
    for release in layout.releases:
        for path in (goldens.SHIPPED / release, goldens.SHIPPED / f"v{release}"):
            if path.is_dir():
                return path
    name = layout.releases[0]
    folder = f"v{name}" if name[0].isdigit() else name
    raise FileNotFoundError(
        f"no golden folder of layout {layout.name}: make tests/golden/{folder}, as CONTRIBUTING.md "
        "says of a new release"
    )


def newest() -> Path:
    """The golden folder of the newest layout; a release comes with one."""
    try:
        return folder_of(LAST)
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)


def make_store(path: Path, tag: Path, script: str = "") -> None:
    """A meta store with the schema and migrations of a golden release, empty, after some SQL."""
    with sqlite3.connect(path) as connection:
        connection.executescript((tag / "schema.sqlite.sql").read_text())
        rows = [(name, 1) for name in (tag / "migrations.txt").read_text().split()]
        connection.executemany("INSERT INTO seaql_migrations VALUES (?, ?)", rows)
        connection.executescript(script)
    connection.close()


def settle(schema: Path) -> int:
    """Take each guess of a scaffold for right: the `?` behind it goes. Returns how many."""
    count = 0
    for name in ("models.yaml", "ddl.yaml"):
        path = schema / name
        text, number = re.subn(r"(type: [^,}]+)\?(?=[,}])", r"\1", path.read_text())
        path.write_text(text)
        count += number
    return count
