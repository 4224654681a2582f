"""What --json prints: one object per command, as docs/guide.md says. Keys are only ever added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from metasnapshot.catalogue.ledger import Ledger
from metasnapshot.catalogue.manifest import Manifest, ManifestEntry
from metasnapshot.catalogue.times import epoch_time
from metasnapshot.cli.settings import Setting, Value
from metasnapshot.errors import MetasnapshotError
from metasnapshot.operations.backup import BackupResult
from metasnapshot.operations.check import Health
from metasnapshot.operations.copy import Copied
from metasnapshot.operations.coverage import Coverage
from metasnapshot.operations.create_schema import SchemaResult
from metasnapshot.operations.diff import ADDED, CHANGED, REMOVED, Change, Objects
from metasnapshot.operations.drill import DrillResult
from metasnapshot.operations.expire import Judged
from metasnapshot.operations.gc import Stray, Strays
from metasnapshot.operations.pins import Pins
from metasnapshot.operations.rebuild import Rebuilt
from metasnapshot.operations.restore import RestoreResult
from metasnapshot.operations.restore_plan import RestorePlan
from metasnapshot.operations.show import Summary
from metasnapshot.operations.verify import VerifyResult
from metasnapshot.store.location import without_credentials

Document = dict[str, Any]


def error(found: MetasnapshotError) -> Document:
    """What a failed command prints on stdout with --json."""
    return {
        "error": {
            "kind": type(found).__name__,
            "message": str(found),
            "hint": found.hint,
            "exit_code": found.exit_code,
        }
    }


def entry(found: ManifestEntry) -> Document:
    """A snapshot as the manifest has it."""
    return {
        "id": found.id,
        "format_version": found.format_version,
        "hummock_version_id": found.hummock_version_id,
        "objects": found.object_count,
        "state_tables": len(found.state_table_info),
        "rw_version": found.rw_version,
        "remarks": found.remarks,
    }


def listing(manifest: Manifest, ledger: Ledger) -> Document:
    """List"""
    snapshots: list[Document] = []
    for item in manifest.entries:
        verified = ledger.verified.get(item.id)
        note = (
            {"at": verified.at, "level": verified.level, "checksum": verified.checksum}
            if verified
            else None
        )
        snapshots.append(entry(item) | {"kept": item.id in ledger.kept, "verified": note})
    return {"manifest_id": manifest.manifest_id, "snapshots": snapshots}


def backup(result: BackupResult, *, dry_run: bool) -> Document:
    """Backup"""
    return {
        "dry_run": dry_run,
        "snapshot": entry(result.entry),
        "layout": result.layout,
        "releases": list(result.releases),
        "rows": result.rows,
        "bytes": result.size,
        "checksum": f"{result.checksum:016x}",
        "checkpoint_version": result.checkpoint_version,
        "deltas": result.deltas,
        "pinned": result.pinned,
        "omitted": list(result.omitted),
        "warnings": list(result.warnings),
    }


def verification(result: VerifyResult, *, skipped: bool = False) -> Document:
    """One snapshot of verify."""
    document: Document = {
        "id": result.snapshot_id,
        "level": result.level,
        "ok": result.error is None,
        "skipped": skipped,
        "bytes": result.size,
        "rows": result.rows,
        "layout": result.layout,
        "unknown_migrations": list(result.unknown_migrations),
        "checksum": f"{result.checksum:016x}",
        "findings": [asdict(item) for item in result.findings.kept],
        "counts": dict(result.findings.counts),
    }
    return document if result.error is None else document | error(result.error)


def plan(found: RestorePlan) -> Document:
    """Restore --plan"""
    return {
        "ok": found.error is None,
        "layout": found.layout,
        "checks": [
            {"name": check.name, "result": check.result, "reason": check.reason}
            for check in found.checks
        ],
        "rows": found.rows,
        "sequences_from": found.sequences_from,
        "sequences": {row.name: row.seq for row in found.sequences},
        "creates": list(found.creates),
        "empties": found.empties,
        "loaded": found.loaded,
        "done": found.done,
        "replaces_checkpoint": found.replaces_checkpoint,
    }


def restoration(result: RestoreResult, snapshot_id: int) -> Document:
    """Restore"""
    return {
        "snapshot_id": snapshot_id,
        "plan": plan(result.plan),
        "rows": result.rows,
        "auto_increment": result.sequences,
        "checkpoint": result.checkpoint,
        "replaced_checkpoint": result.replaced_checkpoint,
        "checklist": list(result.checklist),
    }


def schema(result: SchemaResult) -> Document:
    """Create-schema; tables is empty if all were there"""
    return {
        "release": result.release,
        "engine": result.engine,
        "tables": list(result.tables),
        "migrations": result.migrations,
    }


def coverage(result: Coverage, scaffold: Sequence[str] = ()) -> Document:
    """Coverage; scaffold is empty unless it was asked for"""
    return {
        "layout": result.layout,
        "releases": list(result.candidates.releases),
        "exact": result.candidates.exact,
        "unknown_migrations": list(result.candidates.unknown),
        "covered": [item.name for item in result.covered],
        "excluded": {item.name: item.reason for item in result.excluded},
        "unknown": [item.name for item in result.unknown],
        "missing": [item.name for item in result.missing],
        "scaffold": list(scaffold),
    }


def summary(found: Summary) -> Document:
    """Show"""
    epochs = found.epochs
    return {
        "snapshot": entry(found.entry),
        "cluster_ids": list(found.cluster_ids),
        "layout": found.layout,
        "releases": list(found.releases),
        "unknown_migrations": list(found.unknown_migrations),
        "bytes": found.size,
        "checksum": f"{found.checksum:016x}",
        "names": found.names,
        "committed_epochs": [
            {"epoch": epoch, "time": epoch_time(epoch).isoformat(timespec="milliseconds")}
            for epoch in (epochs or ())
        ],
        "parameters": found.parameters,
        "risks": list(found.risks),
        "sections": [
            {"name": item.name, "rows": item.rows, "bytes": item.size} for item in found.sections
        ],
    }


def drill(found: DrillResult) -> Document:
    """Drill"""
    return {
        "snapshot_id": found.snapshot_id,
        "ok": not found.differences,
        "layout": found.layout,
        "rows": found.rows,
        "hummock_version_id": found.hummock_version_id,
        "differences": list(found.differences),
    }


def settings(found: Mapping[Setting, Value]) -> Document:
    """Config show"""
    return {
        "settings": [
            {
                "option": item.option,
                "key": f"{item.table}.{item.key}",
                "variable": item.variable,
                "value": None if value.text is None else without_credentials(value.text),
                "origin": value.origin,
            }
            for item, value in found.items()
        ]
    }


def change(by: str, found: Change) -> Document:
    """A line of diff: by name or by row."""
    document: Document = {
        "by": by,
        "kind": found.kind,
        "change": found.change,
        "key": ".".join(map(str, found.key)) if by == "name" else list(found.key),
        "columns": list(found.columns),
    }
    values = {"before": found.before, "after": found.after}
    return document | {name: text for name, text in values.items() if text is not None}


def differences(counts: Mapping[tuple[str, str], int], objects: Objects | None) -> Document:
    """The last line of diff."""
    sections: dict[str, dict[str, int]] = {}
    for (section, word), count in counts.items():
        sections.setdefault(section, dict.fromkeys((ADDED, REMOVED, CHANGED), 0))[word] = count
    document: Document = {"summary": True, "equal": not sections, "rows": sections}
    if objects is not None:
        document |= {"objects_added": objects[0], "objects_removed": objects[1]}
    return document


def pins(found: Pins) -> Document:
    """Pins"""
    document: Document = {
        "snapshot_ids": list(found.snapshot_ids),
        "objects": found.objects,
        "bytes": found.size,
        "own_objects": found.own_objects,
        "own_bytes": found.own_size,
    }
    if found.lost is None:
        return document
    return document | {
        "missing": found.lost.missing,
        "findings": [asdict(item) for item in found.lost.kept],
    }


def expiry(
    judged: Sequence[Judged], deleted: Sequence[ManifestEntry], *, committed: bool
) -> Document:
    """Expire"""
    return {
        "committed": committed,
        "snapshots": [
            {
                "id": item.entry.id,
                "taken_at": item.taken_at.isoformat() if item.taken_at else None,
                "reasons": item.reasons,
            }
            for item in judged
        ],
        "deleted": [entry.id for entry in deleted],
    }


def strays(found: Strays, gone: Sequence[Stray], *, committed: bool) -> Document:
    """Gc"""
    return {
        "committed": committed,
        "found": [
            {
                "kind": item.kind,
                "path": item.path,
                "bytes": item.size,
                "modified": item.modified.isoformat() if item.modified else None,
                "due": item.is_due,
            }
            for item in found.found
        ],
        "lost": list(found.lost),
        "deleted": [item.path for item in gone],
    }


def rebuilt(found: Rebuilt, *, committed: bool) -> Document:
    """Rebuild-manifest"""
    return {
        "committed": committed,
        "manifest_id": found.manifest.manifest_id,
        "added": list(found.added),
        "changed": list(found.changed),
        "dropped": list(found.dropped),
        "damaged": [{"id": number, "why": why} for number, why in found.damaged.items()],
    }


def copies(found: Sequence[Copied]) -> Document:
    """Copy"""
    copied = [
        {"id": item.snapshot_id, "bytes": item.size, "was_there": item.was_there}
        for item in found
        if item.error is None
    ]
    failed = [{"id": item.snapshot_id, "error": str(item.error)} for item in found if item.error]
    return {"copied": copied, "failed": failed}


def health(found: Health) -> Document:
    """Check"""
    return {
        "ok": not found.problems,
        "count": found.count,
        "newest_id": found.newest_id,
        "newest_at": found.newest_at.isoformat() if found.newest_at else None,
        "newest_bytes": found.newest_size,
        "vanished": list(found.vanished),
        "problems": list(found.problems),
    }
