"""The blocks of one table in the objects of a state store: looked for, checked, unpacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, NamedTuple

from metasnapshot.errors import ObjectMissing, SstDamage
from metasnapshot.hummock.paths import DATA, object_path
from metasnapshot.hummock.scan import SstRef
from metasnapshot.sst.block import Bytes, read_block
from metasnapshot.sst.meta import BlockMeta, Meta, read_meta
from metasnapshot.sst.place import Place
from metasnapshot.store.port import Store

REQUESTS = 16
"""At once, while objects are looked for."""
MEMORY = 1 << 30
"""Bytes that reading may take where nobody says."""
RUN_SIZE = 1 << 20
"""Bytes of neighbouring blocks that are read at once."""
MISSING_HINT = "`metasnapshot pins --missing` lists what is gone; take another snapshot"


@dataclass(frozen=True)
class ObjectStore:
    """Where the objects of a version lie.

    Attributes:
        connect: opens the state store; another process does it for itself.
        directory: the data directory in it.
        prefixed: whether objects lie in directories named after a hash of their id.
        path_of: where an object lies, if it is no data directory.
    """

    connect: Callable[[], Store]
    directory: str
    prefixed: bool
    path_of: Callable[[SstRef], str] | None = None

    @cached_property
    def store(self) -> Store:
        """The state store."""
        return self.connect()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "store"}

    def path(self, ref: SstRef) -> str:
        """Of an SST object."""
        if self.path_of is not None:
            return self.path_of(ref)
        return object_path(self.directory, ref.object_id, DATA, prefixed=self.prefixed)

    def open(self, ref: SstRef) -> AbstractContextManager[BinaryIO]:
        """A file over an object."""
        return self.store.open_reader(self.path(ref))

    def look_for(self, refs: Sequence[SstRef], step: Callable[[int], object] | None = None) -> None:
        """See that all objects are there, in their sizes, before anything is made of them.

        Args:
            refs: of the objects.
            step: is told how many were looked for.

        Raises:
            ObjectMissing: one is not.
            SstDamage: one has another size than the version says.
        """
        with ThreadPoolExecutor(REQUESTS) as pool:
            paths = [self.path(ref) for ref in refs]
            found = pool.map(self.store.head, paths)
            for number, (ref, path, head) in enumerate(zip(refs, paths, found, strict=True)):
                if head is None:
                    raise ObjectMissing(path, where=self.store.url, hint=MISSING_HINT)
                if ref.size and head.size != ref.size:
                    raise SstDamage(
                        f"{head.size} bytes, the Hummock version says {ref.size}", name=path
                    )
                if step is not None:
                    step(number + 1)


class Body(NamedTuple):
    """An unpacked block and its place."""

    data: Bytes
    meta: BlockMeta
    place: Place


def table_meta(objects: ObjectStore, ref: SstRef, table_id: int) -> Meta:
    """The meta of an object, with the metas of one table's blocks.

    Raises:
        SstDamage: the object is not as it was written.
    """
    path = objects.path(ref)
    with objects.open(ref) as file:
        size = ref.size or file.seek(0, 2)
        return read_meta(file, size, name=path, table_id=table_id)


def read_bodies(objects: ObjectStore, ref: SstRef, metas: Sequence[BlockMeta]) -> Iterator[Body]:
    """Unpack neighbouring blocks of an object, some at a time.

    Raises:
        SstDamage: a block is not as it was written, or of another table than its meta says.
    """
    path = objects.path(ref)
    with objects.open(ref) as file:
        for run in _runs(metas):
            start, end = run[0].offset, run[-1].offset + run[-1].size
            file.seek(start)
            data = memoryview(file.read(end - start))
            for meta in run:
                place = Place(path, meta.number, meta.offset)
                stored = data[meta.offset - start : meta.offset - start + meta.size]
                if len(stored) < meta.size:
                    raise place.truncated(f"{meta.size - len(stored)} bytes are missing")
                yield Body(read_block(stored, meta.uncompressed_size, place), meta, place)


def _runs(metas: Sequence[BlockMeta]) -> Iterator[list[BlockMeta]]:
    """Blocks that lie one behind the other, as many as are read at once."""
    run: list[BlockMeta] = []
    for meta in metas:
        if run and (
            run[-1].offset + run[-1].size != meta.offset
            or meta.offset + meta.size - run[0].offset > RUN_SIZE
        ):
            yield run
            run = []
        run.append(meta)
    if run:
        yield run
