"""A backup directory whose manifest is lost, damaged or wrong, opened to be given a new one."""

from __future__ import annotations

from contextlib import suppress

from metasnapshot.catalogue import manifest as manifests
from metasnapshot.catalogue.manifest import Manifest
from metasnapshot.catalogue.repository import PREVIOUS_NAME, Repository
from metasnapshot.errors import DamageError, ObjectMissing
from metasnapshot.store.port import Store, join


class Rebuilder(Repository):
    """A directory that may have no manifest, or one that is none."""

    def __init__(self, store: Store, directory: str) -> None:
        """Open a backup directory, whatever lies in the manifest's place."""
        self._etag: str | None = None
        super().__init__(store, directory)

    def _open(self) -> None:
        with suppress(ObjectMissing, DamageError):
            found = self.store.read(self._manifest_path())
            self._etag, self._exists = found.etag, True
            self._manifest = manifests.parse(found.data)

    def previous_manifest_id(self) -> int:
        """Id of the manifest that was replaced last; 0 if none is known."""
        try:
            found = self.store.read(join(self.directory, PREVIOUS_NAME))
            return manifests.parse(found.data).manifest_id
        except (ObjectMissing, DamageError):
            return 0

    def replace_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest that was there when this was opened.

        Raises:
            ConflictError: it changed meanwhile.
        """
        path, data = self._manifest_path(), manifests.render(manifest)
        if self._etag is None:
            self.store.put_if_absent(path, data)
        else:
            self._keep_previous(self.store.read(path).data)
            self.store.put_if_match(path, data, self._etag)
        self._manifest, self._exists = manifest, True
