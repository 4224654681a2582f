"""Which snapshots the words of a command line mean, and what several verbs say of them."""

from __future__ import annotations

from collections.abc import Sequence

from metasnapshot.catalogue.clusters import entries_of
from metasnapshot.catalogue.completeness import IS_FULL, IS_PARTIAL
from metasnapshot.catalogue.full_header import Header
from metasnapshot.catalogue.ids import parse_id
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.cli.text import Document, note
from metasnapshot.errors import SnapshotNotFound, UsageError


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


def full_document(found: Header | None) -> Document:
    """What its side file says of it, None for a partial one."""
    if found is None:
        return {"completeness": IS_PARTIAL, "full": None}
    names = ("objects", "bytes", "objects_new", "bytes_new")
    full = {name: getattr(found, name) for name in names}
    return {"completeness": IS_FULL, "full": full}


def snapshot_id(text: str, found: Repository) -> int:
    """The id that a text means.

    Raises:
        UsageError: it is no id.
        SnapshotNotFound: latest or oldest of none; or it is not of the cluster that is asked for.
        ConflictError: latest or oldest of the snapshots of more than one cluster.
    """
    if text in ("latest", "oldest"):
        ids = [entry.id for entry in entries_of(found)]
        if not ids:
            raise found.not_found(text, ids)
        return max(ids) if text == "latest" else min(ids)
    number = given_id(text, "a number, latest or oldest")
    if found.cluster is not None and number in found.manifest().ids:
        picked = [entry.id for entry in entries_of(found)]
        if number not in picked:
            raise SnapshotNotFound(number, picked)
    return number


def given_id(text: str, hint: str) -> int:
    """The id that a text is; zeros before it mean nothing.

    Raises:
        UsageError: it is none.
    """
    number = parse_id(text.lstrip("0") or text[-1:])
    if number is None:
        raise UsageError(f"not a snapshot id: {text!r:.60}", hint=hint)
    return number


def snapshot_ids(texts: Sequence[str], found: Repository) -> list[int]:
    """The ids that texts mean; all of the directory's if there are none."""
    if texts:
        return [snapshot_id(text, found) for text in texts]
    return [entry.id for entry in listed(found)]


def listed(found: Repository) -> tuple[ManifestEntry, ...]:
    """All snapshots of the directory, or those of the cluster that is asked for."""
    return found.manifest().entries if found.cluster is None else entries_of(found)


def named_ids(texts: Sequence[str], found: Repository) -> list[int]:
    """The ids that texts mean.

    Raises:
        UsageError: there is none.
    """
    if not texts:
        raise UsageError("no snapshot id", hint="`metasnapshot list` shows them")
    return snapshot_ids(texts, found)
