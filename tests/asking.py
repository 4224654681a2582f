"""Rows that `query` and `read` print as lines of JSON, out of snapshot 9 of a small cluster."""

from __future__ import annotations

from typing import Any

import orjson
from shell import BACKUPS, STATE_FOLDER, Shell

PLACES = (*BACKUPS, *STATE_FOLDER)


def lines(text: str) -> list[dict[str, Any]]:
    """The rows, if they are JSON in the eyes of all: NaN is none."""
    return [orjson.loads(line) for line in text.splitlines()]


def asked(world: Shell, text: str, *more: str) -> list[dict[str, Any]]:
    code, out, err = world.run("query", "9", text, *PLACES, *more)
    assert code == 0, err
    return lines(out)


def read(world: Shell, table: str, *more: str) -> list[dict[str, Any]]:
    return lines(world.run("read", "9", table, *PLACES, *more).out)
