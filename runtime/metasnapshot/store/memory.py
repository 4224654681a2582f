"""Objects in memory (`memory`): for tests and for trying things out."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from typing import BinaryIO

from metasnapshot.errors import ConflictError, ObjectMissing
from metasnapshot.store.port import (
    READ_MAX,
    Names,
    ObjectHead,
    StoredObject,
    clean,
    folder,
    normalise,
    require_size,
    sorted_names,
)


class MemoryStore:
    """An object store in this process's memory. An etag counts the writes of the store."""

    def __init__(self) -> None:
        self._objects: dict[str, StoredObject] = {}
        self._times: dict[str, datetime] = {}
        self._writes = 0
        self._lock = threading.RLock()

    @property
    def url(self) -> str:
        return "memory"

    def head(self, path: str) -> ObjectHead | None:
        found = self._objects.get(normalise(path))
        return self._head(normalise(path), found) if found else None

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        try:
            found = self._objects[normalise(path)]
        except KeyError as error:
            raise ObjectMissing(normalise(path), where=self.url) from error
        require_size(normalise(path), len(found.data), size_max)
        return found

    @contextmanager
    def open_reader(self, path: str) -> Generator[BinaryIO]:
        yield BytesIO(self.read(path).data)

    @contextmanager
    def open_writer(self, path: str) -> Generator[BinaryIO]:
        file = BytesIO()
        yield file
        self.put_if_absent(path, file.getvalue())

    def put_if_absent(self, path: str, data: bytes) -> str:
        with self._lock:
            if normalise(path) in self._objects:
                raise ConflictError(f"{normalise(path)} exists already")
            return self._put(path, data)

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        with self._lock:
            current = self._objects.get(normalise(path))
            if current is None or current.etag != etag:
                raise ConflictError(f"{normalise(path)} changed meanwhile", hint="try again")
            return self._put(path, data)

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        wanted = clean(prefix)
        if prefix.endswith("/") and wanted:
            wanted += "/"
        for path, found in sorted(self._objects.items()):
            if path.startswith(wanted):
                yield self._head(path, found)

    def names(self, directory: str) -> Names:
        above = f"{place}/" if (place := folder(directory)) else ""
        objects: list[ObjectHead] = []
        directories = set[str]()
        for path, found in self._objects.items():
            if not path.startswith(above):
                continue
            name, slash, _ = path[len(above) :].partition("/")
            if slash:
                directories.add(f"{above}{name}")
            else:
                objects.append(self._head(path, found))
        return sorted_names(objects, directories)

    def leftovers(self, directory: str) -> Iterator[ObjectHead]:  # noqa: ARG002 - never any
        yield from ()

    def delete(self, path: str) -> None:
        with self._lock:
            self._objects.pop(normalise(path), None)

    @contextmanager
    def exclusive(self, path: str) -> Generator[None]:  # noqa: ARG002 - one lock for all
        with self._lock:
            yield

    def _head(self, path: str, found: StoredObject) -> ObjectHead:
        return ObjectHead(path, len(found.data), self._times.get(path))

    def _put(self, path: str, data: bytes) -> str:
        self._writes += 1
        self._objects[normalise(path)] = StoredObject(bytes(data), str(self._writes))
        self._times[normalise(path)] = datetime.now(UTC)
        return str(self._writes)
