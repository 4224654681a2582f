"""Change logs of tables that the version holds (1.9 to 2.8): grow, are truncated, end.

Since 3.0 they are rows of hummock_table_change_log, which deltas do not touch.
Source: src/storage/hummock_sdk/src/change_log.rs at v1.10.0 to v2.8.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metasnapshot.errors import VersionError
from metasnapshot.hummock.replay.rules import Rules
from metasnapshot.hummock.replay.sst import changed

Logs = dict[int, list[Any]]
"""EpochNewChangeLog messages by table, oldest first."""


def check_change_log(delta: Any, rules: Rules) -> None:
    """A change log delta must be readable, also where the version holds no logs.

    Raises:
        VersionError: the release would not read it.
    """
    if not delta.HasField("new_log"):
        raise VersionError("a change log delta without new_log")
    if rules.logs_checked and not delta.new_log.epochs:
        raise VersionError("a change log without epochs")


def apply_change_logs(
    logs: Logs,
    deltas: Mapping[int, Any],
    gone: set[int],
    rules: Rules,
) -> None:
    """Append what is new, drop the logs of tables that end, truncate.

    Args:
        logs: changed in place.
        deltas: ChangeLogDelta by table.
        gone: tables whose log ends: removed, or committed without news in it.
        rules: of the release.

    Raises:
        VersionError: a new log is not newer than the last.
    """
    for table, delta in deltas.items():
        log = logs.setdefault(table, [])
        if not delta.new_log.epochs:
            raise VersionError(f"change log of table {table} without epochs")
        if log and log[-1].epochs[-1] >= delta.new_log.epochs[0]:
            raise VersionError(
                f"change log of table {table}: epoch {delta.new_log.epochs[0]} after "
                f"{log[-1].epochs[-1]}"
            )
        log.append(delta.new_log)
    for table in gone:
        logs.pop(table, None)
    for table, delta in deltas.items():
        if table in logs:
            logs[table] = truncate(logs[table], delta.truncate_epoch, rules)


def truncate(log: list[Any], epoch: int, rules: Rules) -> list[Any]:
    """A log without what is older than an epoch."""
    if rules.logs_keep_equal:
        left = [item for item in log if item.epochs[-1] >= epoch]
    else:
        left = [item for item in log if item.epochs[-1] > epoch]
    left = log[len(log) - len(left) :] if left else []
    if not left:
        return left
    *others, checkpoint = left[0].epochs
    if rules.logs_by_checkpoint:
        epochs = [*(item for item in others if item >= epoch), checkpoint]
    elif rules.logs_keep_equal:
        epochs = [item for item in left[0].epochs if item >= epoch]
    else:
        epochs = [item for item in left[0].epochs if item > epoch]
    if epochs != list(left[0].epochs):
        first = changed(left[0])
        first.epochs[:] = epochs
        left = [first, *left[1:]]
    return left
