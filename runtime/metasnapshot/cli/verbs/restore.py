"""Everyday: restore a snapshot into an empty meta store and a data directory."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli.meta_store import MetaStoreAt
from metasnapshot.cli.options import FLAT, Directory, Json, SnapshotId, Yes, snapshot_id
from metasnapshot.cli.settings import HUMMOCK_DIRECTORY
from metasnapshot.cli.text import Document, confirm, say, say_json
from metasnapshot.errors import UsageError
from metasnapshot.operations import restore as operation
from metasnapshot.operations.restore import RestoreResult
from metasnapshot.operations.restore_checks import OBJECTS_CHECK
from metasnapshot.operations.restore_plan import Overwrite, RestoreOptions, RestorePlan
from metasnapshot.store.location import HUMMOCK_PREFIX

INTEGRITY = {"ok": "Succeed integrity validation.", "failed": "Fail integrity validation."}
"""Upstream's own words, which scripts look for."""


def restore(
    id: SnapshotId,  # noqa: A002 - the word in --help
    /,
    *,
    store: Annotated[MetaStoreAt, FLAT],
    directory: Annotated[Directory, FLAT],
    hummock_storage_url: Annotated[str, Parameter(help="State store of the restored cluster.")],
    hummock_storage_directory: Annotated[
        str, Parameter(help="Data directory in it.")
    ] = HUMMOCK_DIRECTORY,
    overwrite_hummock_storage_endpoint: Annotated[
        bool,
        Parameter(help="The objects were moved: write the new places into the system parameters."),
    ] = False,
    overwrite_backup_storage_url: Annotated[
        str | None, Parameter(help="Backup store of the restored cluster; goes with the former.")
    ] = None,
    overwrite_backup_storage_directory: Annotated[
        str | None, Parameter(help="Directory in it; goes with the former.")
    ] = None,
    plan: Annotated[
        bool, Parameter(("--plan", "--dry-run"), help="Check all, write nothing.")
    ] = False,
    clean: Annotated[
        bool, Parameter(help="Empty the target's tables first, after asking.")
    ] = False,
    bump_sequences: Annotated[
        bool, Parameter(help="Raise sequences above every id of any snapshot.")
    ] = False,
    create_schema: Annotated[
        bool, Parameter(help="First make the release's tables in an empty database.")
    ] = False,
    validate_integrity: Annotated[
        bool, Parameter(help="First look for every object that the snapshot needs.")
    ] = False,
    cut_timestamps: Annotated[
        bool, Parameter(help="Cut timestamps to what the target's engine holds.")
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
    overwrite = _overwrite(
        overwrite_hummock_storage_endpoint,
        overwrite_backup_storage_url,
        overwrite_backup_storage_directory,
    )
    found = directory.open()
    options = RestoreOptions(
        snapshot_id(id, found),
        hummock_storage_url.removeprefix(HUMMOCK_PREFIX),
        hummock_storage_directory,
        overwrite,
        clean=clean,
        bump_sequences=bump_sequences,
        validate_integrity=validate_integrity,
        cut_timestamps=cut_timestamps,
        create_schema=create_schema,
    )
    with (
        store.open(may_create=create_schema) as meta_store,
        operation.restoring(found, meta_store, options) as run,
    ):
        planned = run.plan(is_load=not plan)
        if plan and json:
            say_json(plan_document(planned))
            return planned.error.exit_code if planned.error else 0
        if not json:
            _print_plan(planned, validated=validate_integrity)
        planned.require()
        if plan:
            say("nothing was written")
            return 0
        if planned.empties and clean:
            names = ", ".join(f"{name} ({count})" for name, count in planned.empties.items())
            confirm(f"empty the tables {names}?", yes=yes)
        result = run.load()
    if json:
        say_json(document(result, options.snapshot_id))
    else:
        _print_result(result, options.snapshot_id)
    return 0


def _print_plan(planned: RestorePlan, *, validated: bool) -> None:
    for check in planned.checks:
        say(f"{check.result:>11}  {check.name}: {check.reason}")
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
        f"restored snapshot {number}: {sum(result.rows.values())} rows into {len(result.rows)} "
        f"tables, layout {result.plan.layout}, read back before the commit"
    )
    say(f"version checkpoint: {result.checkpoint}")
    if result.replaced_checkpoint:
        say(f"the one that it replaced is kept beside the backups: {result.replaced_checkpoint}")
    say("before you start the cluster:")
    for text in result.checklist:
        say(f"  - {text}")


def _overwrite(flag: bool, url: str | None, directory: str | None) -> Overwrite | None:
    if not flag and url is None and directory is None:
        return None
    if not flag or url is None or directory is None:
        raise UsageError(
            "overwrite_hummock_storage_endpoint, overwrite_backup_storage_url, "
            "overwrite_backup_storage_directory must be set simultaneously",
            hint="give all three, or none",
        )
    if not url or not directory:
        raise UsageError("the overwritten backup place is empty", hint="give a URL and a directory")
    return Overwrite(url, directory)


def plan_document(found: RestorePlan) -> Document:
    """What --plan --json prints."""
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
