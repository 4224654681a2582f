"""Servers for a whole run. A missing one is a loud skip at the desk and a failure in CI."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import pytest
from azure import AzureServer, azurite
from background import take_interrupts
from gcs_server import GcsServer
from loopback import served
from meta_node import FakeMetaNode, serve
from s3 import S3Server, s3_server
from servers import Server, ServerMissing, mariadb, postgres

from metasnapshot.live import meta_node as client

take_interrupts()
Running = TypeVar("Running")
Start = Callable[[Path], AbstractContextManager[Running]]
DATABASES = "apt-get install postgresql mariadb-server"


def _serve(start: Start[Running], install: str = DATABASES) -> Generator[Running]:
    with tempfile.TemporaryDirectory(prefix="metasnapshot-server-") as name:
        Path(name).chmod(0o755)
        try:
            with start(Path(name)) as server:
                yield server
        except ServerMissing as error:
            if os.environ.get("CI"):
                pytest.fail(str(error))
            pytest.skip(f"{error}: {install}")


@pytest.fixture(scope="session")
def postgres_server() -> Generator[Server]:
    yield from _serve(postgres)


@pytest.fixture(scope="session")
def mariadb_server() -> Generator[Server]:
    yield from _serve(mariadb)


@pytest.fixture(scope="session", params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each engine in turn."""
    name = {"postgresql": "postgres_server", "mysql": "mariadb_server"}[request.param]
    found: Server = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="session")
def s3() -> Generator[S3Server]:
    """One that lets everybody in."""
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def azure() -> Generator[AzureServer]:
    yield from _serve(azurite, "make azurite")


@pytest.fixture(scope="session")
def gcs() -> Generator[GcsServer]:
    with served(GcsServer()) as server:
        yield server


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> FakeMetaNode:
    """A meta node that is asked again without delay."""
    monkeypatch.setattr(client, "POLL_S", 0.01)
    return FakeMetaNode()


@pytest.fixture
def node_url(node: FakeMetaNode) -> Generator[str]:
    with serve(node) as found:
        yield found
