"""metasnapshot show, metasnapshot cat, metasnapshot drill"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.catalogue.times import epoch_time
from metasnapshot.cli import documents
from metasnapshot.cli.options import (
    BackupDirectory,
    BackupUrl,
    Json,
    SnapshotId,
    WithSecrets,
    repository,
    snapshot_id,
)
from metasnapshot.cli.settings import BACKUP_DIRECTORY
from metasnapshot.cli.text import beyond, complain, printable, releases, say, say_json, table
from metasnapshot.errors import DamageError
from metasnapshot.operations.drill import drill as run_drill
from metasnapshot.operations.export import export_rows
from metasnapshot.operations.show import Summary, summarise

NAMES_SHOWN_MAX = 10


def show(
    id: SnapshotId,  # noqa: A002 - the word in --help
    /,
    *,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    json: Json = False,
) -> int:
    """Show what a snapshot holds: the page to read before a restore.

    Example: metasnapshot show latest --backup-storage-url fs:///srv/backups
    """
    found = repository(backup_storage_url, backup_storage_directory)
    summary = summarise(found, snapshot_id(id, found))
    if json:
        say_json(documents.summary(summary))
    else:
        _print(summary)
    return 0


def cat(
    id: SnapshotId,  # noqa: A002 - the word in --help
    section: Annotated[str, Parameter(help="A section; `show` lists them.")],
    /,
    *,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    with_secrets: WithSecrets = False,
    messages: Annotated[
        bool, Parameter(negative="", help="Show blobs as protobuf messages, not base64.")
    ] = False,
) -> int:
    """Print the rows of a section, a line of JSON each.

    Example: metasnapshot cat latest sources --backup-storage-url fs:///srv/backups
    """
    found = repository(backup_storage_url, backup_storage_directory)
    with found.open(snapshot_id(id, found)) as reader:
        rows = export_rows(reader, section, with_secrets=with_secrets, messages=messages)
        for row in rows:
            say_json(row)
    return 0


def drill(
    id: SnapshotId = "latest",  # noqa: A002 - the word in --help
    /,
    *,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    json: Json = False,
) -> int:
    """Prove that a snapshot restores: into a scratch store, backed up again, compared.

    Example: metasnapshot drill latest --backup-storage-url fs:///srv/backups
    """
    found = repository(backup_storage_url, backup_storage_directory)
    result = run_drill(found, snapshot_id(id, found))
    if json:
        say_json(documents.drill(result))
    else:
        for text in result.differences:
            complain(f"differs after a restore: {text}")
        say(
            f"snapshot {result.snapshot_id}: restored into a scratch store and backed up again; "
            f"{result.rows} rows and Hummock version {result.hummock_version_id} "
            f"{'differ, see above' if result.differences else 'are the same'}"
        )
    return DamageError.exit_code if result.differences else 0


def _print(summary: Summary) -> None:
    entry = summary.entry
    say(f"snapshot {entry.id}: {printable(entry.remarks or 'no remarks')}")
    say(f"cluster {', '.join(summary.cluster_ids) or 'unknown'}")
    say(f"release {entry.rw_version or releases(summary.releases)}, layout {summary.layout}")
    if summary.unknown_migrations:
        say(beyond(summary.layout, summary.unknown_migrations))
    say(f"{summary.size} bytes, xxh64 {summary.checksum:016x}")
    say(f"Hummock version {entry.hummock_version_id}, {entry.object_count} objects")
    if summary.epochs:
        first, last = (epoch_time(epoch).isoformat(" ", "milliseconds") for epoch in summary.epochs)
        tables = f" of {len(entry.state_table_info)} state tables" if entry.state_table_info else ""
        say(f"committed epochs {first} to {last}{tables}")
    say("")
    for kind, names in summary.names.items():
        shown = ", ".join(printable(name) for name in names[:NAMES_SHOWN_MAX])
        more = ", ..." if len(names) > NAMES_SHOWN_MAX else ""
        say(f"{kind} ({len(names)}){': ' if names else ''}{shown}{more}")
    say("")
    say("system parameters:")
    table([["name", "value"], *([name, value] for name, value in summary.parameters.items())])
    say("")
    say("after a restore:")
    for risk in summary.risks or ("no CDC source and no sink is at risk",):
        say(f"  - {printable(risk)}")
    say("")
    rows = [[item.name, str(item.rows), str(item.size)] for item in summary.sections]
    table([["section", "rows", "bytes"], *rows])
