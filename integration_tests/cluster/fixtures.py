"""Clusters for upstream's tests, one for each meta store that is worth the time."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from s3 import S3Server
from servers import PASSWORD, USER, Server

from cluster.command import Command, as_process, in_this_process
from cluster.control import Cluster, MetaStorePlace, sqlite_place
from cluster.meta import Buckets
from cluster.objects import Clock

DATABASE = "cluster"


@pytest.fixture(params=["sqlite", "postgresql"])
def cluster(request: pytest.FixtureRequest) -> Generator[Cluster]:
    """A cluster that runs: on SQLite as upstream's, with the command in processes of its own; or on
    PostgreSQL, where each restore finds a new database.
    """
    yield from _started(request, request.param, as_process)


@pytest.fixture(params=["sqlite", "postgresql"])
def quick_cluster(request: pytest.FixtureRequest) -> Generator[Cluster]:
    """The same with the command in this process on both, for tests that run it often."""
    yield from _started(request, request.param, in_this_process)


@pytest.fixture
def small_cluster(request: pytest.FixtureRequest) -> Generator[Cluster]:
    """One on SQLite with the command in this process, for what is no matter of either."""
    yield from _started(request, "sqlite", in_this_process)


def _started(request: pytest.FixtureRequest, engine: str, run: Command) -> Generator[Cluster]:
    s3: S3Server = request.getfixturevalue("s3")
    if engine == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        meta_store = sqlite_place(folder / "meta.db")
    else:
        meta_store = _postgresql(request.getfixturevalue("postgres_server"))
        run = in_this_process
    made = Cluster(*meta_store, Buckets(Clock()), s3.minio(s3.bucket()), run)
    try:
        made.first_start()
        yield made
    finally:
        made.stop()


def _postgresql(server: Server) -> MetaStorePlace:
    options = [
        *("--meta-store-type", "postgres"),
        *("--sql-endpoint", f"127.0.0.1:{server.port}"),
        *("--sql-username", USER),
        *("--sql-password", PASSWORD),
        *("--sql-database", DATABASE),
    ]

    def recreate() -> None:
        server.create(DATABASE)

    return server.create(DATABASE), options, recreate
