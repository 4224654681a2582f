"""`watch --metrics-port`: the metrics of the process by HTTP, for Prometheus to scrape.

It answers GET of /metrics and /healthz and nothing else, one request a connection. A thread of its
own does so: the watch waits for no client. A request has a size and a time, an answer has a time,
and there are so many connections at once: one more ends the oldest, so that who holds them all
keeps nobody else out.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress

from metasnapshot.errors import UsageError

REQUEST_MAX = 8192
"""Bytes of a request, its headers included."""
CONNECTIONS_MAX = 16
REQUEST_S = ANSWER_S = 5.0
STOP_S = 10.0
PAUSE_S = 0.1
BACKLOG = 64
END = b"\r\n\r\n"
PORTS = range(1, 1 << 16)
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OK, NO_REQUEST, NO_PAGE, NO_METHOD, TOO_LARGE = (
    "200 OK",
    "400 Bad Request",
    "404 Not Found",
    "405 Method Not Allowed",
    "431 Request Header Fields Too Large",
)


@contextmanager
def served(address: str, port: int, page: Callable[[], str]) -> Generator[None]:
    """Serve a page as /metrics while the block runs.

    Args:
        address: of an interface of this host, or its name.
        port: where to listen.
        page: what /metrics is at this moment.

    Raises:
        UsageError: nobody can listen there.
    """
    with _listen(address, port) as listening:
        pages = _Pages(page)
        thread = threading.Thread(
            target=lambda: asyncio.run(pages.serve(listening)), name="metrics", daemon=True
        )
        thread.start()
        pages.is_up.wait(STOP_S)
        try:
            yield
        finally:
            pages.stop()
            thread.join(STOP_S)


def _listen(address: str, port: int) -> socket.socket:
    if port not in PORTS:
        raise UsageError(f"--metrics-port {port} is not from {PORTS[0]} to {PORTS[-1]}")
    try:
        family, *_, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(where[:2], family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"--metrics-port: cannot listen on {address!r:.80}, port {port}: {reason}",
            hint="another port, or another --metrics-address; does another watch run here?",
        ) from error


class _Pages:
    """What is served, and to whom at this moment."""

    def __init__(self, page: Callable[[], str]) -> None:
        self.is_up = threading.Event()
        self._page = page
        self._clients: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()

    async def serve(self, listening: socket.socket) -> None:
        """Answer until `stop` is called; clients that are left then are let go of."""
        self._loop = asyncio.get_running_loop()
        listening.settimeout(0)
        self._wait_for_clients(listening)
        self.is_up.set()
        await self._end.wait()
        self._loop.remove_reader(listening)
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def stop(self) -> None:
        """Let go of all clients, from another thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._end.set)

    def _wait_for_clients(self, listening: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(listening, self._take, listening)

    def _take(self, listening: socket.socket) -> None:
        """Take a client, and end the oldest one if there are too many."""
        loop = asyncio.get_running_loop()
        try:
            connection, _ = listening.accept()
        except BlockingIOError:  # it is gone already
            return
        except OSError:  # this process has no descriptor left
            loop.remove_reader(listening)
            loop.call_later(PAUSE_S, self._wait_for_clients, listening)
            return
        connection.settimeout(0)
        self._clients = [task for task in self._clients if not task.done()]
        if len(self._clients) >= CONNECTIONS_MAX:
            self._clients.pop(0).cancel()
        task = asyncio.ensure_future(self._answer(connection))
        task.add_done_callback(lambda _: connection.close())  # also if it never ran
        self._clients.append(task)

    async def _answer(self, connection: socket.socket) -> None:
        """One request, one answer, and no more of this client."""
        loop = asyncio.get_running_loop()
        with suppress(OSError, TimeoutError):  # nobody is left to tell
            status, body = await asyncio.wait_for(self._request(connection), REQUEST_S)
            if status:
                answer = _response(status, body)
                await asyncio.wait_for(loop.sock_sendall(connection, answer), ANSWER_S)

    async def _request(self, connection: socket.socket) -> tuple[str, str]:
        """The status and the body that a client gets; none that went away."""
        loop, head = asyncio.get_running_loop(), b""
        while END not in head:
            if len(head) >= REQUEST_MAX:
                return TOO_LARGE, "the request is too large\n"
            piece = await loop.sock_recv(connection, REQUEST_MAX - len(head))
            if not piece:
                return "", ""
            head += piece
        words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        return self._reply(words)

    def _reply(self, words: Sequence[str]) -> tuple[str, str]:
        """The same for the words of a request's first line."""
        if len(words) != len(("GET", "/metrics", "HTTP/1.1")) or words[2][:5] != "HTTP/":
            return NO_REQUEST, "no request of HTTP\n"
        method, target, _ = words
        if method != "GET":
            return NO_METHOD, "only GET\n"
        match target.partition("?")[0]:
            case "/metrics":
                return OK, self._page()
            case "/healthz":
                return OK, "ok\n"
            case _:
                return NO_PAGE, "only /metrics and /healthz\n"


def _response(status: str, body: str) -> bytes:
    data = body.encode()
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {TEXT}",
        f"Content-Length: {len(data)}",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        *(["Allow: GET"] if status == NO_METHOD else []),
    ]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + data
