"""`--webhook`: the event of a run as a POST of JSON.

One thread does it, and nobody waits for it longer than its time: not for a name that does not
resolve, nor for a server that answers a byte a second. Nothing of an answer is read but its status,
no redirect is followed, and no part of the URL is printed but its host: the path of many a webhook
is its password. A server that is away or busy is asked again, a few times.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from socket import SHUT_RDWR
from urllib.parse import SplitResult, unquote, urlsplit

from metasnapshot.cli.text import note
from metasnapshot.errors import UsageError
from metasnapshot.version import VERSION

TRIES = 4
WAIT_S, WAIT_MAX_S = 1.0, 10.0
"""Before the second try, twice as long before each further one; what a server asks for at most."""
SUCCESS = range(200, 300)
REDIRECT = range(300, 400)
SERVER_ERROR = range(500, 600)
RETRIED = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True)
class Webhook:
    """Where events go.

    Attributes:
        url: its parts.
        timeout_s: how long all tries may take together.
    """

    url: SplitResult = field(repr=False)
    timeout_s: float

    def post(self, event: bytes) -> None:
        """Send an event; a failure is a warning."""
        delivery = Delivery(self.url, event, time.monotonic() + self.timeout_s)
        thread = threading.Thread(target=delivery.run, name="webhook", daemon=True)
        thread.start()
        try:
            thread.join(self.timeout_s)
        finally:
            delivery.cut()
        if delivery.problem:
            note(f"--webhook: {self.url.hostname} {delivery.problem}")


def webhook_of(text: str, timeout_s: float, *, over_http: bool) -> Webhook:
    """The place that a URL means.

    Args:
        text: the URL.
        timeout_s: how long all tries may take together.
        over_http: take http:// to any host.

    Raises:
        UsageError: it is no URL, or one whose secrets anybody on the way could read.
    """
    try:
        url = urlsplit(text.strip())
        is_url = bool(url.hostname) and url.port != 0 and text.isascii() and text.isprintable()
    except ValueError:
        is_url, url = False, SplitResult("", "", "", "", "")
    if not is_url or url.scheme not in ("http", "https") or " " in text.strip():
        raise UsageError("--webhook is no URL of a web server", hint="such as https://host/path")
    if url.scheme == "http" and not over_http and not _is_loopback(url.hostname or ""):
        raise UsageError(
            f"--webhook: http://{url.hostname} is not encrypted",
            hint="https://, or --webhook-over-http if you know who is between",
        )
    return Webhook(url, timeout_s)


@dataclass
class Delivery:
    """One event on its way.

    Attributes:
        url: where to.
        event: what.
        deadline: when it is over, by the clock that nobody sets.
        problem: why it did not arrive; empty once it did.
    """

    url: SplitResult
    event: bytes
    deadline: float
    problem: str = "did not answer in time"
    _connection: http.client.HTTPConnection | None = None
    _is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Try until it arrived, is refused, or time or tries are over."""
        wait_s = WAIT_S
        for number in range(TRIES):
            if number and self._is_over.wait(min(wait_s, max(0.0, self._left_s))):
                return
            asked_s, self.problem = self._try(), self.problem
            if asked_s is None or self._left_s <= 0:
                return
            wait_s = min(max(WAIT_S * 2**number, asked_s), WAIT_MAX_S)

    def cut(self) -> None:
        """Let go of the server, also in the middle of its answer."""
        self._is_over.set()
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(SHUT_RDWR)

    @property
    def _left_s(self) -> float:
        return self.deadline - time.monotonic()

    def _try(self) -> float | None:
        """One request; returns how long to wait before the next one, None for none."""
        try:
            status, asked = self._status()
        except (OSError, http.client.HTTPException) as error:
            if not self._is_over.is_set():
                self.problem = _said(error)
            return None if isinstance(error, ssl.SSLCertVerificationError) else 0.0
        if self._is_over.is_set():  # what was cut off in its middle may look like an answer
            return None
        if status in SUCCESS:
            self.problem = ""
            return None
        self.problem = f"answered {status}"
        if status in REDIRECT:
            self.problem += ", a redirect, which is not followed"
        is_passing = status in RETRIED or status in SERVER_ERROR
        return float(asked) if is_passing and asked.isdecimal() else 0.0 if is_passing else None

    def _status(self) -> tuple[int, str]:
        """Ask; returns the status, and the seconds after which the server wants to be asked again.
        The body of the answer stays unread: it may have no end.
        """
        url, timeout_s = self.url, max(0.001, self._left_s)
        if url.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                url.hostname or "", url.port, timeout=timeout_s, context=context
            )
        else:
            connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout_s)
        self._connection = connection
        try:
            target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
            connection.request("POST", target, self.event, _headers(url))
            response = connection.getresponse()
            return response.status, response.headers.get("Retry-After", "")
        finally:
            connection.close()


def _headers(url: SplitResult) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"metasnapshot/{VERSION}",
        "Connection": "close",
    }
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return headers


def _said(error: Exception) -> str:
    """What is wrong with a server, in words that are not its own."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted ({error.verify_message})"
    if isinstance(error, OSError):
        return f"cannot be reached: {error.strerror or type(error).__name__}"
    return f"does not answer as HTTP has it ({type(error).__name__})"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
