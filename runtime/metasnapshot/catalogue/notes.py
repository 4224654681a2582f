"""Notes of a snapshot, in ledger and facts, written beside what counts: where that fails, the
snapshot is no less of one, and its file and entry still say most of it.
"""

from __future__ import annotations

from contextlib import suppress

from metasnapshot.catalogue.facts import Facts, record_facts
from metasnapshot.catalogue.ledger import remember
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.errors import ConflictError, DamageError, StorageError, UnknownFormat
from metasnapshot.store.codes import Denied
from metasnapshot.store.port import Store

FAILURES = (StorageError, Denied, ConflictError, DamageError, UnknownFormat)


def note_entered(
    store: Store,
    directory: str,
    entry: ManifestEntry,
    facts: Facts | None = None,
    *,
    was_delta: bool = False,
) -> None:
    """Note that a snapshot was entered in the manifest here, and what is known of it."""
    with suppress(*FAILURES):
        remember(store, directory, entry.id, entry.hummock_version_id, was_delta=was_delta)
    if facts is not None:
        note_facts(store, directory, entry.id, facts)


def note_facts(store: Store, directory: str, snapshot_id: int, facts: Facts) -> None:
    """Note what is known of a snapshot."""
    with suppress(*FAILURES):
        record_facts(store, directory, snapshot_id, facts)
