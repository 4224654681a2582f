"""The snapshots of one backup directory: upstream's MetaSnapshotStorage, with its method names.

Paths are `{directory}/manifest.json` and `{directory}/{id}.snapshot`. Unlike upstream's, a
snapshot's file is never overwritten, and the manifest changes by compare-and-swap: a change that
meets another one is made again on top of it.
While a backup is at work, `{id}.reserved` keeps its id and says who it is.
Source: src/storage/backup/src/storage.rs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import BinaryIO

from metasnapshot.catalogue import manifest as manifests
from metasnapshot.catalogue.entry import describe
from metasnapshot.catalogue.facts import CLOCK, Facts, drop_facts, facts_in
from metasnapshot.catalogue.ids import following_id
from metasnapshot.catalogue.ledger import (
    LEDGER_NAME,
    announce_delete,
    forget,
    read_ledger,
)
from metasnapshot.catalogue.manifest import MANIFEST_NAME, Manifest, ManifestEntry
from metasnapshot.catalogue.manifest_file import ManifestFile
from metasnapshot.catalogue.notes import note_entered
from metasnapshot.catalogue.reservation import (
    drop_stale,
    is_reserved,
    named_ids,
    reservation,
    reserved_ids,
)
from metasnapshot.errors import (
    ConflictError,
    DamageError,
    ManifestMissing,
    MetasnapshotError,
    SnapshotNotFound,
    UnknownFormat,
)
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.snapshot import MetaSnapshot, dumps, load
from metasnapshot.hummock.objects import CHANGE_LOGS_SECTION, object_ids
from metasnapshot.store.port import Store, join

RESERVE_ATTEMPTS_MAX = 1000


class Repository:
    """The snapshots of a directory of a store."""

    def __init__(self, store: Store, directory: str) -> None:
        """Open a backup directory and read its manifest.

        Raises:
            ManifestMissing: it has snapshots but no manifest.
            DamageError: the manifest is none.
            StorageError: the store cannot be read.
        """
        self.store = store
        self.directory = directory
        self._manifest = Manifest()
        self._exists = False
        self._file = ManifestFile(store, directory)
        self._open()

    def _open(self) -> None:
        self._read()
        if not self._exists and (ids := self.file_ids()):
            raise ManifestMissing(
                f"no {MANIFEST_NAME} in {self.url}, but snapshots {', '.join(map(str, ids))}",
                hint="check --backup-storage-directory; `metasnapshot rebuild-manifest` makes one "
                "out of the files",
            )

    @property
    def url(self) -> str:
        """The directory, without credentials."""
        return f"{self.store.url}, directory {self.directory!r}"

    def manifest(self) -> Manifest:
        """The manifest as it was when it was last read or written."""
        return self._manifest

    def refresh_manifest(self) -> Manifest:
        """Read the manifest again; like upstream, take it only if its id is greater."""
        known = self._manifest
        self._read()
        if self._manifest.manifest_id <= known.manifest_id:
            self._manifest = known
        return self._manifest

    def entry(self, snapshot_id: int) -> ManifestEntry:
        """A snapshot's entry.

        Raises:
            SnapshotNotFound: the manifest has no such id.
        """
        for entry in self._manifest.entries:
            if entry.id == snapshot_id:
                return entry
        raise SnapshotNotFound(snapshot_id, self._manifest.ids)

    def next_id(self, sequence: int) -> int:
        """The id of a new snapshot: the sequence meta_backup, or one more than the largest id that
        is or was taken: by the manifest, a file, a backup at work, or a snapshot deleted here.
        """
        deleted = read_ledger(self.store, self.directory).last_deleted
        taken = {
            MANIFEST_NAME: self._manifest.ids,
            "a snapshot file": self.file_ids(),
            "a reservation": self.reserved_ids(),
            f"last_deleted in {join(self.directory, LEDGER_NAME)}": (deleted,),
        }
        return following_id(sequence, taken)

    def file_ids(self) -> list[int]:
        """Ids of the snapshot files in the directory, in the manifest or not, ascending."""
        return named_ids(self.store, self.directory, "snapshot")

    def reserved_ids(self) -> list[int]:
        """Ids of backups that are at work, or died, ascending."""
        return reserved_ids(self.store, self.directory)

    @contextmanager
    def reserve(self, sequence: int) -> Generator[int]:
        """Take the next id for the block, so that no other backup gets it.

        Whoever dies in the block wastes an id, nothing more.

        Args:
            sequence: meta_backup of the meta store.
        """
        self.refresh_manifest()
        drop_stale(self.store, self.directory)
        first = self.next_id(sequence)
        for number in range(first, first + RESERVE_ATTEMPTS_MAX):
            with reservation(self.store, self.directory, number) as got_it:
                if got_it and not self._was_taken(number):
                    yield number
                    return
        raise ConflictError(f"no id from {first} on could be reserved in {self.url}")

    def _was_taken(self, number: int) -> bool:
        """Whether a backup that held this id ended since we looked; ours is the reservation now, so
        it left its traces by now.
        """
        return (
            self.store.head(self.path(number)) is not None
            or number in self.refresh_manifest().ids
            or number <= read_ledger(self.store, self.directory).last_deleted
        )

    def create(
        self, snapshot: MetaSnapshot, remarks: str | None = None, rw_version: str | None = None
    ) -> ManifestEntry:
        """Store a snapshot under its id and enter it in the manifest.

        Raises:
            ConflictError: the id is taken.
        """
        data = dumps(snapshot)
        version = snapshot.hummock_version.message
        ids = object_ids(version, snapshot.sections.get(CHANGE_LOGS_SECTION))
        form = snapshot.format_version, snapshot.layout
        entry = describe(snapshot.id, form, version, ids, remarks, rw_version)

        def write(file: BinaryIO) -> ManifestEntry:
            file.write(data)
            return entry

        return self.create_stream(snapshot.id, write)

    def create_stream(
        self,
        snapshot_id: int,
        write: Callable[[BinaryIO], ManifestEntry],
        taken: datetime | None = None,
        taken_by: str = CLOCK,
    ) -> ManifestEntry:
        """Store a snapshot that is written as it is made, first the file, then its entry in the
        manifest.

        Args:
            snapshot_id: its id.
            write: writes the snapshot to the file and returns its entry.
            taken: when its rows were read from the meta store, where that is known.
            taken_by: what says so.

        Raises:
            ConflictError: the id is taken.
            DamageError: the file does not read back as it was written.
        """
        with self.store.open_writer(self.path(snapshot_id)) as file:
            entry = write(file)
            self._make_manifest()
        facts = self._read_back(snapshot_id, taken, taken_by)
        # RisingWave may have deleted a snapshot of this id: its notes are not this one's.
        with suppress(DamageError):  # then there are no notes
            forget(self.store, self.directory, [snapshot_id])
        try:
            self._change(lambda manifest: manifest.with_entry(entry))
        except MetasnapshotError:
            self._drop_unnamed(snapshot_id)
            raise
        note_entered(self.store, self.directory, entry, facts)
        return entry

    def enter(self, entry: ManifestEntry, facts: Facts | None = None) -> None:
        """Enter a snapshot whose file is there already, with what is known of it."""
        self._change(lambda manifest: manifest.with_entry(entry))
        note_entered(self.store, self.directory, entry, facts)

    def _drop_unnamed(self, snapshot_id: int) -> None:
        """Delete a file that the manifest could not be made to name, unless it does after all."""
        with suppress(MetasnapshotError):  # the first error is the one to tell
            self._read()
            if snapshot_id not in self._manifest.ids:
                self.store.delete(self.path(snapshot_id))

    def _make_manifest(self) -> None:
        """See to it that there is a manifest before there is a snapshot.

        Whoever dies between the two would leave a directory that says its manifest was lost.
        """
        if self._exists:
            return
        with suppress(ConflictError):  # somebody else made it
            self.store.put_if_absent(self._file.path, manifests.render(Manifest()))
        self._read()

    def _read_back(self, snapshot_id: int, taken: datetime | None, by: str) -> Facts:
        """Verify a file before the manifest names it; one that is damaged is deleted again."""
        try:
            with self.store.open_reader(self.path(snapshot_id)) as file:
                reader = SnapshotReader(file)
                found, facts = reader.id, facts_in(reader, taken, by)
        except (DamageError, UnknownFormat):
            self.store.delete(self.path(snapshot_id))
            raise
        if found != snapshot_id:
            self.store.delete(self.path(snapshot_id))
            raise DamageError(f"{self.path(snapshot_id)} holds id {found}")
        return facts

    def get(self, snapshot_id: int) -> MetaSnapshot:
        """A snapshot, decoded as a whole.

        Raises:
            SnapshotNotFound: the manifest has no such id.
        """
        with self.open(snapshot_id) as reader:
            return load(reader)

    @contextmanager
    def get_stream(self, snapshot_id: int) -> Generator[BinaryIO]:
        """A snapshot's bytes as a seekable file.

        Raises:
            SnapshotNotFound: the manifest has no such id.
            ObjectMissing: the manifest has it, the store does not.
        """
        self.entry(snapshot_id)
        with self.store.open_reader(self.path(snapshot_id)) as file:
            yield file

    @contextmanager
    def open_file(self, snapshot_id: int) -> Generator[SnapshotReader]:
        """A snapshot's file, verified, whatever the manifest says of it.

        Raises:
            ObjectMissing: there is none.
        """
        known = {entry.id: entry.rw_version for entry in self._manifest.entries}
        with self.store.open_reader(self.path(snapshot_id)) as file:
            yield SnapshotReader(file, release=known.get(snapshot_id))

    @contextmanager
    def open(self, snapshot_id: int) -> Generator[SnapshotReader]:
        """A snapshot, verified and ready to be read row by row."""
        self.entry(snapshot_id)
        with self.open_file(snapshot_id) as reader:
            yield reader

    def delete(self, ids: Iterable[int]) -> None:
        """Delete snapshots: first from the manifest, then their files. Unknown ids are no error, as
        upstream; the file of one that a backup is just writing stays.

        Raises:
            RetentionLocked: one of them is kept; nothing is deleted.
        """
        wanted, gone = set(ids), set[int]()
        known = wanted.intersection(self.refresh_manifest().ids)
        announce_delete(self.store, self.directory, known)

        def without(manifest: Manifest) -> Manifest:
            gone.clear()
            gone.update(wanted.intersection(manifest.ids))
            return manifest.without(wanted)

        self._change(without)
        announce_delete(self.store, self.directory, gone - known)
        forget(self.store, self.directory, gone)
        with suppress(DamageError, UnknownFormat):  # they are of those bytes only
            drop_facts(self.store, self.directory, gone)
        for snapshot_id in sorted(wanted):
            if snapshot_id in gone or not is_reserved(self.store, self.directory, snapshot_id):
                self.store.delete(self.path(snapshot_id))

    def path(self, snapshot_id: int) -> str:
        """Where a snapshot's file lies in the store."""
        return join(self.directory, f"{snapshot_id}.snapshot")

    def _read(self) -> None:
        if (found := self._file.read()) is not None:  # else keep what is known, as upstream does
            self._manifest, self._exists = manifests.parse(found.data), True

    def _change(self, change: Callable[[Manifest], Manifest]) -> None:
        """Change the manifest; if it changed meanwhile, change what is there now."""
        self._manifest = self._file.change(
            lambda found: change(self._manifest if found is None else found)
        )
        self._exists = True
