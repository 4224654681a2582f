"""manifest.json in its directory: read, and changed by compare-and-swap. What a change replaces is
kept as `manifest.json.previous`.
"""

from __future__ import annotations

from collections.abc import Callable

from metasnapshot.catalogue import manifest as manifests
from metasnapshot.catalogue.manifest import MANIFEST_NAME, Manifest
from metasnapshot.errors import DamageError, NoObject, ObjectMissing
from metasnapshot.store.document import MANIFEST_SIZE_MAX, read_document
from metasnapshot.store.port import Store, StoredObject, join
from metasnapshot.store.swap import change_object

PREVIOUS_NAME = f"{MANIFEST_NAME}.previous"


class ManifestFile:
    """The manifest of a directory, whether it is there or not."""

    def __init__(self, store: Store, directory: str) -> None:
        self.store = store
        self.path = join(directory, MANIFEST_NAME)
        self.previous_path = join(directory, PREVIOUS_NAME)

    def read(self) -> StoredObject | None:
        """Its bytes; None if there is none.

        Raises:
            DamageError: it is larger than a manifest may be.
        """
        try:
            return read_document(self.store, self.path, MANIFEST_SIZE_MAX)
        except ObjectMissing:
            return None

    def change(self, change: Callable[[Manifest | None], Manifest]) -> Manifest:
        """Change it, or make it out of None; if it changed meanwhile, change what is there now.

        Raises:
            DamageError: it is no manifest; it stays as it is.
        """
        changed = Manifest()

        def apply(data: bytes | None) -> bytes:
            nonlocal changed
            changed = change(None if data is None else manifests.parse(data))
            if data is not None:
                self.keep_previous(data)
            return manifests.render(changed)

        change_object(self.store, self.path, apply, MANIFEST_SIZE_MAX)
        return changed

    def keep_previous(self, data: bytes) -> None:
        """Keep the manifest that is about to be replaced, for a person who has to mend one."""
        try:
            change_object(self.store, self.previous_path, lambda _: data, MANIFEST_SIZE_MAX)
        except (DamageError, NoObject):  # what lies there is no manifest, and in nobody's way
            self.store.delete(self.previous_path)
            change_object(self.store, self.previous_path, lambda _: data, MANIFEST_SIZE_MAX)
