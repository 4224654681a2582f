"""--webhook: the event of a run arrives, or a warning says why not, and nobody waits for long."""

from __future__ import annotations

import json
import socket
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import pytest
import schemas
from hooks import MISSING
from shell import BACKUPS, Shell

from metasnapshot.cli import webhook

Answer = Callable[[socket.socket], None]
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class Server:
    """A server on loopback which answers each request as it is told; the last answer stays."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.answers: list[Answer] = [says(OK)]
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.is_over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/hush?token=hush"

    def close(self) -> None:
        self.is_over.set()
        with suppress(OSError):  # closed already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        if connection.recv(1, socket.MSG_PEEK) != b"P":
            return
        with connection.makefile("rb") as file:
            if not self._read(file):
                return
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        answer(connection)

    def _read(self, file: BinaryIO) -> bool:
        """Take a request; returns whether it came whole: a client whose time is up hangs up."""
        target = file.readline().decode().strip()
        headers = dict[str, str]()
        while line := file.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name] = value
        size = int(headers.get("Content-Length", -1))
        data = file.read(size) if size >= 0 else b""
        if len(data) != size:
            return False
        self.requests.append((target, headers, json.loads(data)))
        return True


def says(text: bytes) -> Answer:
    return lambda connection: connection.sendall(text)


def status(number: int, *headers: str) -> Answer:
    lines = [f"HTTP/1.1 {number} hush", *headers, "Content-Length: 0", "", ""]
    return says("\r\n".join(lines).encode())


def closes(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(webhook, "WAIT_S", 0.0)
    made = Server()
    yield made
    made.close()


def post(shell: Shell, server: Server, *more: str) -> tuple[str, str]:
    """Run a verb that fails; its stdout and stderr, in which no secret of the URL is."""
    ran = shell.run(*MISSING, "--webhook", server.url, *more)
    assert ran.code == 12
    assert "hush" not in ran.out + ran.err
    return ran.out, ran.err


def test_the_event_arrives(backed_up: Shell, server: Server) -> None:
    """As JSON of the same form as a command gets it."""
    _, err = post(backed_up, server)
    ((target, headers, body),) = server.requests
    assert target == "POST /services/hush?token=hush HTTP/1.1"
    assert headers["Content-Type"] == "application/json"
    assert schemas.matched("event", body) == "event"
    assert (body["verb"], body["exit_code"], body["result"]) == ("show", 12, "failure")
    assert "warning" not in err


def test_which_results_are_posted(backed_up: Shell, server: Server) -> None:
    """All of them, or those of one kind; not another word."""
    for which, count in (("any", 2), ("success", 1), ("failure", 1)):
        server.requests.clear()
        post(backed_up, server, "--webhook-on", which)
        more = ("--webhook", server.url, "--webhook-on", which)
        assert backed_up.run("list", *BACKUPS, *more).code == 0
        assert len(server.requests) == count
    ran = backed_up.run("list", *BACKUPS, "--webhook", server.url, "--webhook-on", "never")
    assert ran.code == 2
    assert "failure, success or any" in ran.err


def test_credentials_go_into_a_header(backed_up: Shell, server: Server) -> None:
    """Not into the target, and onto no screen."""
    url = server.url.replace("//", "//user%40x:p%3Ahush@")
    ran = backed_up.run(*MISSING, "--webhook", url)
    ((target, headers, _),) = server.requests
    assert (ran.code, "hush" in ran.err) == (12, False)
    assert b64decode(headers["Authorization"].split()[1]) == b"user@x:p:hush"
    assert "user" not in target + headers["Host"]


@pytest.mark.parametrize("answer", [status(500), status(429), status(503), closes], ids=range(4))
def test_a_server_that_is_busy_is_asked_again(
    backed_up: Shell, server: Server, answer: Answer
) -> None:
    """Twice it fails, the third time it takes the event."""
    server.answers = [answer, answer, says(OK)]
    _, err = post(backed_up, server)
    assert len(server.requests) == 3
    assert "--webhook" not in err


@pytest.mark.parametrize(
    ("answer", "asked", "told"),
    [
        (status(500), webhook.TRIES, "answered 500"),
        (closes, webhook.TRIES, "cannot be reached"),
        (says(b"hush\r\n\r\n"), webhook.TRIES, "does not answer as HTTP has it (BadStatusLine)"),
        (status(404), 1, "answered 404"),
        (status(302, "Location: http://127.0.0.1:1/hush"), 1, "answered 302, a redirect"),
        (status(307, "Location: /elsewhere"), 1, "answered 307, a redirect"),
    ],
    ids=["500", "closes", "no HTTP", "404", "302", "307"],
)
def test_what_does_not_arrive_is_a_warning(
    backed_up: Shell, server: Server, answer: Answer, asked: int, told: str
) -> None:
    """Nothing is followed, and what can only fail again is not tried again."""
    server.answers = [answer]
    _, err = post(backed_up, server)
    assert len(server.requests) == asked
    assert f"warning: --webhook: 127.0.0.1 {told}" in err


def test_an_answer_without_an_end_is_not_read(backed_up: Shell, server: Server) -> None:
    """Its status is all that is wanted."""

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not server.is_over.is_set():
            connection.sendall(b"400\r\n" + bytes(1024) + b"\r\n")

    server.answers = [endless]
    _, err = post(backed_up, server)
    assert (len(server.requests), "--webhook" in err) == (1, False)


def drips(connection: socket.socket) -> None:
    for letter in b"HTTP/1.1 200 OK" + b"!" * 10_000:  # a cut one would count as 200
        connection.sendall(bytes([letter]))
        threading.Event().wait(0.02)


def sleeps(connection: socket.socket) -> None:
    connection.settimeout(60)
    connection.recv(1)


@pytest.mark.parametrize("answer", [drips, sleeps, status(503, "Retry-After: 9999")])
def test_a_slow_server_is_left(backed_up: Shell, server: Server, answer: Answer) -> None:
    """When the time is up, whatever it sends until then."""
    server.answers = [answer]
    start = time.monotonic()
    _, err = post(backed_up, server, "--hook-timeout", "300ms")
    assert "warning: --webhook: 127.0.0.1 " in err
    assert time.monotonic() - start < 30


def test_a_server_that_is_not_there_is_a_warning(backed_up: Shell, server: Server) -> None:
    """The run ends as it ended."""
    server.close()
    _, err = post(backed_up, server)
    assert "warning: --webhook: 127.0.0.1 cannot be reached" in err


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://hooks.example.org/hush", "http://hooks.example.org is not encrypted"),
        ("http://127.0.0.1.example.org/hush", "is not encrypted"),
        ("http://localhost.example.org/hush", "is not encrypted"),
        ("http://10.0.0.1/hush", "is not encrypted"),
        ("http://user:hush@10.0.0.1/", "is not encrypted"),
        ("ftp://127.0.0.1/hush", "no URL of a web server"),
        ("hooks.example.org/hush", "no URL of a web server"),
        ("https:///hush", "no URL of a web server"),
        ("https://host:99999/hush", "no URL of a web server"),
        ("https://[::1/hush", "no URL of a web server"),
        ("https://host/hush\r\nX: y", "no URL of a web server"),
        ("", "no URL of a web server"),
    ],
)
def test_a_url_that_cannot_be_is_refused_first(backed_up: Shell, url: str, says: str) -> None:
    """2, with no secret of it."""
    ran = backed_up.run("list", *BACKUPS, "--webhook", url)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert "hush" not in ran.err


@pytest.mark.parametrize(
    ("url", "over_http"),
    [
        ("http://127.0.0.1:9/x", False),
        ("http://127.8.8.8/x", False),
        ("http://[::1]:9/x", False),
        ("http://localhost/x", False),
        ("https://hooks.example.org/x", False),
        ("http://hooks.example.org/x", True),
    ],
)
def test_urls_that_can_be(url: str, over_http: bool) -> None:  # noqa: FBT001 - a column
    """Loopback without encryption, all with it, and any if that is said."""
    assert webhook.webhook_of(url, 1.0, over_http=over_http).url.geturl() == url


def test_certificates_are_looked_at(backed_up: Shell, server: Server) -> None:
    """A server that speaks no TLS gets no event by https."""
    url = server.url.replace("http://", "https://")
    ran = backed_up.run(*MISSING, "--webhook", url, "--hook-timeout", "5s")
    assert (ran.code, server.requests) == (12, [])
    assert "warning: --webhook: 127.0.0.1 cannot be reached" in ran.err
