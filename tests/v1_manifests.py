"""Manifests with V1 entries, in the words of the releases that wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from v1_snapshots import cluster

from metasnapshot import MetaSnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.store.local import LocalStore

EPOCH = 116_795_000_000 << 16
SAFE_EPOCH = EPOCH - (1000 << 16)
TABLE = 1001
BY_TABLE = "1.10"
REWRITTEN = "2.1"
DIALECTS = ("0.1.15", "1.3", "1.4", "1.6", BY_TABLE, REWRITTEN)
"""Named after the first release of each; the last is what that release makes of older entries: it
reads their epochs as zeros, and writes these back.
"""
_RELEASES = {"v1-1.8": "1.10.2", "v1-2.0": "2.0.7"}


def v1_entry(dialect: str, layout: str, number: int) -> dict[str, Any]:
    """The entry of a snapshot of `cluster`, in the order in which the release writes its fields."""
    age = DIALECTS.index(dialect)
    fields: dict[str, Any] = {"id": number, "hummock_version_id": 321, "ssts": [7]}
    if dialect == "0.1.15":
        fields["ssts"] = [7, 7, 7]
    if dialect != REWRITTEN:
        fields |= {"max_committed_epoch": EPOCH, "safe_epoch": SAFE_EPOCH}
    if age >= DIALECTS.index("1.4"):
        fields["format_version"] = 0 if layout == "v1-0.1.15" else 1
    if age >= DIALECTS.index("1.6"):
        fields["remarks"] = "nightly"
    if dialect == BY_TABLE:
        info = {"committedEpoch": str(EPOCH), "safeEpoch": str(SAFE_EPOCH)}
        fields["state_table_info"] = {str(TABLE): info | {"compactionGroupId": "2"}}
    if dialect == REWRITTEN:
        info = {"committed_epoch": 0, "compaction_group_id": 0}
        fields["state_table_info"] = {str(TABLE): info}
    if age >= DIALECTS.index(BY_TABLE):
        fields["rw_version"] = _RELEASES.get(layout)
    return fields


def write_manifest(folder: Path, manifest_id: int, entries: list[dict[str, Any]]) -> None:
    """manifest.json as RisingWave writes it: compact."""
    whole = {"manifest_id": manifest_id, "snapshot_metadata": entries}
    folder.joinpath("manifest.json").write_text(json.dumps(whole, separators=(",", ":")))


def write_backups(root: Path, layout: str, dialect: str) -> Repository:
    """Snapshots 1 and 2 of one cluster, whose view differs; nothing else is in the directory."""
    views = {1: "SELECT 1", 2: "SELECT 2"}
    snapshots = [cluster(layout, number, view=sql) for number, sql in views.items()]
    return write_snapshots(root, dialect, *snapshots)


def write_snapshots(root: Path, dialect: str, *snapshots: MetaSnapshot) -> Repository:
    """V1 snapshots with a manifest of a dialect, as upstream leaves them."""
    made = Repository(LocalStore(root), "backup")
    for snapshot in snapshots:
        changes.create(made, snapshot)
    folder = root / "backup"
    for path in folder.iterdir():
        if path.suffix != ".snapshot":
            path.unlink()
    entries = [v1_entry(dialect, item.layout, item.id) for item in snapshots]
    write_manifest(folder, len(entries), entries)
    return Repository(LocalStore(root), "backup")
