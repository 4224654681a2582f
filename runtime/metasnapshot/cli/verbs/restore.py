"""Everyday: restore a snapshot into an empty meta store and a data directory."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from metasnapshot import (
    OBJECTS_CHECK,
    Pace,
    RestoreOptions,
    RestorePlan,
    RestoreResult,
    restoring,
    shown_url,
)
from metasnapshot.cli.meta_store import MetaStoreAt
from metasnapshot.cli.moments import At, Chosen, choose
from metasnapshot.cli.options import Directory, Json, OptionalId, Yes
from metasnapshot.cli.pace import require_default
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import bad, doubtful, good
from metasnapshot.cli.text import Document, confirm, say, say_json, spelt_size

DEFAULT_PACE = Pace()
INTEGRITY = {"ok": "Succeed integrity validation.", "failed": "Fail integrity validation."}
"""Upstream's own words, which scripts look for."""
PLAIN = RestoreOptions()
PAINTS = {"ok": good, "warning": doubtful, "failed": bad, "not checked": doubtful}
"""What a check came to, and its colour."""
RESULT_WIDTH = max(map(len, PAINTS))


def restore(
    id: OptionalId = None,  # noqa: A002 - the word in --help
    /,
    *,
    store: Annotated[MetaStoreAt, FLAT],
    directory: Annotated[Directory, FLAT],
    options: Annotated[RestoreOptions, FLAT] = PLAIN,
    pace: Annotated[Pace, FLAT] = DEFAULT_PACE,
    at: At = None,
    plan: Annotated[
        bool, Parameter(("--plan", "--dry-run"), help="Check everything, write nothing.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    r"""Restore a snapshot into an empty meta store and a data directory.

    Stop every node of the cluster first.

    $ metasnapshot restore latest --meta-store sqlite:///meta.db \
        --backup-storage-url fs:///srv/backups \
        --hummock-storage-url fs:///srv/state
    """
    if not options.with_objects:
        require_default(pace, "--with-objects")
    found = directory.open()
    chosen = choose(found, "restore", id, at, is_full=options.with_objects)
    number, outcome = chosen.id, current().outcome
    outcome.about([number])
    outcome.to += map(shown_url, filter(None, (store.meta_store, options.hummock_storage_url)))
    with restoring(found, number, store.place(), options, pace) as run:
        planned = run.plan(is_load=not plan)
        if plan and json:
            if planned.error is not None:
                outcome.fail(planned.error)
            say_json(plan_document(planned) | chosen.document)
            return planned.error.exit_code if planned.error else 0
        if not json:
            _print_plan(planned, validated=options.validate_integrity)
        planned.require()
        if plan:
            say("nothing was written")
            return 0
        if planned.empties and options.clean:
            confirm(f"empty the tables {planned.fullest}?", yes=yes)
        result = run.load()
        outcome.did("restored", [number])
    _tell(result, chosen, json=json)
    return 0


def _tell(result: RestoreResult, chosen: Chosen, *, json: bool) -> None:
    if json:
        say_json(document(result, chosen.id) | chosen.document)
    else:
        _print_result(result, chosen.id)


def _print_plan(planned: RestorePlan, *, validated: bool) -> None:
    for check in planned.checks:
        result = PAINTS[check.result](f"{check.result:>{RESULT_WIDTH}}")
        say(result, f"  {check.name}: {check.reason}", hang=" " * (RESULT_WIDTH + 2))
        if validated and check.name == OBJECTS_CHECK and check.result in INTEGRITY:
            say(INTEGRITY[check.result])


def _print_result(result: RestoreResult, number: int) -> None:
    if result.plan.done:
        say(
            f"snapshot {number} is restored already: the rows and the version checkpoint are what "
            "this restore would write; nothing was written"
        )
        return
    say(
        good(f"restored snapshot {number}"),
        f": {sum(result.rows.values())} rows into {len(result.rows)} "
        f"tables, layout {result.plan.layout}, read back before the commit",
    )
    if (objects := result.plan.objects) is not None:
        size = spelt_size(objects.bytes_to_copy)
        say(f"objects: {objects.to_copy} copied ({size}), {objects.there} were there")
    say(f"version checkpoint: {result.checkpoint}")
    if result.replaced_checkpoint:
        say(f"the one that it replaced is kept beside the backups: {result.replaced_checkpoint}")
    say("before you start the cluster:")
    for text in result.checklist:
        say(f"  - {text}")


def plan_document(found: RestorePlan) -> Document:
    """What --plan --json prints."""
    more: Document = {} if found.objects is None else {"objects": asdict(found.objects)}
    if found.clone is not None:
        outside = [item._asdict() for item in found.clone.outside]
        more["clone"] = asdict(found.clone) | {"outside": outside}
    return more | {
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


def document(result: RestoreResult, snapshot_id: int) -> Document:
    """What --json prints."""
    return {
        "snapshot_id": snapshot_id,
        "plan": plan_document(result.plan),
        "rows": result.rows,
        "auto_increment": result.sequences,
        "checkpoint": result.checkpoint,
        "replaced_checkpoint": result.replaced_checkpoint,
        "checklist": list(result.checklist),
    }
