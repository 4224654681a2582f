"""A file system over HTTP that behaves as Hadoop's public documentation of WebHDFS says, for no
index of packages has Hadoop: a name node that sends whoever creates, appends or opens on to a data
node (both are this server), and errors as RemoteException. Its files lie in a directory.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from loopback import LoopbackServer

PREFIX = "/webhdfs/v1"
PRIVATE = "private"
"""What dr.who, whom nobody knows, may neither see nor change."""
BY_DATA_NODE = {"CREATE": "PUT", "APPEND": "POST", "OPEN": "GET"}
BY_NAME_NODE = {
    "GETFILESTATUS": "GET",
    "LISTSTATUS": "GET",
    "MKDIRS": "PUT",
    "RENAME": "PUT",
    "DELETE": "DELETE",
}


class Refusal(Exception):
    """An answer that is an error, by HTTP's number and the name of Java's exception."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status, self.name, self.message = status, name, message


class WebHdfsServer(LoopbackServer):
    """A running server.

    Attributes:
        root: where its files are.
        is_data_node_down: whether what is sent on comes to nothing.
        is_gateway: whether it is HttpFS, which knows no options of a rename.
        watch: called before each request is answered.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(_Handler)
        self.root = root
        self.address = f"127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.is_data_node_down = False
        self.is_gateway = False
        self.watch: Callable[[], None] = lambda: None


class _Handler(BaseHTTPRequestHandler):
    """A request is taken whole, answered under the server's lock, and then sent."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: WebHdfsServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        try:
            path = self._path(url.path)
            with self.server.lock:
                self.server.watch()
                status, headers, data = self._answer(path, query, body)
        except Refusal as refusal:
            said = {"exception": refusal.name, "message": refusal.message}
            status, headers, data = refusal.status, {}, _json({"RemoteException": said})
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""

    def _path(self, path: str) -> Path:
        if path != PREFIX and not path.startswith(f"{PREFIX}/"):
            raise Refusal(404, "NotFoundException", path)
        parts = [part for part in unquote(path.removeprefix(PREFIX)).split("/") if part]
        if parts[:1] == [PRIVATE]:
            raise Refusal(
                403, "AccessControlException", "Permission denied: user=dr.who, access=EXECUTE"
            )
        return self.server.root.joinpath(*parts)

    def _answer(
        self, path: Path, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        operation = query.get("op", "").upper()
        if {**BY_NAME_NODE, **BY_DATA_NODE}.get(operation) != self.command:
            raise Refusal(400, "IllegalArgumentException", f"op={operation} by {self.command}")
        if operation in BY_NAME_NODE:
            return 200, {}, _json(getattr(self, f"_{operation.lower()}")(path, query))
        if "datanode" not in query:
            _check(operation, path, query)
            place = quote(f"{PREFIX}/{path.relative_to(self.server.root)}")
            query = {**query, "datanode": "true"}
            where = f"http://{self.server.address}{place}?{urlencode(query)}"
            return 307, {"Location": where}, b""
        if self.server.is_data_node_down:
            raise Refusal(403, "IOException", "the data node has no such block")
        return self._transfer(operation, path, query, body)

    def _transfer(
        self, operation: str, path: Path, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """What a data node does."""
        _check(operation, path, query)
        if operation == "OPEN":
            start = int(query.get("offset", 0))
            data = path.read_bytes()
            return 200, {}, data[start : start + int(query.get("length", len(data)))]
        if operation == "CREATE":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            return 201, {}, b""
        with path.open("ab") as file:
            file.write(body)
        return 200, {}, b""

    def _getfilestatus(self, path: Path, _: dict[str, str]) -> Any:
        return {"FileStatus": _status(path, "")}

    def _liststatus(self, path: Path, _: dict[str, str]) -> Any:
        own = _status(path, "")
        inside = (
            [_status(item, item.name) for item in sorted(path.iterdir())] if _holds(path) else []
        )
        return {"FileStatuses": {"FileStatus": inside if _holds(path) else [own]}}

    def _mkdirs(self, path: Path, _: dict[str, str]) -> Any:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError:
            message = f"{path.name} is not a directory"
            raise Refusal(403, "ParentNotDirectoryException", message) from None
        return {"boolean": True}

    def _rename(self, path: Path, query: dict[str, str]) -> Any:
        """False where there is nothing to move, or no place for it; with options an error."""
        target = query.get("destination", "")
        if not target.startswith("/"):
            raise Refusal(400, "IllegalArgumentException", f"{target} is not an absolute path")
        place = self._path(f"{PREFIX}{quote(target)}")
        options = "" if self.server.is_gateway else query.get("renameoptions", "")
        if options == "OVERWRITE" and path.is_file() and not _holds(place):
            path.replace(place)
            return {}
        place = place / path.name if _holds(place) else place
        if not path.exists() or place.exists() or not _holds(place.parent):
            return {"boolean": False}
        path.rename(place)
        return {"boolean": True}

    def _delete(self, path: Path, query: dict[str, str]) -> Any:
        if _holds(path) and any(path.iterdir()) and query.get("recursive") != "true":
            raise Refusal(403, "PathIsNotEmptyDirectoryException", f"{path.name} is non empty")
        if not path.exists():
            return {"boolean": False}
        path.rmdir() if _holds(path) else path.unlink()
        return {"boolean": True}


def _check(operation: str, path: Path, query: dict[str, str]) -> None:
    """What a name node refuses before it sends anybody on."""
    if (
        operation == "CREATE"
        and (query.get("overwrite") != "true" or _holds(path))
        and path.exists()
    ):
        raise Refusal(403, "FileAlreadyExistsException", f"{path.name} already exists")
    if operation != "CREATE":
        _status(path, "")
        if _holds(path):
            raise Refusal(404, "FileNotFoundException", f"Path is not a file: {path.name}")


def _status(path: Path, name: str) -> dict[str, Any]:
    try:
        found = path.stat()
    except OSError:
        raise Refusal(404, "FileNotFoundException", f"File does not exist: {path.name}") from None
    kind = {"type": "DIRECTORY", "length": 0} if _holds(path) else {"type": "FILE"}
    times = {"modificationTime": int(found.st_mtime * 1000), "accessTime": 0}
    return {"length": found.st_size, "pathSuffix": name, "replication": 3, **times, **kind}


def _holds(path: Path) -> bool:
    return path.is_dir()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
