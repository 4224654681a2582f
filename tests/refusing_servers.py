"""Servers on loopback that speak PostgreSQL's and MySQL's protocol as far as a refusal, in whatever
language; what a test needs no real server for."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import socketserver
import struct
import threading
from collections.abc import Generator
from typing import Any

TLS_REQUESTS = (80877103, 80877104)
SALT = b"0123456789abcdefghij"
PLUGINS = ("mysql_native_password", "caching_sha2_password")
_CAPABILITIES = 0x000FA20D | 0x00200000
"""Protocol 4.1, secure connection, plugins; no TLS."""
PUBLIC_KEY = b"-----BEGIN PUBLIC KEY-----\nnot looked at\n-----END PUBLIC KEY-----\n"


def _served(handler: type[socketserver.BaseRequestHandler]) -> Any:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    return server


@contextlib.contextmanager
def _running(handler: type[socketserver.BaseRequestHandler]) -> Generator[int]:
    with _served(handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def postgres(sqlstate: str, severity: str, message: str) -> contextlib.AbstractContextManager[int]:
    """A PostgreSQL server that lets nobody in; yields its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    (size,) = struct.unpack("!I", _exactly(self.request, 4))
                    (kind,) = struct.unpack("!I", _exactly(self.request, size - 4)[:4])
                    if kind not in TLS_REQUESTS:
                        break
                    self.request.sendall(b"N")
                fields = f"S{severity}\0VFATAL\0C{sqlstate}\0M{message}\0\0".encode()
                self.request.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)

    return _running(Handler)


def mysql(
    number: int, message: str, password: bytes | None = None, plugin: str = PLUGINS[0]
) -> contextlib.AbstractContextManager[int]:
    """A MySQL server that refuses with an error; one with a password, whoever has another with
    1045.
    """

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                self._send(0, _greeting(plugin))
                answer = self._receive()
                if plugin == PLUGINS[1]:
                    self._send(2, b"\x01\x04")  # the whole password, please
                    if self._receive() == b"\x02":
                        self._send(4, b"\x01" + PUBLIC_KEY)
                        self._receive()
                elif password is not None and _native(password) not in answer:
                    self._send(2, _error(1045, "verboten"))
                    return
                self._send(2, _error(number, message))

        def _receive(self) -> bytes:
            head = _exactly(self.request, 4)
            return _exactly(self.request, int.from_bytes(head[:3], "little"))

        def _send(self, number: int, payload: bytes) -> None:
            head = len(payload).to_bytes(3, "little") + bytes([number])
            self.request.sendall(head + payload)

    return _running(Handler)


def _greeting(plugin: str) -> bytes:
    low, high = _CAPABILITIES & 0xFFFF, (_CAPABILITIES >> 16) | 0x8
    head = b"\x0a" + b"9.4.0\0" + struct.pack("<I", 7) + SALT[:8] + b"\0"
    flags = struct.pack("<HBHHB", low, 45, 2, high, len(SALT) + 1)
    return head + flags + bytes(10) + SALT[8:] + b"\0" + plugin.encode() + b"\0"


def _error(number: int, message: str) -> bytes:
    return b"\xff" + struct.pack("<H", number) + b"#HY000" + message.encode()


def _native(password: bytes) -> bytes:
    """mysql_native_password: SHA1(password) XOR SHA1(salt + SHA1(SHA1(password)))."""
    once = hashlib.sha1(password, usedforsecurity=False).digest()
    twice = hashlib.sha1(once, usedforsecurity=False).digest()
    mask = hashlib.sha1(SALT + twice, usedforsecurity=False).digest()
    return bytes(a ^ b for a, b in zip(once, mask, strict=True))
