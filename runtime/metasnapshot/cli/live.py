"""backup, list and delete by a running meta node (--via-meta)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

import metasnapshot
from metasnapshot import ROUNDS, backup_live, given_id, open_meta_node, shown_url
from metasnapshot.cli.options import OptionalDirectory
from metasnapshot.cli.run import current
from metasnapshot.cli.text import confirm, note, say, say_json, table
from metasnapshot.errors import MetasnapshotError, UsageError
from metasnapshot.spans import counted

if TYPE_CHECKING:
    from metasnapshot import BackupOptions, PinnedResult
    from metasnapshot.cli.meta_store import OptionalMetaStore
    from metasnapshot.cli.objects import WithObjects

ViaMeta = Annotated[
    str | None,
    Parameter(
        "--via-meta", help="Let a running meta node do it; its address, such as http://host:5690."
    ),
]


def require_no_cluster(cluster: str | None) -> None:
    """A meta node knows its own cluster alone.

    Raises:
        UsageError: one is asked for.
    """
    if cluster is not None:
        raise UsageError("--cluster-id: not with --via-meta", hint="a meta node has one cluster's")


def require_own_rules(options: BackupOptions) -> None:
    """A meta node backs up as it does.

    Raises:
        UsageError: it is to do otherwise.
    """
    own = (
        "dry_run",
        "allow_unknown_tables",
        "into_cluster_directory",
        "meta_node_stopped",
        "as_delta",
    )
    if given := [f"--{name.replace('_', '-')}" for name in own if getattr(options, name)]:
        raise UsageError(
            f"{', '.join(given)}: not with --via-meta", hint="the meta node has its own rules"
        )


def backup_full(
    url: str,
    options: BackupOptions,
    directory: OptionalDirectory,
    store: OptionalMetaStore,
    objects: WithObjects,
    *,
    keep_pin: bool,
) -> PinnedResult:
    """Have the meta node make a snapshot, and copy its objects into a directory of ours.

    Args:
        url: where it is.
        directory: where they go.
        store: its meta store, if that is given.
        options: of our own backups.
        objects: how fast to copy.
        keep_pin: it keeps its snapshot.

    Raises:
        UsageError: it is to be done in rounds.
    """
    if objects.rounds != ROUNDS:
        raise UsageError("--rounds: not with --via-meta", hint="what is pinned does not vanish")
    pin = metasnapshot.PinOptions(
        options.remarks,
        options.hummock_storage_url,
        options.hummock_storage_directory,
        keep_pin=keep_pin,
    )
    meta_store = None if store.meta_store is None else store.place()
    return metasnapshot.backup_pinned(url, directory.backups(), pin, objects, meta_store=meta_store)


def backup(
    url: str,
    options: BackupOptions,
    directory: OptionalDirectory,
    store: OptionalMetaStore,
    *,
    json: bool,
) -> int:
    """Have the meta node make a snapshot.

    Args:
        url: where it is.
        directory: where its backups lie, if that is given.
        store: its meta store, if that is given.
        options: of our own backups; a meta node knows remarks only.
        json: say it as JSON.
    """
    made = backup_live(
        url,
        options.remarks,
        backups=None if directory.backup_storage_url is None else directory.backups(),
        meta_store=None if store.meta_store is None else store.place(),
        context=current().context,
    )
    current().outcome.did("made", [made.snapshot_id])
    for text in made.warnings:
        note(text)
    if json:
        say_json({"snapshot_id": made.snapshot_id, "via_meta": shown_url(url), "pinned": True})
    else:
        say(f"backup {made.snapshot_id}, made and pinned by the meta node")
    return 0


def delete(url: str, ids: Sequence[str], *, yes: bool, json: bool) -> int:
    """Have the meta node delete snapshots."""
    hint = "delete 4 5 --via-meta http://host:5690"
    if not ids:
        raise UsageError("a meta node takes ids", hint=hint)
    numbers = [given_id(text, hint) for text in ids]
    names = ", ".join(map(str, numbers))
    current().outcome.about(numbers)
    confirm(f"delete {names} by the meta node?", yes=yes)
    with open_meta_node(url) as node:
        known = {item.id for item in node.manifest()[1]}
        node.delete(numbers)
        left = {item.id for item in node.manifest()[1]}
    current().outcome.did("deleted", [item for item in numbers if item in known - left])
    if left & set(numbers):
        raise MetasnapshotError(f"still there: {sorted(left & set(numbers))}")
    gone = [number for number in numbers if number in known]
    unknown = [number for number in numbers if number not in known]
    if json:
        say_json({"deleted_ids": gone, "unknown_ids": unknown, "via_meta": shown_url(url)})
        return 0
    for number in unknown:
        note(f"the meta node has no snapshot {number}")
    say(f"deleted {', '.join(map(str, gone)) or 'nothing'}; {counted(len(left), 'snapshot')} left")
    return 0


def list_snapshots(url: str, *, json: bool) -> int:
    """What the meta node has in its memory."""
    with open_meta_node(url) as node:
        manifest_id, found = node.manifest()
    if json:
        fields = ("id", "hummock_version_id", "format_version", "state_tables", "rw_version")
        snapshots = [{name: getattr(item, name) for name in (*fields, "remarks")} for item in found]
        say_json({"manifest_id": manifest_id, "via_meta": shown_url(url), "snapshots": snapshots})
        return 0
    rows = [
        [
            str(item.id),
            f"V{item.format_version or 1}",
            str(item.hummock_version_id),
            str(item.state_tables),
            item.rw_version or "-",
            item.remarks or "",
        ]
        for item in found
    ]
    table([["id", "format", "hummock version", "tables", "release", "remarks"], *rows])
    say(f"{counted(len(found), 'snapshot')}, manifest {manifest_id}, in the meta node's memory")
    return 0
