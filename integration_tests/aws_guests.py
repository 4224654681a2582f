"""Where AWS's clients get credentials, on loopback: STS, the portal of SSO, a container's agent and
a machine's metadata. Each gives a key of its own, so that one sees whose was used.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from botocore.credentials import SSOProvider  # pyright: ignore[reportMissingTypeStubs]
from loopback import LoopbackServer, served

EXPIRES = "2099-01-01T00:00:00Z"
TOKEN = "pod-token"
STS = (
    "<{action}Response><{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId>"
    "<SecretAccessKey>s3cret</SecretAccessKey><SessionToken>session</SessionToken>"
    f"<Expiration>{EXPIRES}</Expiration></Credentials></{{action}}Result></{{action}}Response>"
)


class GuestServer(LoopbackServer):
    """Gives everybody a key.

    Attributes:
        refusal: what STS answers instead, if anything: status and body.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.refusal: tuple[int, str] | None = None

        self.scheme = "http"

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """STS: a role, by a key or by a token of the web."""
        length = int(self.headers.get("content-length", 0))
        query = self.path.partition("?")[2]
        asked = dict(parse_qsl(self.rfile.read(length).decode()) + parse_qsl(query))
        assert isinstance(self.server, GuestServer)
        if self.server.refusal is not None:
            self._say(*self.server.refusal)
            return
        keys = {"AssumeRole": "ROLE", "AssumeRoleWithWebIdentity": "WEBIDENTITY"}
        action = asked["Action"]
        self._say(200, STS.format(action=action, key=keys[action]), "text/xml")

    def do_PUT(self) -> None:
        """The machine's metadata: a token first."""
        self._say(200, "token")

    def do_GET(self) -> None:
        """SSO's portal, a container's agent, the machine's metadata."""
        path = self.path.partition("?")[0]
        if path.startswith("/none/"):
            self._say(404, "no role")
            return
        if path == "/federation/credentials":
            keys = {"accessKeyId": "SSO", "secretAccessKey": "s3cret", "sessionToken": "session"}
            keys |= {"expiration": 4070908800000}  # pyright: ignore[reportAssignmentType]
            self._say(200, json.dumps({"roleCredentials": keys}))
        elif path == "/pod" and self.headers["authorization"] == TOKEN:
            self._say(200, _keys("POD"))
        elif path.endswith("/security-credentials/"):
            self._say(200, "role")
        elif path.endswith("/security-credentials/role"):
            self._say(200, _keys("MACHINE"))
        else:
            self._say(401, "{}")

    def _say(self, status: int, text: str, kind: str = "application/json") -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


def _keys(key: str) -> str:
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": "2026-01-01T00:00:00Z",
            "Type": "AWS-HMAC",
            "AccessKeyId": key,
            "SecretAccessKey": "s3cret",
            "Token": "session",
            "Expiration": EXPIRES,
        }
    )


@contextmanager
def secure_guests(certificate: Path, key: Path) -> Generator[GuestServer]:
    """The same with TLS, as the library wants it of STS."""
    server = GuestServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    with served(server):
        yield server


@contextmanager
def guests() -> Generator[GuestServer]:
    """A server for the block."""
    with served(GuestServer()) as server:
        yield server


def without_aws(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """An environment without AWS, and a home without files of its clients."""
    (home / ".aws").mkdir(parents=True)
    for name in [name for name in os.environ if name.startswith(("AWS_", "RW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    cache = home / ".aws" / "sso" / "cache"  # botocore looks for it when it is loaded
    monkeypatch.setattr(SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(cache))
