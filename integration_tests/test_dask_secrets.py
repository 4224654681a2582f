"""Credentials stay where they are: no message to a scheduler has one, a worker that has none is
named, and the line is TLS.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import distributed  # its defaults are there before they are changed
import pytest
from certificates import write_server
from dask.config import set as configured  # pyright: ignore[reportMissingTypeStubs]
from dask_cluster import DaskCluster, dask_cluster
from object_world import ObjectWorld
from s3_memory import MemoryServer, memory_server
from shell import Shell
from test_dask import BACKUP, at

from metasnapshot.hummock.paths import object_path
from metasnapshot.operations.spread import batch
from metasnapshot.store.url import open_store

PLANTED = "pl4nt3d"
assert distributed.__name__ == "distributed"
FULL = (*BACKUP, "--hummock-storage-directory", "data")


@pytest.fixture(scope="module")
def server() -> Generator[MemoryServer]:
    with memory_server() as found:
        yield found


@pytest.fixture
def cluster(tmp_path: Path) -> Generator[DaskCluster]:
    with dask_cluster(tmp_path / "dask") as found:
        yield found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectWorld:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch, "BATCH_MAX", 3)
    return ObjectWorld(tmp_path)


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.path, capsys)


class Wire:
    """What goes to a scheduler: every byte of it."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        self._place = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = bytearray()
        self._sockets = [self._listener]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            scheduler = socket.create_connection(self._place)
            self._sockets += [client, scheduler]
            for pair in ((client, scheduler, self.sent), (scheduler, client, bytearray())):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, one: socket.socket, two: socket.socket, note: bytearray) -> None:
        try:
            while data := one.recv(1 << 16):
                note += data
                two.sendall(data)
            two.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        for each in self._sockets:
            with suppress(OSError):  # the other side may have hung up
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def urls(world: ObjectWorld, server: MemoryServer) -> tuple[str, str]:
    """A state store that has the world's objects, and one for backups, by URLs with keys."""
    state, backups = (
        f"minio://user-{PLANTED}:word-{PLANTED}@127.0.0.1:{server.port}/{server.bucket()}"
        for _ in range(2)
    )
    store = open_store(state)
    for item in world.needed:
        path = object_path("data", item.id, item.suffix, prefixed=True)
        store.put_if_absent(path, world.objects[item.id])
    checkpoint = (world.state / "hummock_001" / "checkpoint" / "0").read_bytes()
    store.put_if_absent("data/checkpoint/0", checkpoint)
    return state, backups


def test_no_message_has_a_credential(
    world: ObjectWorld, shell: Shell, cluster: DaskCluster, server: MemoryServer
) -> None:
    """Every byte that goes to the scheduler is read: tasks are in it, and no key of a URL."""
    state, backups = urls(world, server)
    cluster.add(
        {
            "METASNAPSHOT_HUMMOCK_STORAGE_URL": state,
            "METASNAPSHOT_BACKUP_STORAGE_URL": backups,
        }
    )
    wire = Wire(cluster.address)
    with configured({"distributed.comm.compression": None}):
        code, found = shell.answer(
            *(*FULL, "--hummock-storage-url", state, "--backup-storage-url", backups),
            *("--scheduler", wire.address),
        )
    wire.close()
    assert (code, found.get("complete")) == (0, True), found
    assert found["objects"]["copied"] == len(world.needed)
    assert b"metasnapshot.operations.spread" in wire.sent
    assert PLANTED.encode() not in wire.sent


def test_a_worker_without_credentials_is_named(
    world: ObjectWorld, shell: Shell, cluster: DaskCluster, server: MemoryServer
) -> None:
    """2, before the first object, with the variable that it lacks and without what is in ours."""
    state, backups = urls(world, server)
    cluster.add({"METASNAPSHOT_HUMMOCK_STORAGE_URL": state})
    code, found = shell.answer(
        *(*FULL, "--hummock-storage-url", state, "--backup-storage-url", backups),
        *("--scheduler", cluster.address),
    )
    error = found["error"]
    assert code == 2, found
    assert error["message"].startswith("worker tcp://127.0.0.1:")
    assert "METASNAPSHOT_BACKUP_STORAGE_URL" in error["hint"]
    assert PLANTED not in str(found)
    left = [head.path for head in open_store(backups).list("backup/objects/")]
    assert left == ["backup/objects/area.json"]


def test_a_line_of_tls(
    world: ObjectWorld, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By options, and by Dask's own configuration; without either it is refused, 2."""
    write_server(tmp_path, "scheduler", "127.0.0.1")
    ca, cert, key = (str(tmp_path / name) for name in ("ca.pem", "server.pem", "server.key"))
    files = ("--tls-ca-file", ca, "--tls-cert", cert, "--tls-key", key)
    monkeypatch.delenv("DASK_DISTRIBUTED__COMM__TLS__CA_FILE", raising=False)
    with dask_cluster(tmp_path / "tls", *files, protocol="tls") as cluster:
        cluster.add()
        assert cluster.address.startswith("tls://")
        line = ("--scheduler", cluster.address)
        code, found = shell.answer(*BACKUP, *at(world, "none"), *line)
        assert (code, "--scheduler-ca-file" in found["error"]["hint"]) == (2, True), found
        given = ("--scheduler-ca-file", ca, "--scheduler-cert-file", cert)
        code, found = shell.answer(
            *BACKUP, *at(world, "one"), *line, *given, "--scheduler-key-file", key
        )
        assert (code, found.get("complete")) == (0, True), found
        own = {"ca-file": ca, "client.cert": cert, "client.key": key}
        with configured({f"distributed.comm.tls.{name}": path for name, path in own.items()}):
            code, found = shell.answer(*BACKUP, *at(world, "two"), *line)
        assert (code, found.get("complete")) == (0, True), found
