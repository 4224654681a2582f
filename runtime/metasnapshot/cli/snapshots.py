"""Which snapshots the words of a command line mean, and what several verbs say of them."""

from __future__ import annotations

from collections.abc import Sequence

from metasnapshot import Backups, Header, ManifestEntry, say_what_stays
from metasnapshot.cli.text import Document, note
from metasnapshot.errors import UsageError

IS_FULL, IS_PARTIAL = "full", "partial"
HIDDEN = (
    "what was deleted is hidden, not freed: the bucket keeps versions; a rule of its lifecycle for "
    "noncurrent versions frees them"
)


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


def full_document(found: Header | None) -> Document:
    """What its side file says of it, None for a partial one."""
    if found is None:
        return {"completeness": IS_PARTIAL, "full": None}
    names = ("objects", "bytes", "objects_new", "bytes_new")
    full = {name: getattr(found, name) for name in names}
    return {"completeness": IS_FULL, "full": full}


def require_named(texts: Sequence[str]) -> Sequence[str]:
    """Words that name snapshots.

    Raises:
        UsageError: there is none.
    """
    if not texts:
        raise UsageError("no snapshot id", hint="`metasnapshot list` shows them")
    return texts


def tell_what_is_left(found: Backups, *, deleted: bool) -> Document:
    """Warn of what was to be deleted and is retained by the service, and of what was deleted and is
    only hidden; what --json prints of it.
    """
    for text in say_what_stays(found.retained):
        note(text)
    stays = [{"path": item.path, "until": item.until or None} for item in found.retained]
    told: Document = {"retained": stays} if stays else {}
    if deleted and found.keeps_versions():
        note(HIDDEN)
        told["hidden"] = True
    return told
