"""Everyday: back up a meta store into a new snapshot."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

import metasnapshot
from metasnapshot import BackupOptions, shown_url
from metasnapshot.cli import live
from metasnapshot.cli.gauges import tell_backup
from metasnapshot.cli.live import ViaMeta
from metasnapshot.cli.meta_store import NOWHERE, OptionalMetaStore
from metasnapshot.cli.objects import WITHOUT, WithObjects
from metasnapshot.cli.options import ANYWHERE, Json, OptionalDirectory
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.snapshots import snapshot_document
from metasnapshot.cli.text import (
    Document,
    complain,
    error_document,
    note,
    releases,
    say,
    say_json,
    spelt_size,
    tell,
)
from metasnapshot.errors import MetasnapshotError, UsageError

if TYPE_CHECKING:
    from metasnapshot import BackupResult, Backups, FullResult, PinnedResult

DEFAULTS = BackupOptions()
KINDS = {True: "snapshot", False: "delta"}


def backup(
    *,
    store: Annotated[OptionalMetaStore, FLAT] = NOWHERE,
    directory: Annotated[OptionalDirectory, FLAT] = ANYWHERE,
    options: Annotated[BackupOptions, FLAT] = DEFAULTS,
    objects: Annotated[WithObjects, FLAT] = WITHOUT,
    via_meta: ViaMeta = None,
    keep_pin: Annotated[
        bool,
        Parameter(help="With --via-meta --with-objects: the meta node keeps its snapshot."),
    ] = False,
    json: Json = False,
) -> int:
    r"""Back up a meta store into a new snapshot; or have a running meta node do it (--via-meta).

    With --with-objects every object that the snapshot needs is copied too, if it is not there yet;
    with --via-meta as well the meta node pins them for that time.

    $ metasnapshot backup --meta-store sqlite:////var/lib/risingwave/meta.db \
        --backup-storage-url fs:///srv/backups
    """
    if via_meta is not None:
        live.require_no_cluster(directory.cluster_id)
        live.require_own_rules(options)
        if objects.with_objects:
            start = time.monotonic()
            pinned = live.backup_full(
                via_meta, options, directory, store, objects, keep_pin=keep_pin
            )
            return _say_pinned(pinned, via_meta, directory.backups(), start, json=json)
        _require_pin(keep_pin, "--with-objects")
        return live.backup(via_meta, options, directory, store, json=json)
    _require_pin(keep_pin, "--via-meta")
    meta_store, found, start = store.place(), directory.backups(), time.monotonic()
    if objects.with_objects:
        full = metasnapshot.backup_full(
            meta_store, found, options, objects, rounds_max=objects.rounds
        )
        tell_backup(found, full.backup.entry.id, start, full)
        return _say_full(full, dry_run=options.dry_run, json=json)
    result = metasnapshot.backup(meta_store, found, options)
    current().outcome.did("made", [result.entry.id])
    tell_backup(found, result.entry.id, start)
    for text in result.warnings:
        note(text)
    if json:
        say_json(document(result, dry_run=options.dry_run))
    else:
        _say(result, dry_run=options.dry_run)
    return 0


def _require_pin(keep_pin: bool, option: str) -> None:
    """Refuse to keep what is not pinned.

    Raises:
        UsageError: it is to be kept.
    """
    if keep_pin:
        raise UsageError(f"--keep-pin means nothing without {option}")


def _say(result: BackupResult, *, dry_run: bool) -> None:
    say(
        f"{'would be backup' if dry_run else 'backup'} {result.entry.id}: "
        f"{sum(result.rows.values())} rows, {result.size} bytes, "
        f"layout {result.layout} (RisingWave {releases(result.releases)}), "
        f"Hummock version {result.entry.hummock_version_id} (checkpoint "
        f"{result.checkpoint_version} and {result.deltas} version deltas) with "
        f"{result.entry.object_count} objects{_as_delta(result)}"
    )


def _as_delta(result: BackupResult) -> str:
    if result.base is None:
        return ""
    return f"; kept as a delta of snapshot {result.base}, {spelt_size(result.stored)}"


def _say_full(full: FullResult, *, dry_run: bool, json: bool) -> int:
    error = _noted(full, full.backup.entry.id)
    if json:
        found = document(full.backup, dry_run=dry_run) | full_document(full)
        say_json(found if error is None else found | error_document(error))
        return 0 if error is None else error.exit_code
    _say(full.backup, dry_run=dry_run)
    return _say_objects(full, full.backup, "to copy" if dry_run else "copied")


def _say_objects(
    full: FullResult | PinnedResult, made: BackupResult | PinnedResult, done: str
) -> int:
    """What came of the objects, and the exit code."""
    for finding in full.findings.kept:
        tell(finding)
    size = spelt_size(full.bytes_copied)
    say(f"objects: {full.copied} {done} ({size}), {full.reused} there already")
    if (error := full.error) is not None:
        complain(str(error), error.hint)
        return error.exit_code
    if full.complete:
        count, size = len(made.needed), spelt_size(made.needed.size)
        say(f"full: all {count} objects ({size}) are in the backup")
    return 0


def _say_pinned(full: PinnedResult, url: str, found: Backups, start: float, *, json: bool) -> int:
    """The same of one by way of a meta node, which began at a monotonic time."""
    tell_backup(found, full.entry.id, start, full)
    error = _noted(full, full.entry.id)
    if json:
        told = {"snapshot_id": full.entry.id, "via_meta": shown_url(url), "pinned": full.pinned}
        made = told | objects_document(full, full, rounds=1)
        say_json(made if error is None else made | error_document(error))
        return 0 if error is None else error.exit_code
    now = "which pins it" if full.pinned else "which pins it no more"
    say(f"backup {full.entry.id}, made by the meta node, {now}")
    return _say_objects(full, full, "copied")


def _noted(full: FullResult | PinnedResult, number: int) -> MetasnapshotError | None:
    """Tell the warnings, and put the snapshot down as made; returns what was wrong with it."""
    for text in full.warnings:
        note(text)
    outcome = current().outcome
    outcome.did("made", [number])
    if full.error is not None:
        outcome.fail(full.error)
    return full.error


def full_document(full: FullResult) -> Document:
    """What --json prints besides, with --with-objects."""
    return objects_document(full, full.backup, full.rounds)


def objects_document(
    full: FullResult | PinnedResult, made: BackupResult | PinnedResult, rounds: int
) -> Document:
    """What it prints of objects."""
    return {
        "complete": full.complete,
        "rounds": rounds,
        "objects": {
            "needed": len(made.needed),
            "bytes": made.needed.size,
            "copied": full.copied,
            "bytes_copied": full.bytes_copied,
            "reused": full.reused,
            "vanished": full.findings.missing,
        },
        "findings": [asdict(item) for item in full.findings.kept],
        "warnings": list(full.warnings),
    }


def document(result: BackupResult, *, dry_run: bool) -> Document:
    """What --json prints."""
    return {
        "dry_run": dry_run,
        "snapshot": snapshot_document(result.entry),
        "layout": result.layout,
        "releases": list(result.releases),
        "rows": result.rows,
        "bytes": result.size,
        "kind": KINDS[result.base is None],
        "base": result.base,
        "bytes_stored": result.stored,
        "checksum": f"{result.checksum:016x}",
        "checkpoint_version": result.checkpoint_version,
        "deltas": result.deltas,
        "pinned": result.pinned,
        "omitted": list(result.omitted),
        "warnings": list(result.warnings),
    }
