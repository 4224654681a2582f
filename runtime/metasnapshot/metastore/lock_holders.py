"""Who holds the lock of a meta store, and since when, as far as each engine tells."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from metasnapshot.store.lock import Holder

POSTGRES_KEY = 0x6D657461736E6170
"""PostgreSQL's advisory locks are numbers; this one reads `metasnap`."""
_POSTGRES = f"""
SELECT l.pid, a.usename, a.client_addr, a.application_name, a.xact_start
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.classid = {POSTGRES_KEY >> 32} AND l.objid = {POSTGRES_KEY & 0xFFFFFFFF}
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
LOCKS, UPTIME = Path("/proc/locks"), Path("/proc/stat")
FIRST_BYTE, LAST_BYTE = 0x40000000, 0x40000000 + 512
"""Where SQLite's locks are in its file; in WAL mode a writer's is WAL_BYTE of the file beside."""
WAL_BYTE = 120


def of_postgres(connection: sa.Connection) -> str:
    """Who holds the advisory lock. Whom this user may not see has a process id alone."""
    row = connection.exec_driver_sql(_POSTGRES).fetchone()
    if row is None:
        return "its holder has just ended"
    pid, user, address, application, since = row
    who = f"user {user}" if user else "somebody"
    where = f" from {address}" if address else ""
    what = f" ({application})" if application else ""
    began = f" since {since.isoformat(timespec='seconds')}" if since else ""
    return f"{who}{where}{what}, server process {pid}{began}"


def of_mysql(connection: sa.Connection, name: str) -> str:
    """Who holds a lock of GET_LOCK. MySQL does not say since when, but what he does and how long
    already; without the privilege PROCESS only of one's own user.
    """
    number = connection.exec_driver_sql("SELECT IS_USED_LOCK(%s)", (name,)).scalar()
    if number is None:
        return "its holder has just ended"
    for row in connection.exec_driver_sql("SHOW FULL PROCESSLIST").mappings():
        if row["Id"] == number:
            doing = f"{row['Command']} for {row['Time']} s"
            return f"user {row['User']} from {row['Host']}, connection {number}, in {doing}"
    return f"somebody, connection {number}"


def of_sqlite(path: Path) -> str:
    """Which process has a lock for writing on a SQLite file, and since when it runs."""
    places = [(path, FIRST_BYTE, LAST_BYTE), (Path(f"{path}-shm"), WAL_BYTE, WAL_BYTE)]
    for file, first, last in places:
        pid = _writer(file, first, last)
        if pid is not None:
            return str(Holder(pid, socket.gethostname(), _started(pid)))
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
