"""Rows in a stream, whose cursors end with their transaction: a reader that stops half-way leaves
its cursor open for as long as something (a traceback, say) holds it, and once the connection is
gone it cannot be closed any more.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

FETCH_ROWS = 32
"""Rows held at once while a table is read; they can be large."""
_OPEN = "metasnapshot.results"


def stream(connection: sa.Connection, statement: Any) -> Any:
    """The rows of a statement, read a few at a time, inside `closing_results`."""
    options = {"yield_per": FETCH_ROWS}
    result = connection.execute(statement, execution_options=options)
    connection.info[_OPEN].append(result)
    return result


@contextmanager
def closing_results(connection: sa.Connection) -> Generator[None]:
    """Close what was streamed in the block and not read to its end."""
    found: list[Any] = []
    connection.info[_OPEN] = found
    try:
        yield
    finally:
        for result in found:
            result.close()
