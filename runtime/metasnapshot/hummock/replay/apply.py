"""Apply one version delta to a version, as a release's apply_version_delta does."""

from __future__ import annotations

from typing import Any

from metasnapshot.errors import DeltaError, VersionError
from metasnapshot.hummock.replay.change_logs import apply_change_logs, check_change_log
from metasnapshot.hummock.replay.folded import apply_folded
from metasnapshot.hummock.replay.groups import apply_group
from metasnapshot.hummock.replay.sst import changed
from metasnapshot.hummock.replay.vectors import add_files, check_vector_delta, init_index
from metasnapshot.hummock.replay.version import TableInfo, Working, read_log
from metasnapshot.hummock.replay.watermarks import (
    append_watermarks,
    clear_watermarks,
    first_epoch,
    read_watermarks,
)

Changed = dict[int, TableInfo | None]
"""The former TableInfo of each table that a delta changed, None for a new one."""


def apply_delta(version: Working, delta: Any) -> None:
    """Apply a HummockVersionDelta message.

    Args:
        version: changed in place; after an error it is of no use any more.
        delta: of the same era as the version; it stays as it is.

    Raises:
        DeltaError: the delta does not fit: upstream would panic.
    """
    step = "delta"
    try:
        _check_follows(version, delta)
        step = "state_table_info"
        before, is_commit = _state_table_info(version, delta)
        step = "levels"
        former, now = version.max_committed_epoch, delta.max_committed_epoch
        is_commit |= now > former
        _groups(version, delta.group_deltas, (former, now), is_commit=is_commit)
        is_safe = delta.safe_epoch if version.has_safe_epoch else 0
        version.id, version.max_committed_epoch = delta.id, now
        step = "table_watermarks"
        if version.watermarks or delta.new_table_watermarks:
            _watermarks(version, delta, before, safe_epoch=is_safe)
        version.safe_epoch = is_safe
        step = "table_change_logs"
        _change_logs(version, delta, before, is_commit=is_commit)
        step = "vector_indexes"
        _vectors(version, delta)
    except DeltaError as error:
        raise DeltaError(error.reason, delta.id, error.group_id, error.rule) from error
    except VersionError as error:
        raise DeltaError(str(error), delta.id, None, step) from error


def _check_follows(version: Working, delta: Any) -> None:
    if version.id != delta.prev_id:
        raise VersionError(f"prev_id {delta.prev_id} is not the version's id, {version.id}")


def _state_table_info(version: Working, delta: Any) -> tuple[Changed, bool]:
    """Change the tables' epochs and groups; tells what was before, and whether one advanced."""
    before: Changed = {}
    if not version.rules.tables:
        return before, False
    removed = set(delta.removed_table_ids)
    for table in removed:
        info = version.infos.pop(table, None)
        if info is not None:
            before[table] = info
            _leave(version, table, info)
    advanced = False
    changes = delta.state_table_info_delta
    for table in changes:
        if table in removed:
            continue
        old = version.infos.get(table)
        before[table] = old
        new = version.read_info(changes[table])
        if old is None:
            advanced = True
        else:
            _check_advance(table, old, new)
            advanced |= new.committed_epoch > old.committed_epoch
            if new.compaction_group_id != old.compaction_group_id:
                _leave(version, table, old)
        version.infos[table] = new
        version.members[new.compaction_group_id].add(table)
    return before, advanced and version.rules.commits_by_table


def _leave(version: Working, table: int, info: TableInfo) -> None:
    members = version.members[info.compaction_group_id]
    members.discard(table)
    if not members:
        del version.members[info.compaction_group_id]


def _check_advance(table: int, old: TableInfo, new: TableInfo) -> None:
    if new.committed_epoch < old.committed_epoch or new.safe_epoch < old.safe_epoch:
        raise VersionError(
            f"state table info regress. table id: {table}, committed epoch "
            f"{old.committed_epoch} to {new.committed_epoch}"
        )


def _groups(version: Working, groups: Any, epochs: tuple[int, int], *, is_commit: bool) -> None:
    former, now = epochs
    for group_id in sorted(groups):
        deltas = groups[group_id].group_deltas
        if not version.rules.folded:
            apply_group(version, group_id, deltas, is_commit=is_commit)
            continue
        if now < former:
            raise VersionError(
                f"new max commit epoch {now} is older than the current max commit epoch {former}"
            )
        apply_folded(version, group_id, deltas, is_commit=is_commit)


def _watermarks(version: Working, delta: Any, before: Changed, *, safe_epoch: int) -> None:
    removed = set(delta.removed_table_ids)
    known, results = version.watermarks, dict[int, Any]()
    for table, found in delta.new_table_watermarks.items():
        new = read_watermarks(found, version.rules)
        if table not in known:
            results[table] = new
        else:
            results[table] = None if table in removed else append_watermarks(known[table], new)
    if version.rules.watermarks_dropped:
        results |= dict.fromkeys(removed)
    looked_at = version.unsettled | before.keys()
    if not version.rules.tables and safe_epoch != version.safe_epoch:
        looked_at = set(known)
    for table in looked_at & known.keys():
        safe, first = _safe_epoch(version, table, safe_epoch), first_epoch(known[table])
        if safe is None or first is None or safe <= first:
            continue
        current = results.get(table, known[table])
        if current is not None:
            results[table] = clear_watermarks(current, safe, version.rules)
    for table, result in results.items():
        if result is None:
            known.pop(table, None)
        else:
            known[table] = result
    version.unsettled = set(results)


def _safe_epoch(version: Working, table: int, safe_epoch: int) -> int | None:
    """The epoch up to which a table's watermarks are cleared."""
    if not version.rules.tables:
        return safe_epoch if safe_epoch != version.safe_epoch else None
    info = version.infos.get(table)
    if info is None:
        return None
    return info.committed_epoch if version.rules.watermarks_committed else info.safe_epoch


def _change_logs(version: Working, delta: Any, before: Changed, *, is_commit: bool) -> None:
    if not (version.rules.logs or delta.change_log_delta):
        return
    deltas: dict[int, Any] = {}
    for table, found in delta.change_log_delta.items():
        check_change_log(found, version.rules)
        log = read_log(found.new_log, version.rules)
        deltas[table] = found
        if log is not found.new_log:
            deltas[table] = changed(found)
            deltas[table].new_log.CopyFrom(log)
    if not version.rules.logs:
        return
    gone = set(delta.removed_table_ids)
    if version.rules.logs_drop_on_commit:
        gone |= version.logs.keys() - deltas.keys() if is_commit else set()
    for table, old in before.items():
        new = version.infos.get(table)
        if old is None or new is None or table in deltas:
            continue
        if new.committed_epoch > old.committed_epoch:
            gone.add(table)
    apply_change_logs(version.logs, deltas, gone, version.rules)


def _vectors(version: Working, delta: Any) -> None:
    deltas = getattr(delta, "vector_index_delta", {})
    if not deltas and not version.vectors:
        return
    for table, found in deltas.items():
        check_vector_delta(found)
        if found.WhichOneof("delta") == "init":
            if table in version.vectors:
                raise VersionError(f"vector index {table} exists already")
            index = version.new_message("VectorIndex")
            init_index(found, index)
            version.vectors[table] = index
        elif table not in version.vectors:
            raise VersionError(f"vector index {table} does not exist")
        else:
            version.vectors[table] = add_files(found, version.vectors[table], version.rules)
    for table in delta.removed_table_ids:
        version.vectors.pop(table, None)
