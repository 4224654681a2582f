"""watch --metrics-port: the metrics by HTTP, whoever asks and however."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from prom import gauges_of
from shell import BACKUPS, STORE, Shell

from metasnapshot.cli import metrics_port
from metasnapshot.cli.metrics_port import CONNECTIONS_MAX, REQUEST_MAX, served
from metasnapshot.errors import UsageError

WATCH = ("watch", "--every", "1s", *STORE, *BACKUPS)
HERE = "127.0.0.1"
PAGE = "metasnapshot_snapshots 3\n"
GET = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"


@pytest.fixture
def port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as found:
        found.bind((HERE, 0))
        return int(found.getsockname()[1])


@contextmanager
def client(port: int, address: str = HERE) -> Generator[socket.socket]:
    """A connection that is given up after a while, so that no test hangs."""
    with socket.create_connection((address, port), timeout=30) as found:
        yield found


def everything(found: socket.socket) -> bytes:
    """What a client gets until the other side closes, or ends it."""
    data = b""
    try:
        while piece := found.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def ask(port: int, request: bytes = GET, address: str = HERE) -> tuple[bytes, bytes]:
    """The first line and the body of an answer."""
    with client(port, address) as found:
        found.sendall(request)
        head, _, body = everything(found).partition(b"\r\n\r\n")
        return head.partition(b"\r\n")[0], body


def listens(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex((HERE, port)) == 0


def open_files() -> int:
    """How many descriptors this process has, both ends of each connection here among them."""
    return len(list(Path("/proc/self/fd").iterdir()))


def in_pause(monkeypatch: pytest.MonkeyPatch, look: Callable[[], object]) -> None:
    """Look while a watch waits for its next round."""

    def pause(_: float) -> None:
        look()

    monkeypatch.setattr("metasnapshot.cli.verbs.watch.time.sleep", pause)


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (GET, b"200 OK", PAGE.encode()),
        (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", b"200 OK", PAGE.encode()),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"200 OK", b"ok\n"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404 Not Found", b"only /metrics and /healthz\n"),
        (b"GET /metrics/ HTTP/1.1\r\n\r\n", b"404 Not Found", b"only /metrics and /healthz\n"),
        (b"GET /../etc/passwd HTTP/1.1\r\n\r\n", b"404 Not Found", b"only /metrics and /h"),
        (b"POST /metrics HTTP/1.1\r\n\r\nx=1", b"405 Method Not Allowed", b"only GET\n"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"405 Method Not Allowed", b"only GET\n"),
        (b"GET /metrics\r\n\r\n", b"400 Bad Request", b"no request of HTTP\n"),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400 Bad Request", b"no request of HTTP\n"),
        (b"\xff \xfe HTTP/\x00\r\n\r\n", b"405 Method Not Allowed", b"only GET\n"),
        (b"GET /" + b"a" * REQUEST_MAX * 4, b"431 Request Header Fields", b"the request is too"),
    ],
    ids=range(12),
)
def test_what_is_answered(port: int, request_: bytes, status: bytes, body: bytes) -> None:
    """GET of two paths; anything else is refused, and whatever comes, the next one is served."""
    with served(HERE, port, lambda: PAGE):
        first, rest = ask(port, request_)
        if first or len(request_) < REQUEST_MAX:  # the kernel may drop an answer to what is unread
            assert first.startswith(b"HTTP/1.1 " + status)
            assert rest.startswith(body)
        assert ask(port) == (b"HTTP/1.1 200 OK", PAGE.encode())


def test_nobody_listens_afterwards(port: int) -> None:
    """Port and thread end with the block, also while clients sit there; the port is free again."""
    threads = threading.active_count()
    for _ in range(2):
        with ExitStack() as stack:
            with served(HERE, port, lambda: PAGE):
                found = [stack.enter_context(client(port)) for _ in range(3)]
                assert listens(port)
            assert not listens(port)
            assert [everything(each) for each in found] == [b""] * 3
    assert threading.active_count() == threads


def test_who_holds_all_connections_keeps_nobody_out(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more ends the oldest, and is served; never are there more at once."""
    monkeypatch.setattr(metrics_port, "REQUEST_S", 600.0)  # nobody is given up for being slow
    with ExitStack() as stack, served(HERE, port, lambda: PAGE):
        silent = [stack.enter_context(client(port)) for _ in range(CONNECTIONS_MAX * 3)]
        for each in silent:
            each.sendall(b"GET /metr")
        assert ask(port)[1] == PAGE.encode()
        assert everything(silent[0]) == b""


def test_a_slow_client_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that sends nothing more, and one that takes nothing of a large page."""
    monkeypatch.setattr(metrics_port, "REQUEST_S", 0.1)
    monkeypatch.setattr(metrics_port, "ANSWER_S", 0.1)
    large = "x" * (1 << 24)
    with served(HERE, port, lambda: large):
        with client(port) as found:
            found.sendall(b"GET /metrics HTT")
            assert everything(found) == b""
        files = open_files()
        with client(port) as found:
            found.sendall(GET)
            found.recv(1)  # it is being answered
            deadline = time.monotonic() + 60
            while open_files() > files + 1 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert open_files() == files + 1  # the client's own end
        assert ask(port)[0] == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("address", "number"), [(HERE, 0), (HERE, 65536), (HERE, -1), ("no.such.host.invalid", 0)]
)
def test_a_port_that_is_none(address: str, number: int) -> None:
    """It is refused before anything is served."""
    with pytest.raises(UsageError, match="--metrics-port"), served(address, number, str):
        pytest.fail("served")


def test_the_port_of_somebody_else(shell: Shell, port: int) -> None:
    """2 before the first round: nothing is backed up, and no file is written."""
    with socket.create_server((HERE, port)):
        ran = shell.run(*WATCH, "--rounds", "1", "--metrics-port", str(port))
    assert ran.code == 2
    assert f"cannot listen on '127.0.0.1', port {port}" in ran.err
    assert "hint: another port" in ran.err
    assert not list((shell.path / "backups").rglob("*.snapshot"))


@pytest.mark.parametrize(
    "words",
    [
        ("--metrics-port", "eight"),
        ("--metrics-port", "99999"),
        ("--metrics-address", "::1"),
        ("--metrics-port", "9", "--metrics-address", "192.0.2.1"),
        ("--metrics-port", "9", "--metrics-address", "a" * 300),
        ("--metrics-port", "9", "--metrics-address", "bad host"),
    ],
)
def test_words_that_name_no_place(shell: Shell, words: tuple[str, ...]) -> None:
    """Usage, before the first round."""
    assert shell.run(*WATCH, "--rounds", "1", *words).code == 2
    assert not list((shell.path / "backups").rglob("*.snapshot"))


def test_a_watch_shows_its_rounds(shell: Shell, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as in a metrics file, without one: counters go on, and nobody is left listening."""
    pages: list[dict[str, float]] = []
    in_pause(monkeypatch, lambda: pages.append(gauges_of(ask(port)[1].decode())))
    assert shell.run(*WATCH, "--rounds", "3", "--metrics-port", str(port)).code == 0
    assert [page["backup_job_count"] for page in pages] == [1, 2]
    assert [page["metasnapshot_snapshots"] for page in pages] == [1, 2]
    assert pages[1]["metasnapshot_newest_verified_level"] == 2
    assert not listens(port)
    assert not (shell.path / "m.prom").exists()


def test_a_watch_with_a_file_shows_the_same(
    shell: Shell, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, and what earlier runs left is there before the first round ends."""
    file = shell.path / "m.prom"
    words = (*WATCH, "--metrics-port", str(port), "--metrics-file", "m.prom")
    assert shell.run("backup", *STORE, *BACKUPS, "--metrics-file", "m.prom").code == 0
    shown: list[bool] = []
    in_pause(monkeypatch, lambda: shown.append(ask(port)[1] == file.read_bytes()))
    honest = metrics_port.served

    @contextmanager
    def looked_at(address: str, number: int, page: Callable[[], str]) -> Generator[None]:
        with honest(address, number, page):
            shown.append(ask(number)[1] == file.read_bytes())
            yield

    monkeypatch.setattr(metrics_port, "served", looked_at)
    assert shell.run(*words, "--rounds", "2").code == 0
    assert shown == [True, True]


def test_no_secret_is_shown(shell: Shell, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of the backup's URL nor of the meta store's, well or not."""
    place = ("--backup-storage-url", "minio://user:S3cr3t@127.0.0.1:1/b", "--storage-retries", "0")
    store = ("--meta-store", "postgresql://me:S3cr3t@127.0.0.1:1/m")
    pages: list[bytes] = []
    monkeypatch.setattr(metrics_port, "ANSWER_S", 5.0)
    in_pause(monkeypatch, lambda: pages.append(ask(port)[1]))
    words = ("watch", "--every", "1s", "--rounds", "2", "--metrics-port", str(port))
    assert shell.run(*words, *store, *place).code != 0
    assert shell.run(*words, *store, *BACKUPS).code != 0
    assert len(pages) == 1
    assert b'metasnapshot_last_run_exit_code{directory="fs://backups/backup"' in pages[0]
    assert b"S3cr3t" not in pages[0]
