"""Who has a SQLite file locked, as Linux tells."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import exc

from metasnapshot.errors import ConflictError
from metasnapshot.store.lock import Holder

LOCKS, UPTIME = Path("/proc/locks"), Path("/proc/stat")
FIRST_BYTE, LAST_BYTE = 0x40000000, 0x40000000 + 512
"""Where SQLite's locks are in its file; in WAL mode a writer's is WAL_BYTE of the file beside."""
WAL_BYTE = 120
PRIMARY_CODE = 0xFF
"""What SQLite's error codes have in common that differ in the details."""


def writer_of(path: Path) -> str:
    """Which process has a lock for writing on a SQLite file, and since when it runs."""
    places = [(path, FIRST_BYTE, LAST_BYTE), (Path(f"{path}-shm"), WAL_BYTE, WAL_BYTE)]
    for file, first, last in places:
        pid = _writer(file, first, last)
        if pid is not None:
            return str(Holder(pid, os.uname().nodename, _started(pid)))
    return "another process"


def _writer(path: Path, first: int, last: int) -> int | None:
    """The process with a lock for writing on bytes of a file, as Linux lists them."""
    try:
        number, lines = path.stat().st_ino, LOCKS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        # 1: POSIX  ADVISORY  WRITE 4711 fd:01:1234 1073741825 1073741825
        fields: list[Any] = line.split()
        if len(fields) != 8 or fields[1] != "POSIX" or fields[3] != "WRITE":  # noqa: PLR2004
            continue
        inode, start = fields[5].rpartition(":")[2], fields[6]
        if inode == str(number) and start.isdecimal() and first <= int(start) <= last:
            return int(fields[4])
    return None


def _started(pid: int) -> str:
    """When a process of this host began (UTC, ISO 8601)."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = next(row for row in UPTIME.read_text().splitlines() if row.startswith("btime"))
    except (OSError, StopIteration):
        return "some time"
    ticks = int(after_name[19])  # field 22 of proc(5), the name is the second
    began = int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds")


def is_busy(error: Any) -> bool:
    """Whether a driver's error says that another process has the file locked."""
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE == sqlite3.SQLITE_BUSY


@contextmanager
def busy_named(path: Path, url: str) -> Generator[None]:
    """Say who has the file locked."""
    try:
        yield
    except (exc.DBAPIError, sqlite3.Error) as error:
        if not is_busy(getattr(error, "orig", error)):
            raise
        raise ConflictError(
            f"{url} is locked by {writer_of(path)}", hint="wait until it has ended"
        ) from error
