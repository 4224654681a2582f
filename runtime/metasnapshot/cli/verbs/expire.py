"""Keep house: delete the snapshots that no rule keeps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Annotated

from metasnapshot import Judged, ManifestEntry
from metasnapshot.cli.options import DRY, Commit, Directory, Json
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.policy import NO_RULE, PolicyOptions
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import Part, doubtful, good
from metasnapshot.cli.snapshots import tell_what_is_left
from metasnapshot.cli.text import Document, note, say, say_json, shown_time, table
from metasnapshot.spans import counted


def expire(
    *,
    directory: Annotated[Directory, FLAT],
    policy: Annotated[PolicyOptions, FLAT] = NO_RULE,
    commit: Commit = False,
    json: Json = False,
) -> int:
    r"""Delete the snapshots that no rule keeps; never the newest sound one, or one that is kept.

    $ metasnapshot expire --keep-daily 14 --keep-weekly 8 \
        --backup-storage-url fs:///srv/backups
    """
    found = directory.open()
    judgement = found.judge(policy)
    judged = judgement.judged
    for text in judgement.warnings:
        note(text)
    outcome = current().outcome
    outcome.about(entry.id for entry in judgement.going)
    deleted = found.expire(judgement) if commit else ()
    outcome.did("deleted", (entry.id for entry in deleted))
    left = tell_what_is_left(found, deleted=bool(deleted))
    if json:
        say_json(document(judged, deleted, committed=commit) | left)
        return 0
    rows: list[list[Part]] = [
        [
            str(item.entry.id),
            shown_time(item.taken_at.astimezone(UTC)) if item.taken_at else "-",
            good("keep") if item.reasons else doubtful("delete"),
            ", ".join(item.reasons),
        ]
        for item in judged
    ]
    table([["id", "taken", "", "because"], *rows])
    gone = [item for item in judged if not item.reasons]
    say(
        f"deleted {counted(len(deleted), 'snapshot')}" if commit else f"{len(gone)} would go: {DRY}"
    )
    return 0


def document(
    judged: Sequence[Judged], deleted: Sequence[ManifestEntry], *, committed: bool
) -> Document:
    """What --json prints."""
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
