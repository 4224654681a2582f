"""An S3 server for tests, as fast as Python allows: objects in memory, one process, path-style
addresses, nobody's signature checked. As a program: `s3_memory.py PORT`.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from itertools import count
from urllib.parse import parse_qsl, quote, unquote
from urllib.request import Request, urlopen

from s3_objects import Asked, Buckets
from servers import START_S, STOP_S, free_port, wait_for_port

KEYS = "key:secret"
WRITE_MAX = 1 << 16
"""An answer that is no larger goes out in one piece."""
_numbers = count()


class Connection(asyncio.Protocol):
    """HTTP/1.1 as these clients speak it: bodies have a length, answers come in order."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._transport = asyncio.Transport()
        self._head = b""
        self._asked: Asked | None = None
        self._body: list[bytes] = []
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        while data:
            if self._asked is None:
                head, end, data = (self._head + data).partition(b"\r\n\r\n")
                if not end:
                    self._head = head
                    return
                self._begin(head.decode("latin-1"))
            taken, data = data[: self._missing], data[self._missing :]
            self._body.append(taken)
            self._missing -= len(taken)
            if not self._missing:
                self._end()

    def _begin(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        path, _, query = target.partition("?")
        bucket, _, key = unquote(path[1:]).partition("/")
        found = dict(parse_qsl(query, keep_blank_values=True))
        before = self._buckets.find(bucket, key)
        self._asked = Asked(method, bucket, key, found, headers, b"", before)
        self._head, self._body = b"", []
        self._missing = int(headers.get("content-length", 0))
        if "expect" in headers:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _end(self) -> None:
        asked, self._asked = self._asked, None
        assert asked is not None
        answer = self._buckets.answer(asked._replace(body=b"".join(self._body)))
        self._body = []
        status = answer.status
        length = "" if status is HTTPStatus.NO_CONTENT else f"Content-Length: {answer.size}\r\n"
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\n{answer.headers}{length}\r\n".encode()
        body = () if asked.method == "HEAD" else answer.body
        if answer.size <= WRITE_MAX:
            self._transport.write(b"".join((head, *body)))
            return
        for part in (head, *body):
            self._transport.write(part)


async def serve(port: int) -> None:
    """Serve for ever."""
    buckets = Buckets()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(buckets), "127.0.0.1", port
    )
    await server.serve_forever()


class MemoryServer:
    """A running server: makes buckets, and looks at them without the store under test."""

    def __init__(self, port: int) -> None:
        self.port = port

    def bucket(self) -> str:
        """A new bucket."""
        name = f"bucket-{os.getpid()}-{next(_numbers)}"
        self._ask("PUT", name)
        return name

    def minio(self, bucket: str) -> str:
        """A bucket's URL as RisingWave writes it."""
        return f"minio://{KEYS}@127.0.0.1:{self.port}/{bucket}"

    def write(self, bucket: str, key: str, data: bytes) -> None:
        """Write an object of any key, also of one that the store under test does not write."""
        self._ask("PUT", f"{bucket}/{quote(key)}", data)

    def read(self, bucket: str, path: str) -> bytes:
        """An object's bytes."""
        return self._ask("GET", f"{bucket}/{quote(path)}")

    def _ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        request = Request(f"http://127.0.0.1:{self.port}/{path}", data, method=method)
        with urlopen(request, timeout=START_S) as answer:  # noqa: S310 - our own server
            return bytes(answer.read())


@contextmanager
def memory_server() -> Generator[MemoryServer]:
    """A server for the block, in a process of its own."""
    port = free_port()
    paths = os.pathsep.join(sys.path)  # what it imports lies where pytest looks
    environment = {**os.environ, "PYTHONPATH": paths}
    process = subprocess.Popen([sys.executable, __file__, str(port)], env=environment)
    try:
        wait_for_port(port, process)
        yield MemoryServer(port)
    finally:
        process.terminate()
        process.wait(STOP_S)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
