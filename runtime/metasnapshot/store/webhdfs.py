"""WebHDFS by fsspec's driver, which alone would wait for ever, take for bytes what a data node says
instead of them, and raise errors that are not the system's: every answer is looked at here first.

A file is there, empty, before its bytes are. So what is to replace another is written beside it and
moved over it, which a name node does at once, though its documentation does not name the option
(FileContext's rename; RenameOptionSetParam). A gateway leaves the file where it was.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote

import fsspec  # pyright: ignore[reportMissingTypeStubs]

from metasnapshot.errors import UsageError
from metasnapshot.store.port import CHUNK_SIZE, READ_MAX, require_size

MISSING = ("FileNotFoundException", "ParentNotDirectoryException")
DENIED = ("AccessControlException", "SecurityException", "AuthorizationException")
_fsspec: Any = fsspec


def connect(address: str, timeout_s: float, ca_file: str = "") -> Any:
    """Fsspec's file system.

    Args:
        address: HOST:PORT of the name node, or of a gateway.
        timeout_s: what connecting, and each wait for the next bytes, may take.
        ca_file: file of authorities to trust instead of the system's; "" for none.

    Raises:
        UsageError: the port is missing, which differs between the two and between releases.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(
            f"webhdfs://{address} has no port", hint="webhdfs://HOST:9870@ROOT for a name node"
        )
    files = _fsspec.filesystem("webhdfs", skip_instance_cache=True, host=host, port=int(port))
    if ca_file:
        files.session.verify = ca_file
    files.session.request = partial(files.session.request, timeout=timeout_s)
    files.session.hooks["response"].append(_raise_refusal)
    return files


def read(files: Any, key: str, path: str, size_max: int = READ_MAX) -> bytes:
    """A whole file, by one request: the driver asks for as many bytes as there were before.

    Args:
        files: the file system.
        key: the file's name there.
        path: the same, for messages.
        size_max: how many bytes it may have.

    Raises:
        DamageError: it has more; they were not taken.
    """
    url, question = f"{files.url}{quote(key)}", {"op": "OPEN"}
    with files.session.get(url, params=question, stream=True) as answer:
        length = answer.headers.get("content-length", "")
        require_size(path, int(length) if length.isdecimal() else 0, size_max)
        data = bytearray()
        for chunk in answer.iter_content(CHUNK_SIZE):
            data += chunk
            require_size(path, len(data), size_max)
    return bytes(data)


def replace(files: Any, source: str, target: str) -> None:
    """Move a file over another, if the server can."""
    options = {"op": "RENAME", "destination": target, "renameoptions": "OVERWRITE"}
    files.session.put(f"{files.url}{quote(source)}", params=options)


def _raise_refusal(answer: Any, **_: Any) -> None:
    """Raise what an answer says went wrong, as the system's error.

    Raises:
        OSError: FileNotFoundError, PermissionError or, for all else, itself.
    """
    if answer.status_code < 400:  # noqa: PLR2004 - HTTP's errors
        return
    try:
        said = answer.json()["RemoteException"]
        name, message = said["exception"], said["message"]
    except (ValueError, KeyError, TypeError):
        name, message = "", f"{answer.status_code} {answer.reason}"
    if name in MISSING:
        raise FileNotFoundError(message)
    if name in DENIED or answer.status_code == 401:  # noqa: PLR2004 - who are you
        raise PermissionError(message)
    raise OSError(f"{name} {message}".strip())
