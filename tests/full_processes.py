"""Processes of a walk over full backups: each is a store of its own around a shared one in memory,
and dies at a call, so that whatever it calls after that fails too, as after kill -9.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, TypeVar

import msgspec
import xxhash
from sst_writer import Sst, put

from metasnapshot.catalogue.full_header import FULL
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.marker import COPYING, read_marker_at
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import DATA, VECTOR
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import READ_MAX, Names, ObjectHead, StoredObject
from metasnapshot.store.through import Through

T = TypeVar("T")


class Killed(BaseException):
    """A process is dead."""


class Timed(MemoryStore):
    """A store with a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 8, 21, tzinfo=UTC)

    def _put(self, path: str, data: bytes) -> str:
        etag = super()._put(path, data)
        self._times["/".join(part for part in path.split("/") if part)] = self.now
        return etag


class Process(Through):
    """One process's way to the store."""

    def __init__(self, inner: MemoryStore, pid: int) -> None:
        super().__init__(inner)
        self._inner = inner
        self.pid, self.is_dead = pid, False
        self.at = 0
        self.event: Callable[[], object] | None = None
        self.dies_after = False
        self.waits_for_writer = False
        self._depth = 0

    def head(self, path: str) -> ObjectHead | None:
        return self._call(lambda: super(Process, self).head(path))

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        return self._call(lambda: super(Process, self).read(path, size_max))

    def open_reader(self, path: str) -> AbstractContextManager[BinaryIO]:
        return self._call(lambda: super(Process, self).open_reader(path))

    @contextmanager
    def open_writer(self, path: str) -> Generator[BinaryIO]:
        if self.waits_for_writer and path.endswith(f".{FULL}"):
            self.at, self.waits_for_writer = 0, False
        self._before()
        with super().open_writer(path) as file:
            yield file
        self._after()

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        return self._call(lambda: iter([*super(Process, self).list(prefix)]))

    def names(self, directory: str) -> Names:
        return self._call(lambda: super(Process, self).names(directory))

    def delete(self, path: str) -> None:
        self._call(lambda: super(Process, self).delete(path))

    def put_if_absent(self, path: str, data: bytes) -> str:
        return self._call(lambda: super(Process, self).put_if_absent(path, data))

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        return self._call(lambda: super(Process, self).put_if_match(path, data, etag))

    @contextmanager
    def exclusive(self, path: str) -> Generator[None]:
        with super().exclusive(path):
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    def markers(self, where: str) -> list[str]:
        """Paths of its markers, of which there is one while it copies objects."""
        paths = [head.path for head in self._inner.names(where).objects]
        found = {path: read_marker_at(self._inner, path) for path in paths if COPYING in path}
        return [path for path, item in found.items() if item and item.holder.pid == self.pid]

    def beat(self, where: str) -> None:
        """What its thread does while it goes on."""
        for path in self.markers(where):
            found, etag = read_marker_at(self._inner, path), self._inner.read(path).etag
            assert found is not None
            moved = msgspec.structs.replace(found, beat=found.beat + 1)
            self._inner.put_if_match(path, msgspec.json.encode(moved), etag)

    def die(self) -> None:
        self.is_dead = True
        raise Killed

    def _call(self, work: Callable[[], T]) -> T:
        self._before()
        found = work()
        self._after()
        return found

    def _before(self) -> None:
        if self.is_dead:
            raise Killed
        self.at -= 1
        is_time = self.at <= 0 and not self.waits_for_writer
        if is_time and self.event is not None and not self._depth:
            event, self.event = self.event, None
            event()

    def _after(self) -> None:
        if self.dies_after:
            self.die()


@dataclass(frozen=True)
class Made:
    """A snapshot that lies in a directory, as complete() wants it."""

    entry: ManifestEntry
    size: int
    checksum: int
    needed: NeededObjects


def object_of(number: int, life: int) -> tuple[NeededObject, bytes]:
    """An object. Its tag tells an SST from one of another life; of others only bytes do."""
    is_sst = number % 3 != 0
    tag = xxhash.xxh64_intdigest(b"%d %d" % (number, life if is_sst else 0))
    data = b"%d of life %d " % (number, life) * (1 + number % 4)
    if is_sst:
        sst = Sst()
        sst.add(7, [put(b"%d" % number, 1 << 16, data)])
        data = sst.data()
    return NeededObject(number, DATA if is_sst else VECTOR, len(data), tag), data
