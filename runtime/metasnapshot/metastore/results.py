"""Rows in a stream, whose cursors end with their transaction: a reader that stops half-way leaves
its cursor open for as long as something (a traceback, say) holds it, and once the connection is
gone it cannot be closed any more.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

FEW_ROWS, MANY_ROWS = 32, 1000
"""Rows held at once while a table is read, where they can be large and where they cannot."""
_OPEN = "metasnapshot.results"


def stream(connection: sa.Connection, statement: Any, rows: int) -> Any:
    """The rows of a statement, read a few at a time, inside `closing_results`."""
    if isinstance(statement, str):
        result = connection.exec_driver_sql(statement).yield_per(rows)
    else:
        result = connection.execute(statement, execution_options={"yield_per": rows})
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
