"""`{id}.copying`: a backup is at work that copies the objects of a snapshot.

The marker says who it is, and its beat goes on while its maker lives: who wants to collect
objects watches it, by a clock of his own, for longer than a beat takes. It is gone when the backup
has ended, well or not; one that a kill left behind is taken away by the next backup of its host, or
by gc. RisingWave ignores these objects.

`gc.copying` is the other side: a gc puts it first and looks for backups then; a backup
puts its own first and looks for it then. So one of two that meet sees the other, and leaves.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress

import msgspec

from metasnapshot.catalogue.ids import id_in
from metasnapshot.catalogue.reservation import newest
from metasnapshot.errors import ConflictError, DamageError, MetasnapshotError, ObjectMissing
from metasnapshot.store.deletes import delete_if_allowed, deletes_nothing
from metasnapshot.store.document import decode_document, read_document
from metasnapshot.store.lease import BEATS, CLAIM_LIFE_S
from metasnapshot.store.lock import Holder, this_holder
from metasnapshot.store.port import Store, join

COPYING = "copying"
GC_NAME = f"gc.{COPYING}"
BEAT_S = CLAIM_LIFE_S / BEATS


class Marker(msgspec.Struct, frozen=True):
    """Who copies objects; a beat that moves while he lives; which round he is in."""

    holder: Holder
    beat: int = 0
    round: int = 1


_decoder = msgspec.json.Decoder(Marker)


@contextmanager
def marked(store: Store, directory: str, snapshot_id: int) -> Generator[None]:
    """Mark a snapshot whose objects are copied in the block.

    Raises:
        ConflictError: somebody else copies them, or objects are collected.
    """
    said = f"{marker_path(directory, snapshot_id)} is there: another process copies its objects"
    with _beating(store, marker_path(directory, snapshot_id), said):
        require_no_gc(store, directory)
        yield


@contextmanager
def collecting(store: Store, directory: str) -> Generator[None]:
    """Keep backups with objects away for the block.

    Raises:
        ConflictError: somebody else collects objects.
    """
    path = join(directory, GC_NAME)
    _drop_dead(store, path)
    with _beating(store, path, f"{path} is there: another process collects objects"):
        yield


def require_no_gc(store: Store, directory: str) -> None:
    """See that nobody collects objects. A collection that stands still may go on any moment, so
    that only one whose process is known to be dead is passed over.

    Raises:
        ConflictError: somebody does.
    """
    path = join(directory, GC_NAME)
    if store.head(path) is None:
        return
    _drop_dead(store, path)
    if store.head(path) is not None:
        raise ConflictError(
            f"{path} is there: objects are being collected",
            hint="wait until gc has ended; if its host is gone, delete that file",
        )


@contextmanager
def _beating(store: Store, path: str, said: str) -> Generator[None]:
    beating = Beating(store, path, Marker(this_holder()))
    beating.begin(said)
    try:
        yield
    finally:
        beating.end()


def _drop_dead(store: Store, path: str) -> None:
    marker = read_marker_at(store, path)
    if marker is not None and marker.holder.is_gone:
        delete_if_allowed(store, path)


def marker_path(directory: str, snapshot_id: int) -> str:
    """Where the marker of a snapshot lies."""
    return join(directory, f"{snapshot_id}.{COPYING}")


def marker_id(name: str) -> int | None:
    """The snapshot whose marker has this name; None if it is not such a name."""
    return id_in(name, COPYING)


def read_marker(store: Store, directory: str, snapshot_id: int) -> Marker | None:
    """The marker of a snapshot; None if it has none, or one that says nothing."""
    return read_marker_at(store, marker_path(directory, snapshot_id))


def read_marker_at(store: Store, path: str) -> Marker | None:
    """The same by its path."""
    try:
        return decode_document(path, read_document(store, path).data, _decoder)
    except (ObjectMissing, DamageError):
        return None


def drop_dead_markers(store: Store, directory: str, ids: list[int]) -> None:
    """Delete markers whose holder was a process of this host and is no more: some, the newest."""
    for number in newest(ids):
        if deletes_nothing(store):
            break
        _drop_dead(store, marker_path(directory, number))


class Beating:
    """A marker at a path, and the thread that lets it beat."""

    def __init__(self, store: Store, path: str, marker: Marker) -> None:
        self._store, self._path = store, path
        self._marker = marker
        self._etag = ""
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="marker", daemon=True)

    def begin(self, said: str) -> None:
        """Put the marker, and let it beat.

        Raises:
            ConflictError: one is there, as is said.
        """
        try:
            self._etag = self._store.put_if_absent(self._path, msgspec.json.encode(self._marker))
        except ConflictError as error:
            raise ConflictError(
                said, hint="if none does, a dead process left it: `metasnapshot gc --commit`"
            ) from error
        self._thread.start()

    def end(self, *, stays: bool = False) -> None:
        """Let it beat no more; it goes, or stays for the next run."""
        self._has_ended.set()
        self._thread.join()
        if stays:
            return
        with suppress(MetasnapshotError):  # a marker that stays is dead, and known as such
            self._store.delete(self._path)

    def _run(self) -> None:
        while not self._has_ended.wait(BEAT_S):
            with suppress(MetasnapshotError):  # the next beat is another try
                self._beat()

    def _beat(self) -> None:
        self._marker = msgspec.structs.replace(self._marker, beat=self._marker.beat + 1)
        data = msgspec.json.encode(self._marker)
        try:
            self._etag = self._store.put_if_match(self._path, data, self._etag)
        except ConflictError:  # an answer got lost, or somebody took it away
            self._etag = self._mended(data)

    def _mended(self, data: bytes) -> str:
        """The etag of what is there, which is ours; or of what is put where nothing is."""
        try:
            return read_document(self._store, self._path).etag
        except ObjectMissing:
            return self._store.put_if_absent(self._path, data)
