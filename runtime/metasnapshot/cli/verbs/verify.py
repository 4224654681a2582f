"""Everyday: check every byte and every row of snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from metasnapshot import Level, VerifyResult
from metasnapshot.cli.content import UNREAD, ReadContent
from metasnapshot.cli.gauges import tell_verified
from metasnapshot.cli.moments import At, choose
from metasnapshot.cli.options import AS_SAID, Directory, Json, SnapshotId, StateStore
from metasnapshot.cli.parameters import DURATION, FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import good
from metasnapshot.cli.text import (
    Document,
    beyond,
    complain,
    error_document,
    note,
    say,
    say_json,
    spelt_size,
    tell,
)
from metasnapshot.errors import SOME_FAILED, DamageError, UsageError
from metasnapshot.spans import about

if TYPE_CHECKING:
    from metasnapshot import ContentResult

Deep = Annotated[
    Level,
    Parameter(
        help="file: checksum and frame. rows: every row too. refs: what they refer to too. "
        "objects: every object in the state store too."
    ),
]


def verify(
    *ids: SnapshotId,
    directory: Annotated[Directory, FLAT],
    all_snapshots: Annotated[
        bool, Parameter("--all", help="Verify every snapshot, as without an id.")
    ] = False,
    at: At = None,
    level: Deep = "rows",
    if_older_than: Annotated[
        timedelta | None,
        DURATION,
        Parameter(help="Skip snapshots that were found sound within this time, such as 7d."),
    ] = None,
    content: Annotated[ReadContent, FLAT] = UNREAD,
    state: Annotated[StateStore, FLAT] = AS_SAID,
    json: Json = False,
) -> int:
    """Verify snapshots. Exit 4 for damage, 3 if only some failed.

    $ metasnapshot verify latest --backup-storage-url fs:///srv/backups
    """
    if at is not None and all_snapshots:
        raise UsageError("--all and --at exclude each other", hint="give one of the two")
    if ids and all_snapshots:
        raise UsageError("--all and ids exclude each other", hint="give one of the two")
    is_state_read = level == "objects" or content.content is not None
    place = state.place() if is_state_read else None  # nothing else looks into the state store
    check = content.check(place)
    found = directory.open()
    said: Document = {}
    if at is not None:
        chosen = choose(found, "verify", ids[0] if ids else None, at)
        ids, said = (str(chosen.id),), chosen.document
    if not ids and not found.ids():
        note(f"no snapshot in {found.place}: nothing was verified")
    results: list[VerifyResult] = []
    for result in found.verify(ids, level, state=place, content=check, if_older_than=if_older_than):
        results.append(result)
        current().outcome.about([result.snapshot_id])
        if result.error is not None:
            current().outcome.fail(result.error)
        if not json:
            _print(result)
    tell_verified(found, results)
    if json:
        say_json({"snapshots": [document(item) for item in results]} | said)
    return _code(results)


def _code(results: Sequence[VerifyResult]) -> int:
    codes = [0 if item.error is None else item.error.exit_code for item in results]
    if all(codes):
        return DamageError.exit_code if DamageError.exit_code in codes else max(codes, default=0)
    return SOME_FAILED if any(codes) else 0


def _print(result: VerifyResult) -> None:
    if result.skipped:
        say(f"snapshot {result.snapshot_id}: skipped, verified recently")
        return
    of_objects = result.content.findings.kept if result.content else []
    for finding in (*result.findings.kept, *of_objects):
        tell(finding)
    if result.error is not None:
        complain(about(f"snapshot {result.snapshot_id}", str(result.error)), result.error.hint)
        return
    if not result.remembered:
        note("the notes cannot be written: this verification will not be remembered")
    if result.unknown_migrations:
        note(f"snapshot {result.snapshot_id}: {beyond(result.layout, result.unknown_migrations)}")
    say(
        f"snapshot {result.snapshot_id}: ",
        good("ok"),
        f", level {result.level}, {result.rows} rows, "
        f"{result.size} bytes, layout {result.layout}, xxh64 {result.checksum:016x}"
        f"{_content(result)}",
    )


def _content(result: VerifyResult) -> str:
    found = result.content
    if found is None:
        return ""
    sample = "" if found.share == 1 else f", a sample of {found.share:.6g} of all"
    known = f", {found.known} were read before" if found.known else ""
    place = "the backup" if found.where == "area" else "the state store"
    return f"; {found.objects} objects in {place} ({spelt_size(found.bytes)}) read{known}{sample}"


def document(result: VerifyResult) -> Document:
    """What --json prints."""
    document: Document = {
        "id": result.snapshot_id,
        "level": result.level,
        "ok": result.error is None,
        "skipped": result.skipped,
        "bytes": result.size,
        "rows": result.rows,
        "layout": result.layout,
        "unknown_migrations": list(result.unknown_migrations),
        "checksum": f"{result.checksum:016x}",
        "findings": [asdict(item) for item in result.findings.kept],
        "counts": dict(result.findings.counts),
    } | content_document(result.content)
    return document if result.error is None else document | error_document(result.error)


def content_document(found: ContentResult | None) -> Document:
    """What --json prints of objects, with --content."""
    if found is None:
        return {}
    return {
        "content": {
            "in": found.where,
            "share": found.share,
            "objects": found.objects,
            "bytes": found.bytes,
            "known": found.known,
            "findings": [asdict(item) for item in found.findings.kept],
        }
    }
