"""Signals while a server keeps a restore waiting: 130 however often they come, and nothing is
written.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import goldens
import pytest
import sqlalchemy as sa
import worlds
from servers import Server

pytestmark = pytest.mark.skipif(
    not worlds.TAGS, reason="the schema scripts of the engines are not shipped"
)
WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for%%"
    "lock'",
}
LOCK = {
    "postgresql": 'LOCK TABLE "object" IN ACCESS EXCLUSIVE MODE',
    "mysql": "LOCK TABLES `object` WRITE",
}
WAIT_S = 60.0


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_restore_that_waits_for_a_lock(
    number: int, times: int, server: Server, tmp_path: Path
) -> None:
    """The second signal meets the driver while it still cleans up after the first."""
    tag = worlds.TAGS[-1]
    backups = worlds.Backups(tag, tmp_path)
    url = server.create("interrupted", worlds.schema(tag, server))
    with server.admin("interrupted").connect() as holder, holder.begin():
        if server.engine == "postgresql":
            holder.exec_driver_sql("BEGIN")
        holder.exec_driver_sql(LOCK[server.engine])
        command = [sys.executable, "-m", "metasnapshot", "restore", "2", "--no-object-check"]
        command += ["--meta-store", url, "--cut-timestamps"]
        command += ["--backup-storage-url", backups.repository.store.url]
        command += ["--backup-storage-directory", backups.repository.directory]
        command += ["--hummock-storage-url", f"fs://{backups.state}"]
        command += ["--hummock-storage-directory", goldens.DATA_DIRECTORY]
        environment = {name: value for name, value in os.environ.items() if "PG" not in name}
        with subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                wait_until_blocked(server, process)
                for _ in range(times):
                    process.send_signal(number)
                    time.sleep(0.05)
                out, err = process.communicate(timeout=WAIT_S)
            finally:
                process.kill()  # one that heeds no signal waits for the lock that is held here
        if server.engine == "postgresql":
            holder.exec_driver_sql("ROLLBACK")
    assert (process.returncode, err) == (130, "error: interrupted\n"), out
    with server.admin("interrupted").connect() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM hummock_sequence").scalar()
    assert found == 0


def wait_until_blocked(server: Server, process: subprocess.Popen[str]) -> None:
    """Until the server says that somebody waits for the lock."""
    deadline = time.monotonic() + WAIT_S
    with server.admin("interrupted").connect() as connection:
        while not connection.execute(sa.text(WAITING[server.engine].replace("%%", "%"))).scalar():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
