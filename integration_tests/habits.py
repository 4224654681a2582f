"""An S3 service with habits: buckets in memory that refuse by rule, with the status, the code and
the words that real services send. Emulators are kinder.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from loopback import LoopbackServer, served
from s3_objects import Answer, Asked, Buckets

BUCKET = "bucket"
EVER = 1 << 30
Matches = Callable[[Asked], bool]


class Refused(NamedTuple):
    """What a service says: status, code, message; `extra` goes into the error's XML as it is."""

    status: int
    code: str
    message: str = "no"
    extra: str = ""


@dataclass
class Rule:
    """A habit.

    Attributes:
        matches: which requests it is for.
        answer: what they get.
        times: how often.
    """

    matches: Matches
    answer: Refused
    times: int = EVER
    asked: list[Asked] = field(default_factory=list[Asked])


class HabitBuckets(Buckets):
    """Buckets that look through the rules before they answer; they keep what they were asked.
    `headers` come with the HEAD of a key, each with its line's end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rules: list[Rule] = []
        self.headers: dict[str, str] = {}
        self.asked: list[Asked] = []
        self.objects[BUCKET] = {}

    @property
    def counts(self) -> Counter[str]:
        """How often each method was used."""
        return Counter(asked.method for asked in self.asked)

    def refuse(self, matches: Matches, answer: Refused, times: int = EVER) -> Rule:
        """Answer requests so from now on."""
        rule = Rule(matches, answer, times)
        self.rules.append(rule)
        return rule

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        for rule in self.rules:
            if len(rule.asked) < rule.times and rule.matches(asked):
                rule.asked.append(asked)
                return _refusal(rule.answer)
        found = super().answer(asked)
        if asked.method == "HEAD" and found.status == HTTPStatus.OK:
            return found._replace(headers=found.headers + self.headers.get(asked.key, ""))
        return found


def _refusal(refused: Refused) -> Answer:
    text = f"<Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>{refused.extra}"
    text += f"<RequestId>{next(_numbers):016X}</RequestId><HostId>x+y/z=</HostId>"
    data = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{text}</Error>'.encode()
    headers = "Content-Type: application/xml\r\n"
    return Answer(HTTPStatus(refused.status), (data,), len(data), headers)


_numbers = count(1)


def any_request(_: Asked) -> bool:
    """Whatever is asked."""
    return True


def method(*names: str) -> Matches:
    """Requests of these methods."""
    return lambda asked: asked.method in names


def conditional(asked: Asked) -> bool:
    """Writes that ask for a condition."""
    return bool({"if-none-match", "if-match"} & asked.headers.keys()) and asked.method == "PUT"


def deletes(asked: Asked) -> bool:
    """Deletes of one object, or of many."""
    return asked.method == "DELETE" or "delete" in asked.query


class HabitServer(LoopbackServer):
    """Serves them, each request by a connection of its own."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.buckets = HabitBuckets()
        self.scheme = "http"

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        """The bucket, as RisingWave writes it."""
        return f"minio://key:s3cret@{self.endpoint}/{BUCKET}"


class _Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        assert isinstance(self.server, HabitServer)
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
        body = () if self.command == "HEAD" else answer.body
        self.wfile.write(b"".join((head.encode(), *body)))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@contextmanager
def habits() -> Generator[HabitServer]:
    """A server for the block."""
    with served(HabitServer()) as server:
        yield server


@contextmanager
def secure_habits(certificate: Path, key: Path) -> Generator[HabitServer]:
    """The same with TLS."""
    server = HabitServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    with served(server):
        yield server
