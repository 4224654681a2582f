"""The SQLSTATE with which a server refused a connection. libpq shows it to nobody but its trace of
the messages; so we connect once more and read that.
"""

from __future__ import annotations

import os
import re
import select
import time
from typing import Any

TIMEOUT_S = 10.0
TRACE_MAX = 1 << 16
"""Bytes that a pipe holds: a connection that is refused has a few hundred."""
_CODE = re.compile(rb'\tErrorResponse\t.*? C "([0-9A-Z]{5})"')


def traced_sqlstate(refused: Any) -> str | None:
    """Connect again as somebody who was refused did.

    Args:
        refused: psycopg's connection that failed.

    Returns:
        What the server's error was; None if it let us in now, or this libpq traces nothing.
    """
    import psycopg  # noqa: PLC0415 - an extra
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415

    options = {item.keyword.decode(): item.val.decode() for item in refused.info if item.val}
    reading, writing = os.pipe()
    try:
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        connection = psycopg.pq.PGconn.connect_start(make_conninfo("", **options).encode())
        connection.trace(writing)
        _poll(connection)
        connection.untrace()
        connection.finish()
        said = os.read(reading, TRACE_MAX)
    except (psycopg.Error, BlockingIOError):  # nothing was written
        return None
    finally:
        os.close(writing)
        os.close(reading)
    found = _CODE.findall(said)
    return found[-1].decode() if found else None


def _poll(connection: Any) -> None:
    """Connect, or be refused."""
    from psycopg.pq import PollingStatus  # noqa: PLC0415

    deadline = time.monotonic() + TIMEOUT_S
    while (status := connection.connect_poll()) in (PollingStatus.READING, PollingStatus.WRITING):
        left = max(0.0, deadline - time.monotonic())
        wanted: list[Any] = [connection.socket]
        reading = wanted if status == PollingStatus.READING else []
        writing = wanted if status == PollingStatus.WRITING else []
        if not any(select.select(reading, writing, [], left)):
            return
