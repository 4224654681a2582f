"""The snapshots of one backup directory: those that its manifest names, and those that are kept as
deltas of them (delta_files.py). What changes them is in changes.py. Together they are upstream's
MetaSnapshotStorage, with its method names.

Paths are `{directory}/manifest.json` and `{directory}/{id}.snapshot`. Unlike upstream's, a
snapshot's file is never overwritten, and the manifest changes by compare-and-swap: a change that
meets another one is made again on top of it.
Source: src/storage/backup/src/storage.rs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Literal

from metasnapshot.catalogue import manifest as manifests
from metasnapshot.catalogue.delta_entry import DeltaEntry, entry_of
from metasnapshot.catalogue.delta_files import DeltaFile, delta_files
from metasnapshot.catalogue.manifest import MANIFEST_NAME, Manifest, ManifestEntry
from metasnapshot.catalogue.manifest_file import ManifestFile
from metasnapshot.catalogue.nearby import nearby
from metasnapshot.catalogue.rebuilding import rebuilt_file, rebuilt_reader
from metasnapshot.catalogue.reservation import named_ids, reserved_ids
from metasnapshot.errors import ConflictError, DamageError, ManifestMissing, SnapshotNotFound
from metasnapshot.store.context import PLAIN, Context
from metasnapshot.store.deletes import Stays
from metasnapshot.store.port import Store, join

if TYPE_CHECKING:
    from metasnapshot.format.reader import SnapshotReader
    from metasnapshot.format.snapshot import MetaSnapshot

SNAPSHOT: Literal["snapshot"] = "snapshot"


class Repository:
    """The snapshots of a directory of a store; `cluster` is the one to pick among (clusters.py).
    `stays` has what was to be deleted here and is retained by the service.
    """

    def __init__(self, store: Store, directory: str, context: Context = PLAIN) -> None:
        """Open a backup directory and read its manifest.

        Args:
            store: where it is.
            directory: in the store.
            context: how an operation on it reaches other stores.

        Raises:
            ManifestMissing: it has snapshots but no manifest.
            DamageError: the manifest is damaged.
            StorageError: the store cannot be read.
        """
        self.store = store
        self.directory = directory
        self.context = context
        self.cluster: str | None = None
        self.stays: list[Stays] = []
        self._manifest = Manifest()
        self._deltas: dict[int, DeltaFile] | None = None
        self._unnamed: tuple[Manifest, dict[int, DeltaFile]] | None = None
        self._delta_entries: dict[int, DeltaEntry] = {}
        self._exists = False
        self._file = ManifestFile(store, directory)
        self._open()

    def _open(self) -> None:
        self.reread()
        if self._exists or not (ids := self.file_ids()):
            return
        self.reread()  # somebody may have made the first snapshot between the two looks
        if not self._exists:
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
        self.reread()
        if self._manifest.manifest_id <= known.manifest_id:
            self._manifest = known
        return self._manifest

    @property
    def deltas(self) -> Mapping[int, DeltaFile]:
        """The deltas in the directory by snapshot id, as they were when they were first asked for
        since the manifest was read. One whose snapshot the manifest has is left out: the plain file
        is worth more.
        """
        if self._deltas is None:
            self._deltas, self._unnamed = delta_files(self.store, self.directory), None
        if self._unnamed is None or self._unnamed[0] is not self._manifest:
            named = set(self._manifest.ids)
            found = {number: it for number, it in self._deltas.items() if number not in named}
            self._unnamed = self._manifest, found
        return self._unnamed[1]

    @property
    def entries(self) -> tuple[ManifestEntry, ...]:
        """All snapshots: those of the manifest, in its order, and those that are kept as deltas,
        which it does not name; where there are any, all by id.
        """
        if not (deltas := self.deltas):
            return self._manifest.entries
        found = [*self._manifest.entries, *map(self._delta_entry, deltas.values())]
        return tuple(sorted(found, key=lambda entry: entry.id))

    def _delta_entry(self, file: DeltaFile) -> DeltaEntry:
        """The entry of a delta, the same as long as the delta is: it keeps what it has read."""
        known = self._delta_entries.get(file.id)
        if known is None or known.file is not file:
            known = self._delta_entries[file.id] = entry_of(file)
        return known

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of all snapshots, in the same order."""
        if not (deltas := self.deltas):
            return self._manifest.ids
        return tuple(sorted([*self._manifest.ids, *deltas]))

    def entry(self, snapshot_id: int) -> ManifestEntry:
        """A snapshot's entry: the manifest's, or the one that a delta stands for.

        Raises:
            SnapshotNotFound: there is no such id.
        """
        for entry in self._manifest.entries:
            if entry.id == snapshot_id:
                return entry
        if (delta := self.deltas.get(snapshot_id)) is not None:
            return self._delta_entry(delta)
        raise self.not_found(snapshot_id, self.ids)

    def delta(self, snapshot_id: int) -> DeltaFile | None:
        """The delta of a snapshot that the manifest does not name; None for others."""
        is_named = any(entry.id == snapshot_id for entry in self._manifest.entries)
        return None if is_named else self.deltas.get(snapshot_id)

    def not_found(self, wanted: int | str, known: Sequence[int]) -> SnapshotNotFound:
        """The error that a snapshot, or any, is not among those that are known; if there is no
        manifest at all, it says where one was looked for, and where there is one.
        """
        if known or self._exists:
            return SnapshotNotFound(wanted, known)
        return SnapshotNotFound(wanted, known, hint=self.why_empty())

    def why_empty(self) -> str:
        """Where a manifest was looked for, and where there is one; empty if there is one here."""
        if self._exists:
            return ""
        near = nearby(self.store, self.directory)
        way_out = near or "check --backup-storage-url and --backup-storage-directory"
        return f"there is no {MANIFEST_NAME} in {self.url}: {way_out}"

    def file_ids(self) -> list[int]:
        """Ids of the snapshot files in the directory, in the manifest or not, ascending."""
        return named_ids(self.store, self.directory, SNAPSHOT)

    def reserved_ids(self) -> list[int]:
        """Ids of backups that are at work, or died, ascending."""
        return reserved_ids(self.store, self.directory)

    def get(self, snapshot_id: int) -> MetaSnapshot:
        """A snapshot, decoded as a whole.

        Raises:
            SnapshotNotFound: the manifest has no such id.
        """
        from metasnapshot.format.snapshot import load  # noqa: PLC0415 - loads what writes, too

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
        if (delta := self.delta(snapshot_id)) is not None:
            with rebuilt_file(self.store, delta, self._base_path(delta)) as file:
                yield file
            return
        with self.store.open_reader(self.path(snapshot_id)) as file:
            yield file

    def _base_path(self, delta: DeltaFile) -> str:
        return self.path(delta.header.base_id)

    @contextmanager
    def open_file(self, snapshot_id: int) -> Generator[SnapshotReader]:
        """A snapshot's file, verified, whatever the manifest says of it.

        Raises:
            ObjectMissing: there is none.
            DamageError: it is not what its writer wrote; says which file.
        """
        from metasnapshot.format.reader import SnapshotReader  # noqa: PLC0415 - not for a list

        known = {entry.id: entry.rw_version for entry in self._manifest.entries}
        path = self.path(snapshot_id)
        with self.store.open_reader(path) as file:
            try:
                reader = SnapshotReader(file, release=known.get(snapshot_id))
            except DamageError as error:
                raise error.in_file(f"snapshot {snapshot_id} ({path})") from None
            yield reader

    @contextmanager
    def open(self, snapshot_id: int) -> Generator[SnapshotReader]:
        """A snapshot, verified and ready to be read row by row; one that is kept as a delta is
        rebuilt as it is read.
        """
        entry = self.entry(snapshot_id)
        if (delta := self.delta(snapshot_id)) is None:
            with self.open_file(snapshot_id) as reader:
                yield reader
            return
        base = self._base_path(delta)
        with rebuilt_reader(self.store, delta, base, entry.rw_version) as reader:
            yield reader

    def stored_path(self, snapshot_id: int) -> str:
        """Where what is kept of a snapshot lies: its file, or its delta."""
        delta = self.delta(snapshot_id)
        return self.path(snapshot_id) if delta is None else delta.path

    def path(self, snapshot_id: int) -> str:
        """Where a snapshot's file lies in the store."""
        return join(self.directory, f"{snapshot_id}.{SNAPSHOT}")

    def reread(self) -> None:
        """Read the manifest again, whatever its id; and look for deltas again."""
        self.forget_deltas()
        if (found := self._file.read()) is not None:  # else keep what is known, as upstream does
            self._manifest, self._exists = manifests.parse(found.data), True

    def forget_deltas(self) -> None:
        """Look for deltas again when they are asked for."""
        self._deltas = None

    def make_manifest(self) -> None:
        """See to it that there is a manifest before there is a snapshot.

        A process that dies between the two would leave a directory that seems to have lost its
        manifest.
        """
        if self._exists:
            return
        with suppress(ConflictError):  # somebody else made it
            self.store.put_if_absent(self._file.path, manifests.render(Manifest()))
        self.reread()

    def change_manifest(self, change: Callable[[Manifest], Manifest]) -> None:
        """Change the manifest; if it changed meanwhile, change what is there now."""
        self._manifest = self._file.change(
            lambda found: change(self._manifest if found is None else found)
        )
        self._exists = True
