"""What several verbs say of the snapshots of a manifest: each as JSON, and whose time cannot be."""

from __future__ import annotations

from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.cli.text import Document, note


def warn_of_clocks(found: Repository) -> None:
    """Tell which snapshots are ahead of all clocks."""
    records = Records(found)
    for text in records.ahead(records.clocks()):
        note(text)


def snapshot_document(found: ManifestEntry) -> Document:
    """What the manifest says of it."""
    return {
        "id": found.id,
        "format_version": found.format_version,
        "hummock_version_id": found.hummock_version_id,
        "objects": found.object_count,
        "state_tables": len(found.state_table_info),
        "rw_version": found.rw_version,
        "remarks": found.remarks,
    }
