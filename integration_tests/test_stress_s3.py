"""An S3 server that is fast enough to be hurried: its promises first, races on them, then many
processes that create and delete snapshots in one directory of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import stress
from s3_memory import MemoryServer, memory_server
from store.test_stores import StoreSuite

from metasnapshot.errors import ConflictError
from metasnapshot.store.clients import connector
from metasnapshot.store.location import parse_location
from metasnapshot.store.port import Store
from metasnapshot.store.remote import RemoteStore
from metasnapshot.store.trial import try_store
from metasnapshot.store.url import open_store

RACERS = 8
RACES = 50


@pytest.fixture(scope="module")
def server() -> Generator[MemoryServer]:
    with memory_server() as found:
        yield found


def open_remote(url: str) -> RemoteStore:
    place = parse_location(url)
    return RemoteStore(connector(place), place.url, place.root)


class TestMemoryServer(StoreSuite):
    """The server does for a store what any other one must."""

    @pytest.fixture
    def store(self, server: MemoryServer) -> Store:
        return open_store(server.minio(server.bucket()))

    @pytest.fixture
    def raw(self, server: MemoryServer, store: Store) -> Callable[[str], bytes]:
        bucket = store.url.rpartition("/")[2]
        return lambda path: server.read(bucket, path)


def race(write: Callable[[int], Any]) -> list[int]:
    """Let all write at once; returns who did not get a ConflictError."""
    barrier = Barrier(RACERS)

    def run(number: int) -> bool:
        barrier.wait()
        try:
            write(number)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(RACERS) as pool:
        return [number for number, won in enumerate(pool.map(run, range(RACERS))) if won]


def prove(url: str) -> None:
    """Every promise holds, and of many that write at once under one condition one wins."""
    stores = [open_remote(url) for _ in range(RACERS)]
    promises = try_store(stores[0], stress.DIRECTORY)
    assert [item.name for item in promises if not item.held] == []
    assert len(promises) == 8
    for number in range(RACES):
        path = f"races/{number}"
        (first,) = race(lambda me, path=path: stores[me].put_if_absent(path, b"%d" % me))
        found = stores[0].read(path)
        assert found.data == b"%d" % first
        (second,) = race(
            lambda me, path=path, etag=found.etag: stores[me].put_if_match(
                path, b"then %d" % me, etag
            )
        )
        assert stores[0].read(path).data == b"then %d" % second


def test_of_many_that_race_one_wins(server: MemoryServer) -> None:
    """Both kinds of conditional writes are proven, one after the other and at once."""
    prove(server.minio(server.bucket()))


def test_no_snapshot_is_lost_and_none_is_a_phantom(server: MemoryServer) -> None:
    """Many processes, by compare-and-swap and without locks, on a server that was proven first."""
    url = server.minio(server.bucket())
    prove(url)
    count = stress.operations(20, 1_000)
    stress.expect(url, stress.run(url, stress.PROCESSES, count, stress.TIMEOUT_S))
