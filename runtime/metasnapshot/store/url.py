"""RisingWave's object store URLs -> stores. Facts: src/object_store/src/object/mod.rs,
build_remote_object_store.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from metasnapshot.errors import UsageError
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import Store

HUMMOCK_PREFIX = "hummock+"
"""What system parameter state_store carries before the URL; the restore options and
backup_storage_url do not."""
FORMS = ("fs://ROOT", "memory")


def open_store(url: str) -> Store:
    """The store that a URL means; `hummock+` in front is allowed.

    Raises:
        UsageError: no backend takes this URL.
    """
    plain = url.removeprefix(HUMMOCK_PREFIX)
    if plain in ("memory", "memory-shared"):
        return _memory()
    scheme, separator, rest = plain.partition("://")
    if scheme == "fs" and separator and rest:
        return LocalStore(Path(rest))
    known = separator and re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme)
    raise UsageError(
        f"no object store for scheme {scheme!r}" if known else "not an object store URL",
        hint=f"known forms: {', '.join(FORMS)}",
    )


def without_credentials(url: str) -> str:
    """The URL with asterisks in the place of user and password, for messages."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://****@{rest.rpartition('@')[2]}" if separator and "@" in rest else url


def same_place(url: str, directory: str, other_url: str, other_directory: str) -> bool:
    """Whether two directories of object stores are one, however they are spelt."""
    return _place(url, directory) == _place(other_url, other_directory)


def _place(url: str, directory: str) -> tuple[str, str]:
    """Scheme and path, without credentials; where the root ends is of no importance."""
    scheme, _, rest = url.removeprefix(HUMMOCK_PREFIX).partition("://")
    root = rest.rpartition("@")[2] if scheme == "minio" else rest
    if scheme == "fs":
        return scheme, str(Path(root, *directory.split("/")).resolve())
    return scheme, "/".join(part for part in f"{root}/{directory}".split("/") if part)


@cache
def _memory() -> MemoryStore:
    """One store per process, as upstream since 2.5."""
    return MemoryStore()
