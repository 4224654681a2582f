"""A server that is busy: how often it is asked again, and how long that may go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from time import monotonic
from urllib.parse import parse_qsl, unquote

import pytest
from bucket_suite import open_bucket
from loopback import LoopbackServer, served
from s3_objects import Answer, Asked, Buckets

from metasnapshot.cli.app import main
from metasnapshot.errors import StorageError
from metasnapshot.store import writers
from metasnapshot.store.remote import RemoteStore
from metasnapshot.store.retry import RetryPolicy

HASTE_S = 0.01


class BusyBuckets(Buckets):
    """Buckets that answer 503 so many times, and count what they are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 0
        self.asked = Counter[str]()
        self.objects["bucket"] = {}

    def answer(self, asked: Asked) -> Answer:
        self.asked[asked.method] += 1
        if self.refusals:
            self.refusals -= 1
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE)
        return super().answer(asked)


class Server(LoopbackServer):
    """Serves them, each request by a connection of its own."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.buckets = BusyBuckets()


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        assert isinstance(self.server, Server)
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        bucket, _, key = unquote(path[1:]).partition("/")
        body = self.rfile.read(int(headers.get("content-length", 0)))
        found = self.server.buckets.find(bucket, key)
        options = dict(parse_qsl(query, keep_blank_values=True))
        asked = Asked(self.command, bucket, key, options, headers, body, found)
        answer = self.server.buckets.answer(asked)
        head = f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n{answer.headers}"
        head += f"Connection: close\r\nContent-Length: {answer.size}\r\n\r\n"
        self.wfile.write(b"".join((head.encode(), *answer.body)))

    do_GET = do_HEAD = do_PUT = do_DELETE = answer  # noqa: N815 - as http.server looks for them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@pytest.fixture
def server() -> Generator[Server]:
    with served(Server()) as found:
        yield found


@pytest.fixture
def buckets(server: Server) -> BusyBuckets:
    return server.buckets


@pytest.fixture
def url(server: Server) -> str:
    return f"minio://k:s@127.0.0.1:{server.server_port}/bucket"


def hasty(url: str, retries: int) -> RemoteStore:
    return open_bucket(url, RetryPolicy(retries=retries, backoff_s=HASTE_S, backoff_max_s=HASTE_S))


REQUESTS: dict[str, tuple[str, Callable[[RemoteStore, str], object]]] = {
    "read": ("GET", lambda store, _: store.read("x").data),
    "head": ("HEAD", lambda store, _: store.head("x")),
    "list": ("GET", lambda store, _: list(store.list(""))),
    "create": ("PUT", lambda store, _: store.put_if_absent("y", b"2")),
    "swap": ("PUT", lambda store, etag: store.put_if_match("x", b"2", etag)),
    "overwrite": ("PUT", lambda store, _: store.put("x", b"2")),
    "delete": ("DELETE", lambda store, _: store.delete("x")),
}
RETRIES = [0, 1, 3]


@pytest.mark.parametrize("retries", RETRIES)
@pytest.mark.parametrize("name", REQUESTS)
def test_so_many_refusals_are_outlived(
    name: str, retries: int, url: str, buckets: BusyBuckets
) -> None:
    """As many as the policy has retries."""
    method, ask = REQUESTS[name]
    store = hasty(url, retries)
    etag = store.put_if_absent("x", b"1")
    buckets.asked.clear()
    buckets.refusals = retries
    ask(store, etag)
    assert buckets.asked == {method: retries + 1}


@pytest.mark.parametrize("retries", RETRIES)
@pytest.mark.parametrize("name", REQUESTS)
def test_one_more_is_17(name: str, retries: int, url: str, buckets: BusyBuckets) -> None:
    """And nobody asks again."""
    method, ask = REQUESTS[name]
    store = hasty(url, retries)
    etag = store.put_if_absent("x", b"1")
    buckets.asked.clear()
    buckets.refusals = retries + 1
    with pytest.raises(StorageError, match="503") as caught:
        ask(store, etag)
    assert caught.value.exit_code == 17
    assert buckets.asked == {method: retries + 1}
    assert store.read("x").data == b"1"


@pytest.mark.parametrize("retries", [0, 1])
def test_the_option_says_how_often(
    retries: int, url: str, buckets: BusyBuckets, capsys: pytest.CaptureFixture[str]
) -> None:
    """--storage-retries counts for a read, and for a trial, whose first question is a deletion."""
    options = ("--backup-storage-url", url, "--storage-retries", str(retries))
    buckets.refusals = 1 << 30
    assert main(["list", *options]) == 17
    assert buckets.asked == {"GET": retries + 1}
    buckets.asked.clear()
    assert main(["storage", "test", *options]) == 17
    assert buckets.asked == {"DELETE": retries + 1}
    assert "503" in capsys.readouterr().err


def test_a_pause_is_part_of_the_time_that_a_plain_write_may_take(
    url: str, buckets: BusyBuckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that would end after that is not begun: the lease would be over by then."""
    monkeypatch.setattr(writers, "PUT_MAX_S", 1.0)
    policy = RetryPolicy(retries=3, backoff_s=300, backoff_max_s=300)
    store = open_bucket(url, policy)
    buckets.refusals = 1 << 30
    start = monotonic()
    with pytest.raises(StorageError, match="503"):
        store.put("x", b"1")
    assert buckets.asked == {"PUT": 1}
    assert monotonic() - start < 120
