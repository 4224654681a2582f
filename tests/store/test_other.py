"""What fsspec reaches: its URLs, its drivers, and what is tried again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from ftplib import error_temp
from typing import Any
from uuid import uuid4

import pytest

from metasnapshot.errors import (
    AuthenticationError,
    ObjectMissing,
    StorageError,
    UsageError,
)
from metasnapshot.store.lease import LeasedStore
from metasnapshot.store.location import parse_location
from metasnapshot.store.other import OtherStore
from metasnapshot.store.retry import RetryPolicy
from metasnapshot.store.url import open_store

RETRIES = 3
FTP_BUSY = error_temp("421 too many connections")  # noqa: S321 - nobody speaks it
REQUESTS: dict[str, tuple[str, Callable[[OtherStore], object]]] = {
    "head": ("info", lambda store: store.head("d/x")),
    "read, its head": ("info", lambda store: store.read("d/x").data),
    "read, its bytes": ("open", lambda store: store.read("d/x").data),
    "list": ("ls", lambda store: [head.path for head in store.list("d/")]),
    "names": ("ls", lambda store: [head.path for head in store.names("d").objects]),
    "delete": ("rm_file", lambda store: store.delete("d/x")),
}
"""A request, and the driver's method that fails."""


class Failing:
    """A file system of fsspec's whose method fails so many times, and how often it was asked."""

    def __init__(self, files: Any, method: str, error: Exception, times: int) -> None:
        self.tries = 0
        self._files = files
        self._method = method
        self._error = error
        self._times = times

    def __getattr__(self, name: str) -> Any:
        honest = getattr(self._files, name)

        def call(*arguments: Any, **options: Any) -> Any:
            self.tries += 1
            if self.tries <= self._times:
                raise self._error
            return honest(*arguments, **options)

        return call if name == self._method else honest


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which nobody makes."""
    made: list[float] = []
    monkeypatch.setattr("metasnapshot.store.other.time.sleep", made.append)
    return made


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[OtherStore, Failing]]:
    """Makes a store with an object d/x whose driver fails, and that driver."""

    def make(method: str, error: Exception, times: int = sys.maxsize) -> tuple[OtherStore, Failing]:
        store = OtherStore(
            parse_location(f"memory://{uuid4().hex}/root"), RetryPolicy(retries=RETRIES)
        )
        store.put("d/x", b"1")
        files = Failing(vars(store)["_files"], method, error, times)
        monkeypatch.setattr(store, "_files", files)
        return store, files

    return make


Make = Callable[..., tuple[OtherStore, Failing]]


@pytest.mark.parametrize(("method", "ask"), REQUESTS.values(), ids=REQUESTS.keys())
def test_a_request_is_tried_again(
    method: str, ask: Callable[[OtherStore], object], fail: Make, pauses: list[float]
) -> None:
    """As often as the policy says, and the last try counts."""
    honest, _ = fail(method, OSError(), 0)
    store, files = fail(method, ConnectionResetError("reset"), RETRIES)
    assert ask(store) == ask(honest)
    assert (files.tries, len(pauses)) == (RETRIES + 1, RETRIES)


@pytest.mark.parametrize(("method", "ask"), REQUESTS.values(), ids=REQUESTS.keys())
def test_a_request_is_tried_no_more_often(
    method: str, ask: Callable[[OtherStore], object], fail: Make, pauses: list[float]
) -> None:
    """Then it is 17, with the driver's own words and where."""
    store, files = fail(method, ConnectionResetError("reset by peer"))
    with pytest.raises(StorageError, match=r"memory://.*reset by peer") as caught:
        ask(store)
    assert caught.value.exit_code == 17
    assert (files.tries, len(pauses)) == (RETRIES + 1, RETRIES)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError("d/x"), ObjectMissing),
        (PermissionError("not yours"), AuthenticationError),
    ],
)
def test_what_will_be_the_same_is_not_tried_again(
    error: OSError, expected: type[Exception], fail: Make, pauses: list[float]
) -> None:
    """What is missing, or another's, still is so after a pause."""
    store, files = fail("open", error)
    with pytest.raises(expected):
        store.read("d/x")
    assert (files.tries, pauses) == (1, [])


def test_an_object_that_is_not_there_is_looked_for_once(fail: Make, pauses: list[float]) -> None:
    """By head, read and delete; a list of nothing is empty."""
    store, files = fail("info", OSError(), 0)
    assert store.head("none") is None
    with pytest.raises(ObjectMissing):
        store.read("none")
    assert (files.tries, pauses) == (2, [])
    store.delete("none")
    assert list(store.list("none/")) == []
    assert pauses == []


@pytest.mark.parametrize("error", [EOFError("the end"), FTP_BUSY])
def test_errors_of_ftp_are_the_stores(error: Exception, fail: Make, pauses: list[float]) -> None:
    """They are not the system's; a lost connection is EOFError there."""
    store, files = fail("info", error)
    with pytest.raises(StorageError, match=str(error)) as caught:
        store.head("d/x")
    assert caught.value.exit_code == 17
    assert (files.tries, len(pauses)) == (RETRIES + 1, RETRIES)


@pytest.mark.parametrize("method", ["makedirs", "pipe_file"])
def test_a_write_is_tried_once(method: str, fail: Make, pauses: list[float]) -> None:
    """Nobody knows what the first try did, and whose turn it is by the second."""
    store, files = fail(method, ConnectionResetError("reset"), 1)
    with pytest.raises(StorageError):
        store.put("d/x", b"2")
    assert (files.tries, pauses) == (1, [])
    assert store.read("d/x").data == b"1"


def test_a_refused_connection_is_17_without_the_password() -> None:
    """Host and port got there; the message names them, and nobody's key."""
    with pytest.raises(StorageError, match="refused") as caught:
        open_store("ftp://user:geheim@127.0.0.1:1/tmp")
    said = f"{caught.value} {caught.value.hint}"
    assert caught.value.exit_code == 17
    assert "ftp://127.0.0.1:1/tmp" in said
    assert "geheim" not in said
    assert "user" not in said


def test_host_port_and_user_reach_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the URL has them; the root stays with the store."""
    asked: list[Any] = []

    def connect(*arguments: Any, **_: Any) -> None:
        asked.extend(arguments[1:])

    def login(*arguments: Any, **_: Any) -> None:
        asked.extend(arguments[1:])
        raise ConnectionResetError

    monkeypatch.setattr("ftplib.FTP.connect", connect)
    monkeypatch.setattr("ftplib.FTP.login", login)
    with pytest.raises(StorageError):
        open_store("ftp://user:geheim@host.example.com:2121/tmp")
    assert asked[:4] == ["host.example.com", 2121, "user", "geheim"]


def test_what_stands_before_the_root_is_part_of_it() -> None:
    """One memory has many directories; each is a store of its own, under its own name."""
    name = uuid4().hex
    store = open_store(f"memory://{name}/a/b")
    store.put_if_absent("d/x", b"1")
    above = open_store(f"memory://{name}")
    assert (store.url, above.url) == (f"memory://{name}/a/b", f"memory://{name}")
    assert isinstance(store, LeasedStore)
    assert [head.path for head in store.list("")] == ["d/x"]
    assert [head.path for head in above.list("")] == ["a/b/d/x"]
    assert list(open_store(f"memory://{name}/other").list("")) == []


@pytest.mark.parametrize(
    ("url", "module", "driver"),
    [
        ("sftp://user:geheim@host/x", "paramiko", "fsspec.implementations.sftp"),
        ("hdfs://host:9000@root", "pyarrow", "fsspec.implementations.arrow"),
    ],
)
def test_a_missing_driver_is_named(
    url: str, module: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, with what to install."""
    for name in [module, *(name for name in sys.modules if name.startswith(f"{module}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, driver, raising=False)
    with pytest.raises(UsageError, match=module) as caught:
        open_store(url)
    assert caught.value.hint == f"pip install {module}"
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("url", ["webhdfs://host@root", "webhdfs://host:x@root", "webhdfs://:1@x"])
def test_webhdfs_without_a_port_is_2(url: str) -> None:
    """There is no usual one: it differs between name nodes, gateways and releases."""
    with pytest.raises(UsageError, match="has no port") as caught:
        open_store(url)
    assert "webhdfs://HOST:9870@ROOT" in caught.value.hint
