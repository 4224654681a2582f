"""WebHDFS by a server of the tests' own: the suite of every store, and what is this service's."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Generator
from itertools import count
from pathlib import Path
from time import monotonic

import pytest
import stress
from exhaustive import WHOLE
from loopback import served
from servers import free_port
from store.test_stores import StoreSuite
from webhdfs_server import PRIVATE, WebHdfsServer

from metasnapshot.errors import AuthenticationError, ConflictError, StorageError
from metasnapshot.store.location import parse_location
from metasnapshot.store.other import OtherStore
from metasnapshot.store.port import Store
from metasnapshot.store.retry import RetryPolicy
from metasnapshot.store.trial import try_store
from metasnapshot.store.url import open_store

OPERATIONS = 3 if WHOLE else 2
"""Of each process; each waits for the lease."""
PROCESSES = 3
STRESS_S = 300.0
HASTE_S = 60.0
"""More than a request of a second may take, whatever the machine does meanwhile."""


@pytest.fixture
def webhdfs(tmp_path: Path) -> Generator[WebHdfsServer]:
    with served(WebHdfsServer(tmp_path)) as server:
        yield server


@pytest.fixture
def files(webhdfs: WebHdfsServer) -> OtherStore:
    return OtherStore(parse_location(f"webhdfs://{webhdfs.address}@some/root"))


class TestWebHdfs(StoreSuite):
    """By the URL that RisingWave has for it; conditional writes are by a lease."""

    @pytest.fixture
    def url(self, webhdfs: WebHdfsServer) -> str:
        return f"webhdfs://{webhdfs.address}@some/root"

    @pytest.fixture
    def store(self, url: str) -> Store:
        return open_store(url)

    @pytest.fixture
    def raw(self, webhdfs: WebHdfsServer) -> Callable[[str], bytes]:
        return lambda path: (webhdfs.root / "some/root" / path).read_bytes()

    def test_every_promise_is_kept(self, store: Store) -> None:
        """What `storage test` tries holds."""
        found = try_store(store, "backup")
        assert [item for item in found if not item.held] == []
        assert len(found) == 8

    def test_a_large_object_appears_at_its_end(
        self, store: Store, raw: Callable[[str], bytes]
    ) -> None:
        """It goes up by several requests; nobody sees it before the last."""
        data = os.urandom(11 << 20)
        with store.open_writer("d/large") as file:
            for start in range(0, len(data), 1 << 20):
                file.write(data[start : start + (1 << 20)])
            assert store.head("d/large") is None
            assert list(store.list("d/")) == []
        assert raw("d/large") == data
        with store.open_reader("d/large") as file:
            assert file.read() == data
            file.seek(7 << 20)
            assert file.read(10) == data[7 << 20 :][:10]

    def test_no_snapshot_is_lost_and_none_is_a_phantom(self, url: str) -> None:
        """Processes create and delete in one directory, one after the other by its lease."""
        stress.expect(url, stress.run(url, PROCESSES, OPERATIONS, STRESS_S))


def test_no_root_is_the_whole_file_system(webhdfs: WebHdfsServer) -> None:
    """A URL without root begins at the top."""
    store = open_store(f"hummock+webhdfs://{webhdfs.address}")
    store.put_if_absent("x", b"1")
    store.put_if_absent("d/y", b"2")
    assert [head.path for head in store.list("")] == ["d/y", "x"]
    assert (webhdfs.root / "x").read_bytes() == b"1"


def test_what_somebody_else_made_meanwhile_stays(files: OtherStore, webhdfs: WebHdfsServer) -> None:
    """A move that the server did not make is a conflict, and leaves nothing of ours."""
    place = webhdfs.root / "some/root/d"

    def lose() -> None:
        with files.open_writer("d/x") as file:
            file.write(b"ours")
            files.head = lambda path: None  # noqa: ARG005 - as it was when it was looked at
            (place / "x").write_bytes(b"theirs")

    with pytest.raises(ConflictError, match="d/x exists already"):
        lose()
    assert [path.name for path in place.iterdir()] == ["x"]
    assert (place / "x").read_bytes() == b"theirs"


def test_a_small_object_is_replaced_at_once(files: OtherStore, webhdfs: WebHdfsServer) -> None:
    """Whoever looks between two requests sees the old bytes or the new, and in the end the new."""
    files.put("d/m", b"old")
    seen: list[bytes] = []
    place = webhdfs.root / "some/root/d"
    webhdfs.watch = lambda: seen.append((place / "m").read_bytes())
    files.put("d/m", b"new and longer")
    assert set(seen) == {b"old", b"new and longer"}
    assert [path.name for path in place.iterdir()] == ["m"]
    assert (place / "m").read_bytes() == b"new and longer"


@pytest.mark.parametrize("turn", range(5))
def test_what_is_replaced_meanwhile_is_read_whole(
    files: OtherStore, webhdfs: WebHdfsServer, turn: int
) -> None:
    """Whichever of its requests another comes before, a read has the old bytes or the new."""
    files.put("m", b"old")
    place, requests = webhdfs.root / "some/root/m", count()

    def replace() -> None:
        if next(requests) == turn:
            place.write_bytes(b"new and longer")

    webhdfs.watch = replace
    assert files.read("m").data in (b"old", b"new and longer")


def test_a_gateway_replaces_too(files: OtherStore, webhdfs: WebHdfsServer) -> None:
    """One that cannot move a file over another, and says nothing, gets the bytes all the same."""
    webhdfs.is_gateway = True
    files.put("d/m", b"old")
    files.put("d/m", b"new")
    place = webhdfs.root / "some/root/d"
    assert [path.name for path in place.iterdir()] == ["m"]
    assert (place / "m").read_bytes() == b"new"


def test_whoever_may_not_is_15(webhdfs: WebHdfsServer) -> None:
    """Reading, listing and writing alike."""
    store = OtherStore(parse_location(f"webhdfs://{webhdfs.address}@{PRIVATE}"))
    asked = (
        lambda: store.read("x"),
        lambda: store.head("x"),
        lambda: list(store.list("")),
        lambda: store.put("x", b"1"),
        lambda: store.delete("x"),
    )
    for ask in asked:
        with pytest.raises(AuthenticationError, match=r"webhdfs://.*dr\.who") as caught:
            ask()
        assert caught.value.exit_code == 15


def test_an_error_of_a_data_node_is_no_data(files: OtherStore, webhdfs: WebHdfsServer) -> None:
    """What it says instead of an object's bytes is not taken for them."""
    files.put("x", bytes(1000))
    webhdfs.is_data_node_down = True
    with pytest.raises(StorageError):
        files.read("x")
    with pytest.raises(StorageError):
        files.put("y", b"1")


@pytest.fixture(params=["nobody", "silent"])
def address(request: pytest.FixtureRequest) -> Generator[str]:
    """Where nobody listens, and where somebody does and says nothing."""
    if request.param == "nobody":
        yield f"127.0.0.1:{free_port()}"
        return
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"127.0.0.1:{silent.getsockname()[1]}"


def test_nobody_there_is_17_in_time(address: str) -> None:
    """Lists too, which are not empty."""
    place = parse_location(f"webhdfs://{address}@some/root")
    store = OtherStore(place, RetryPolicy(timeout_s=1, retries=0))
    start = monotonic()
    asked = (
        lambda: store.read("x"),
        lambda: list(store.list("")),
        lambda: store.put("x", b"1"),
    )
    for ask in asked:
        with pytest.raises(StorageError) as caught:
            ask()
        assert caught.value.exit_code == 17
        assert store.url in str(caught.value)
    assert monotonic() - start < HASTE_S
