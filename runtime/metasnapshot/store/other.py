"""Whatever fsspec reaches (webhdfs, hdfs, sftp, …): a store that can only overwrite.

A large object is written under another name and moved, for on some of these file systems a file is
there from its first byte on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from copy import copy
from datetime import UTC, datetime
from ftplib import all_errors, error_perm
from functools import wraps
from typing import Any, BinaryIO, TypeVar, cast
from uuid import uuid4

import fsspec  # pyright: ignore[reportMissingTypeStubs]

from metasnapshot.errors import (
    AuthenticationError,
    ConflictError,
    MetasnapshotError,
    ObjectMissing,
    StorageError,
    UsageError,
)
from metasnapshot.store import webhdfs
from metasnapshot.store.location import Location
from metasnapshot.store.port import (
    READ_MAX,
    Names,
    ObjectHead,
    StoredObject,
    clean,
    folder,
    normalise,
    pass_over,
    read_file,
    sorted_names,
)
from metasnapshot.store.retry import RetryPolicy

DENIED_HINT = "check the credentials of its driver"
PARTIAL = "metasnapshot.partial-"
MILLISECONDS_FROM = 1e11
"""Seconds since 1970 are fewer for a long time yet."""
_fsspec: Any = fsspec
Method = TypeVar("Method", bound=Callable[..., Any])


def _again(request: Method) -> Method:
    """Try a request again that can be made twice."""

    @wraps(request)
    def call(store: OtherStore, *arguments: Any, **options: Any) -> Any:
        pauses = store.policy.pauses()
        while True:
            try:
                return request(store, *arguments, **options)
            except ObjectMissing:
                raise
            except StorageError:
                if (pause := next(pauses, None)) is None:
                    raise
                time.sleep(pause)

    return cast("Method", call)


def protocols() -> set[str]:
    """What fsspec knows."""
    return set(_fsspec.available_protocols())


class OtherStore:
    """A directory of a file system that fsspec has."""

    def __init__(
        self, place: Location, policy: RetryPolicy | None = None, ca_file: str = ""
    ) -> None:
        """Reach it.

        Args:
            place: where it is.
            policy: how long to wait, where the driver lets itself be told.
            ca_file: file of authorities, for WebHDFS.

        Raises:
            UsageError: its driver is not installed, or does not take the URL.
            StorageError: it cannot be reached.
        """
        self.url = place.url
        self.policy = policy or RetryPolicy()
        self._is_webhdfs = place.service == "webhdfs"
        try:
            if self._is_webhdfs:
                self._files = webhdfs.connect(place.bucket, self.policy.timeout_s, ca_file)
                top = f"/{place.root}"
            else:
                url = f"{place.service}://{place.bucket}/{place.root}"
                self._files, top = _fsspec.url_to_fs(url)
        except MetasnapshotError:
            raise
        except ImportError as error:
            module = (error.name or "").partition(".")[0]
            named = module or next(iter(re.findall(r'"([\w-]+)"', str(error))), "its driver")
            raise UsageError(f"{place.service}://: {error}", hint=f"pip install {named}") from error
        except (PermissionError, error_perm) as error:  # FTP's is that of a wrong password
            raise AuthenticationError(f"{self.url}: {error}", hint=DENIED_HINT) from error
        except all_errors as error:  # that of a missing Java has a line for each place
            raise StorageError(f"{self.url}: {str(error).partition(chr(10))[0]}") from error
        except Exception as error:  # each driver has its own
            raise UsageError(f"{self.url}: {error}", hint="check the URL") from error
        self._top = f"{top.rstrip('/')}/" if top else ""
        self._root = clean(place.root)

    def top(self) -> tuple[OtherStore, str]:
        """All that the server has, and where in it this directory is."""
        whole = copy(self)
        whole._top = self._top.removesuffix(f"{self._root}/")  # noqa: SLF001 - its own
        return whole, self._root

    @_again
    def head(self, path: str) -> ObjectHead | None:
        """See Store."""
        return self._find(path)

    def _find(self, path: str) -> ObjectHead | None:
        try:
            with self._translated(path):
                found = self._files.info(self._key(path))
        except ObjectMissing:
            return None
        is_file = found["type"] == "file"
        return _head(normalise(path), found) if is_file else None

    @_again
    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        """See Store; there is no etag."""
        if self._is_webhdfs:
            with self._translated(path):
                return StoredObject(webhdfs.read(self._files, self._key(path), path, size_max), "")
        found = self._find(path)
        with self._opened(path, found) as file:
            size = found.size if found else 0
            return StoredObject(read_file(file, normalise(path), size, size_max), "")

    def open_reader(self, path: str) -> AbstractContextManager[BinaryIO]:
        """See Store."""
        return self._opened(path, self.head(path))

    @contextmanager
    def _opened(self, path: str, found: ObjectHead | None) -> Generator[BinaryIO]:
        if found is None:
            raise ObjectMissing(normalise(path), where=self.url)
        with self._translated(path), self._files.open(self._key(path), "rb") as file:
            yield cast("BinaryIO", file)

    @contextmanager
    def open_writer(self, path: str) -> Generator[BinaryIO]:
        """See Store."""
        partial = self._partial(path)
        with self._translated(path):
            self._files.makedirs(partial.rpartition("/")[0], exist_ok=True)
            try:
                with self._files.open(partial, "wb") as file:
                    yield cast("BinaryIO", file)
                self._move(partial, path)
            except BaseException:
                with suppress(Exception):
                    self._files.rm_file(partial)
                raise

    def put(self, path: str, data: bytes) -> str:
        """Write a small object, whatever is there."""
        key, partial = self._key(path), self._partial(path)
        with self._translated(path):
            self._files.makedirs(key.rpartition("/")[0], exist_ok=True)
            if self._is_webhdfs:
                self._files.pipe_file(partial, data)
                webhdfs.replace(self._files, partial, key)
                if not self._is_there(partial):
                    return ""
                self._files.rm_file(partial)
            self._files.pipe_file(key, data)
        return ""

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        """See Store."""
        wanted = clean(prefix)
        if prefix.endswith("/") and wanted:
            wanted += "/"
        found = self._listed(wanted.rpartition("/")[0])
        paths = ((self._path(name), info) for name, info in sorted(found.items()))
        heads = (
            _head(path, info)
            for path, info in paths
            if path.startswith(wanted) and PARTIAL not in path
        )
        return pass_over(self.url, heads)

    def names(self, directory: str) -> Names:
        """See Store."""
        return self._names(directory, partial=False)

    @_again
    def _names(self, directory: str, *, partial: bool) -> Names:
        """What lies in a directory: all that is whole, or all that is not."""
        place = folder(directory)
        above = f"{place}/" if place else ""
        objects: list[ObjectHead] = []
        directories: list[str] = []
        with self._translated(directory):
            self._files.invalidate_cache()
            for info in self._ls(f"{self._top}{place}".rstrip("/") or self._top):
                path = self._path(info["name"])
                if not path.startswith(above) or path == place:
                    continue
                if info["type"] == "directory":
                    directories.append(path)
                elif info["type"] == "file" and (PARTIAL in path) == partial:
                    objects.append(_head(path, info))
        return sorted_names(objects, directories)

    @_again
    def _listed(self, directory: str) -> dict[str, dict[str, Any]]:
        """The files in a directory and below, by name."""
        with self._translated(directory):
            self._files.invalidate_cache()
            start = f"{self._top}{directory}".rstrip("/") or self._top
            return {info["name"]: info for info in self._walk(start)}

    def leftovers(self, directory: str) -> Iterator[ObjectHead]:
        """See Store."""
        return iter(self._names(directory, partial=True).objects)

    @_again
    def delete(self, path: str) -> None:
        """See Store."""
        with suppress(ObjectMissing), self._translated(path):
            self._files.rm_file(self._key(path))

    def _walk(self, directory: str) -> Iterator[dict[str, Any]]:
        """The files in a directory and below; fsspec's own walk leaves out what it cannot read."""
        for info in self._ls(directory):
            if info["type"] == "file":
                yield info
            elif info["type"] == "directory" and info["name"].strip("/") != directory.strip("/"):
                yield from self._walk(info["name"])

    def _ls(self, directory: str) -> list[dict[str, Any]]:
        """What lies in a directory; nothing if there is none."""
        try:
            return list(self._files.ls(directory, detail=True))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _path(self, name: str) -> str:
        """The path of what the driver names."""
        return name.strip("/").removeprefix(self._top.strip("/")).strip("/")

    def _move(self, partial: str, path: str) -> None:
        """Give a file its name; some servers say nothing where they did not."""
        conflict = ConflictError(f"{normalise(path)} exists already")
        if self.head(path) is not None:
            raise conflict
        self._files.mv(partial, self._key(path))
        if self._is_there(partial):
            raise conflict

    def _is_there(self, key: str) -> bool:
        try:
            self._files.info(key)
        except FileNotFoundError:
            return False
        return True

    def _partial(self, path: str) -> str:
        """A name beside an object's own, for what is not all there yet."""
        directory, slash, name = self._key(path).rpartition("/")
        return f"{directory}{slash}{PARTIAL}{uuid4().hex}-{name}"

    def _key(self, path: str) -> str:
        return f"{self._top}{normalise(path)}"

    @contextmanager
    def _translated(self, path: str) -> Generator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise ObjectMissing(normalise(path), where=self.url) from error
        except PermissionError as error:
            raise AuthenticationError(f"{self.url}, {path}: {error}", hint=DENIED_HINT) from error
        except all_errors as error:  # OSError, and FTP's own, which are none
            raise StorageError(f"{self.url}, {path}: {error}") from error


def _head(path: str, info: dict[str, Any]) -> ObjectHead:
    """Size and, under one of the names that drivers have for it, time."""
    names = ("mtime", "LastModified", "last_modified", "modified", "created", "modificationTime")
    found = next((info[name] for name in names if info.get(name)), None)
    if isinstance(found, (int, float)):
        milliseconds = found > MILLISECONDS_FROM
        found = datetime.fromtimestamp(found / 1000 if milliseconds else found, UTC)
    when = found if isinstance(found, datetime) else None
    return ObjectHead(path, int(info["size"]), when)
