"""etcd over loopback, as Debian packages it: where a V1 snapshot goes back to."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from servers import START_S, STOP_S, ServerMissing, free_port


class EtcdServer:
    """A running server."""

    def __init__(self, port: int) -> None:
        self.environment = os.environ | {
            "ETCDCTL_API": "3",
            "ETCDCTL_ENDPOINTS": f"http://127.0.0.1:{port}",
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command that finds the server by its environment."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=600
        )

    def pairs(self) -> dict[bytes, bytes]:
        """Everything in it."""
        shown = self.run("etcdctl", "get", "--prefix", "", "-w", "json").stdout
        found = json.loads(shown).get("kvs", [])
        decode = base64.b64decode
        return {decode(item["key"]): decode(item.get("value", "")) for item in found}

    def clear(self) -> None:
        """Delete everything."""
        assert self.run("etcdctl", "del", "--prefix", "").returncode == 0


@contextmanager
def etcd_server(folder: Path, *options: str) -> Generator[EtcdServer]:
    """A server for the block, with its data in a folder."""
    if not shutil.which("etcd") or not shutil.which("etcdctl"):
        raise ServerMissing("etcd is not installed")
    client, peer = free_port(), free_port()
    command = ["etcd", "--data-dir", str(folder), "--unsafe-no-fsync", *options]
    for name, port in (("client", client), ("peer", peer)):
        command += [f"--listen-{name}-urls", f"http://127.0.0.1:{port}"]
    command += ["--advertise-client-urls", f"http://127.0.0.1:{client}"]
    command += ["--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"]
    command += ["--initial-cluster", f"default=http://127.0.0.1:{peer}"]
    with (folder.parent / "etcd.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    server = EtcdServer(client)
    try:
        deadline = time.monotonic() + START_S
        while server.run("etcdctl", "endpoint", "health").returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder.parent / "etcd.log").read_text()[-2000:])
            time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(STOP_S)
