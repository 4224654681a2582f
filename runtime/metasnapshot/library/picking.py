"""Which snapshot somebody means: an id, as a number or as a text, or latest, or oldest."""

from __future__ import annotations

from metasnapshot.catalogue.clusters import entries_of
from metasnapshot.catalogue.ids import parse_id
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import SnapshotNotFound, UsageError

SnapshotId = int | str
"""An id, as a number or as a text; `latest`; `oldest`."""


def snapshot_id(wanted: SnapshotId, found: Repository) -> int:
    """The id that is meant.

    Raises:
        UsageError: it is not an id.
        SnapshotNotFound: latest or oldest of none; or it is not of the cluster that is asked for.
        ConflictError: latest or oldest of the snapshots of more than one cluster.
    """
    if wanted in ("latest", "oldest"):
        ids = [entry.id for entry in entries_of(found)]
        if not ids:
            raise found.not_found(wanted, ids)
        return max(ids) if wanted == "latest" else min(ids)
    number = given_id(str(wanted), "a number, latest or oldest")
    if found.cluster is not None and number in found.ids:
        picked = [entry.id for entry in entries_of(found)]
        if number not in picked:
            raise SnapshotNotFound(number, picked)
    return number


def given_id(text: str, hint: str) -> int:
    """The id that a text is; zeros before it mean nothing.

    Args:
        text: what was typed.
        hint: of the error: what would do.

    Raises:
        UsageError: it is not valid.
    """
    number = parse_id(text.lstrip("0") or text[-1:])
    if number is None:
        raise UsageError(f"not a snapshot id: {text!r:.60}", hint=hint)
    return number


def listed(found: Repository) -> tuple[ManifestEntry, ...]:
    """All snapshots of the directory, or those of the cluster that is asked for."""
    return found.entries if found.cluster is None else entries_of(found)
