"""A snapshot of the manifest as JSON, as several verbs show it."""

from __future__ import annotations

from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.cli.text import Document


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
