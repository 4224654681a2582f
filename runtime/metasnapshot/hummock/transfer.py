"""One object from a store to another: every byte is checked on its way, and nothing gets a name in
the target that was not.

SSTs are checked by the hashes in them, block by block; vector files and graphs have none, so that
their size is all that is known of them the first time. What a side file holds the hash of is
compared with that. A check that fails is made once more: a line may have flipped a bit. Objects are
small, and read at once, or pass in pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from io import SEEK_END
from typing import BinaryIO, NamedTuple, TypeVar

import xxhash

from metasnapshot.errors import ConflictError, DamageError, ObjectMissing, StorageError
from metasnapshot.hummock.objects import NeededObject
from metasnapshot.hummock.paths import DATA
from metasnapshot.sst.frame import FrameCheck
from metasnapshot.sst.meta import TAIL, read_meta
from metasnapshot.sst.whole import check_whole
from metasnapshot.store.content import Buffer, create, read_content
from metasnapshot.store.port import Store
from metasnapshot.store.within import CopyWithin

SMALL_MAX = 8 << 20
"""Bytes of an object that is read at once."""
STREAM_COST = 45 << 20
"""What a larger one takes of memory: the blocks read ahead, and the parts on their way."""
PIECE_SIZE = 1 << 20
TAIL_SIZE = TAIL.size
HINT = "the object is damaged; restore it from another copy of its store"
T = TypeVar("T")


def unlimited(_: int) -> None:
    """Let as many bytes be read as are there."""


class Original(NamedTuple):
    """An object to read: where it is, which one it must be, and its hash where that is known.

    Attributes:
        store: the store.
        path: its path in it.
        item: which object.
        expected: XXH3-128 of its bytes, None if nobody knows.
        take: called with a number of bytes before so many are read.
    """

    store: Store
    path: str
    item: NeededObject
    expected: bytes | None = None
    take: Callable[[int], None] = unlimited

    @property
    def is_small(self) -> bool:
        """Whether it is read at once."""
        return self.item.size <= SMALL_MAX


def cost_of(size: int) -> int:
    """Bytes of memory that an object of this size takes on its way."""
    return size if size <= SMALL_MAX else STREAM_COST


def copy_object(
    original: Original, target: Store, path: str, within: CopyWithin | None = None
) -> bytes:
    """Copy an object under a name that nothing has, or this very object; returns its hash.

    Args:
        original: the object.
        target: the store to copy to.
        path: the name of the copy.
        within: what copies within the provider of both, once the original was read and checked.

    Raises:
        ObjectMissing: the original is gone.
        DamageError: it is not what it must be, twice; nothing was written.
        ConflictError: another object has the name.
    """
    if within is not None and not original.is_small and within.takes(original.item.size):
        found = check_object(original)
        if within.copy(original.path, path, original.item.size):
            return found
    return _twice(lambda: _copy_once(original, target, path, within))


def check_object(original: Original) -> bytes:
    """Read an object and check it; returns its hash. Raises as copy_object."""
    return _twice(lambda: _check_once(original))


def read_tail(store: Store, path: str, size: int) -> bytes:
    """The last bytes of an object: of an SST they are those of its meta's hash.

    Raises:
        ObjectMissing: there is none.
    """
    with store.open_reader(path) as file:
        file.seek(max(0, size - TAIL_SIZE))
        return file.read(TAIL_SIZE)


def _twice(work: Callable[[], T]) -> T:
    try:
        return work()
    except DamageError:
        return work()


def _copy_once(original: Original, target: Store, path: str, within: CopyWithin | None) -> bytes:
    if original.is_small:
        data, found = _read_small(original)
        if within is not None and within.copy(original.path, path, len(data)):
            return found
        try:
            create(target, path, data)
        except ConflictError as error:
            _require_same(original, target, path, found, error)
        return found
    with original.store.open_reader(original.path) as file:
        check = _Check(original, file)
        try:
            with target.open_writer(path) as copy:
                found = check.run(copy.write)
        except ConflictError as error:
            found = _check_once(original)
            _require_same(original, target, path, found, error)
        return found


def _check_once(original: Original) -> bytes:
    if original.is_small:
        return _read_small(original)[1]
    with original.store.open_reader(original.path) as file:
        return _Check(original, file).run(lambda _: None)


def _read_small(original: Original) -> tuple[Buffer, bytes]:
    """All bytes of an object, checked, and their hash."""
    original.take(original.item.size)
    try:
        data = read_content(original.store, original.path, original.item.size)
    except DamageError as error:
        error.hint = HINT
        raise
    _require_size(original, len(data))
    if original.expected is None and original.item.suffix == DATA:
        whole = check_whole(data, original.path)
        _require_place(original, whole.meta_offset)
        return data, whole.hash
    found = xxhash.xxh3_128_digest(data)
    _require_hash(original, found)
    return data, found


class _Check:
    """Passes the bytes of a large object on, and checks them."""

    def __init__(self, original: Original, file: BinaryIO) -> None:
        self._original, self._file = original, file
        _require_size(original, file.seek(0, SEEK_END))
        self._frame: FrameCheck | None = None
        if original.expected is None and original.item.suffix == DATA:
            original.take(original.item.size - original.item.meta_offset)
            meta = read_meta(file, original.item.size, name=original.path)
            _require_place(original, meta.tail.meta_offset)
            self._frame = FrameCheck(meta, original.path)
        file.seek(0)

    def run(self, write: Callable[[bytes], object]) -> bytes:
        """All bytes, in pieces; returns their hash.

        Raises:
            DamageError: they are not what they must be; the last piece is not passed on then.
        """
        original, left = self._original, self._original.item.size
        found = xxhash.xxh3_128()
        while left:
            original.take(min(PIECE_SIZE, left))
            piece = self._file.read(min(PIECE_SIZE, left))
            if not piece:
                raise DamageError(f"{original.path} ends {left} bytes early", hint=HINT)
            left -= len(piece)
            found.update(piece)
            if self._frame is not None:
                self._frame.feed(piece)
            if not left:
                self._finish(found.digest())
            write(piece)
        return found.digest()

    def _finish(self, found: bytes) -> None:
        if self._frame is not None:
            self._frame.finish()
        _require_hash(self._original, found)


def _require_size(original: Original, size: int) -> None:
    if size != original.item.size:
        raise DamageError(
            f"{original.path} has {size} bytes, the snapshot says {original.item.size}", hint=HINT
        )


def _require_place(original: Original, found: int) -> None:
    """The meta starts where the version says: else it is another object of this id and size."""
    wanted = original.item.meta_offset
    if wanted and found != wanted:
        raise DamageError(
            f"{original.path} is another object of this id: its meta starts at {found}, the "
            f"snapshot says {wanted}",
            hint=HINT,
        )


def _require_hash(original: Original, found: bytes) -> None:
    if original.expected is not None and found != original.expected:
        raise DamageError(
            f"{original.path} is damaged: its bytes hash to {found.hex()}, they were "
            f"{original.expected.hex()} when they were copied",
            hint=HINT,
        )


def _require_same(
    original: Original, target: Store, path: str, found: bytes, error: ConflictError
) -> None:
    """What has the name is this very object: of a run that died, or of another at this moment."""
    try:
        there = _check_once(Original(target, path, original.item))
    except ObjectMissing as gone:
        raise StorageError(f"{path} is there and is not: {gone}", hint="try again") from gone
    except DamageError as damage:
        raise _other(path) from damage
    if there != found:
        raise _other(path) from error


def _other(path: str) -> ConflictError:
    return ConflictError(
        f"{path} is another object, or a damaged one, under this name",
        hint="move it away if nothing needs it; nothing of ours is ever overwritten",
    )
