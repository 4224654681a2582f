"""A backup directory whose manifest is lost, damaged or wrong, opened to be given a new one."""

from __future__ import annotations

from metasnapshot.catalogue import manifest as manifests
from metasnapshot.catalogue.manifest import Manifest
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError, DamageError, NoObject, ObjectMissing
from metasnapshot.store.context import PLAIN, Context
from metasnapshot.store.document import MANIFEST_SIZE_MAX, read_document
from metasnapshot.store.port import Store


class Rebuilder(Repository):
    """A directory that may have no manifest, or a damaged one (`is_damaged`)."""

    def __init__(self, store: Store, directory: str, context: Context = PLAIN) -> None:
        """Open a backup directory, whatever lies in the manifest's place."""
        self._data: bytes | None = None
        self.is_damaged = False
        super().__init__(store, directory, context)

    def _open(self) -> None:
        found = self._file.read()
        if found is None:
            return
        self._data, self._exists = found.data, True
        try:
            self._manifest = manifests.parse(found.data)
        except DamageError:
            self.is_damaged = True

    def largest_manifest_id(self) -> int:
        """The largest id that a manifest here is known to have had, whatever state it is in: a
        meta node only takes one that is larger.
        """
        claimed = manifests.claimed_id(self._data or b"")
        try:
            previous = read_document(self.store, self._file.previous_path, MANIFEST_SIZE_MAX).data
        except (ObjectMissing, DamageError, NoObject):
            return claimed
        # The one that was replaced last; if what it said is not to be read now, one came after it.
        return max(claimed, manifests.claimed_id(previous) + (self.is_damaged and not claimed))

    def replace_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest that was there when this was opened.

        Raises:
            ConflictError: it changed meanwhile.
        """
        path, data = self._file.path, manifests.render(manifest)
        with self.store.exclusive(path):
            found = self._file.read()
            if (found.data if found else None) != self._data:
                raise ConflictError(f"{path} changed meanwhile", hint="look at it again")
            if found is None:
                self.store.put_if_absent(path, data)
            else:
                self._file.keep_previous(found.data)
                self.store.put_if_match(path, data, found.etag)
        self._manifest, self._exists = manifest, True
