"""A checkpoint's version and the version deltas after it -> the version that the meta node has in
memory, by upstream's rule: a delta whose prev_id is the version's id applies, any other is passed
over, and the last one must have led to the version.
Source: src/meta/src/backup_restore/meta_snapshot_builder.rs at v2.1.0 to v3.0.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from metasnapshot.errors import DeltaError, InconsistentStore, RowError, VersionError
from metasnapshot.format import messages
from metasnapshot.format.hummock_version import VERSION, decode
from metasnapshot.hummock.checkpoint import decode_checkpoint
from metasnapshot.hummock.replay.apply import apply_delta
from metasnapshot.hummock.replay.rules import Rules, rules_of
from metasnapshot.hummock.replay.version import Working

DELTA = "hummock.HummockVersionDelta"
_WHAT = f"a {DELTA} message"
GROUP_VERSION = ("hummock.HummockVersion.Levels", "compaction_group_version_id")
"""The field without which a release with the rule group_version cannot be followed. 2.2.4 brought
it to an era that began without."""


@dataclass(frozen=True)
class Replayed:
    """What a replay made.

    Attributes:
        version: the HummockVersion message.
        base_id: id of the version that it started from.
        applied: how many deltas applied.
        doubt: what the releases in question disagree about, or "".
    """

    version: Any
    base_id: int
    applied: int
    doubt: str = ""


def replay_checkpoint(
    checkpoint: bytes, deltas: Iterable[tuple[int, bytes]], releases: Sequence[str], era: str
) -> Replayed:
    """Replay deltas onto a checkpoint.

    Args:
        checkpoint: the object's bytes, in either form.
        deltas: id and HummockVersionDelta of each row of hummock_version_delta, by id.
        releases: the releases that the cluster may be of, oldest first; where their rules make
            different sizes or watermarks of it, those of the newest are taken, and `doubt` says so.
        era: of the cluster's protobuf messages.

    Raises:
        VersionError: the checkpoint or a delta does not decode.
        DeltaError: a delta does not fit; a meta node would panic.
        InconsistentStore: the deltas do not lead to a version, or the releases in question make
            different levels of them.
    """
    every_rules = list(dict.fromkeys(rules_of(release) for release in releases))
    if any(rules.group_version for rules in every_rules):
        era = messages.later_era(era, messages.first_era_of(*GROUP_VERSION))
    version: Any = decode_checkpoint(checkpoint, era)
    return replay(version, deltas, every_rules)


def replay(
    version: Any, deltas: Iterable[tuple[int, bytes]], every_rules: Sequence[Rules]
) -> Replayed:
    """Replay deltas onto a HummockVersion message, which stays as it is.

    Raises:
        As replay_checkpoint.
    """
    era = messages.era_of(version)
    working = [Working(version, rules) for rules in every_rules]
    applied, last = 0, None
    known: Any = messages.message_class(DELTA, era)
    for row_id, data in deltas:
        last = row_id
        delta: Any = _decode(data, row_id, known, era)
        if delta.prev_id != working[-1].id:
            continue
        if delta.__class__ is not known:  # a patch release brought a field
            era, known = messages.era_of(delta), delta.__class__
            working = [_lift(item, era) for item in working]
        working = _apply(working, delta)
        applied += 1
    if last is not None and last != working[-1].id:
        raise InconsistentStore(
            f"inconsistent hummock version: expected {last}, actual {working[-1].id}",
            hint="the version deltas do not lead on from the checkpoint: is it of this cluster, "
            "and of this time?",
        )
    results = [item.message() for item in working]
    return Replayed(results[-1], version.id, applied, _doubt(results))


def _apply(working: list[Working], delta: Any) -> list[Working]:
    """Apply a delta by each rule; a release that would have panicked is not the cluster's, as long
    as there is another.
    """
    if len(working) == 1:
        apply_delta(working[0], delta)
        return working
    survivors: list[Working] = []
    panic: DeltaError | None = None
    for item in working:
        try:
            apply_delta(item, delta)
        except DeltaError as error:
            panic = error
        else:
            survivors.append(item)
    if panic is not None and not survivors:
        raise panic
    return survivors


def _decode(data: bytes, row_id: int, known: Callable[[], Any], era: str) -> Any:
    """A delta, as the class of an era that is known so far, or of a later one."""
    try:
        delta: Any = known()
        messages.fill(delta, data, _WHAT)
        size = delta.ByteSize()
        delta.DiscardUnknownFields()
        if delta.ByteSize() != size:
            delta = decode(data, DELTA, era)
    except (RowError, VersionError) as error:
        raise VersionError(f"version delta {row_id}: {error}") from error
    if delta.id != row_id:
        raise DeltaError(f"its row has id {row_id}", delta.id, None, "id")
    return delta


def _lift(version: Working, era: str) -> Working:
    """The same version in the messages of a later era."""
    data = version.message().SerializeToString()
    lifted: Any = messages.parse(data, VERSION, era)
    return Working(lifted, version.rules)


def _doubt(results: Sequence[Any]) -> str:
    """What the rules in question disagree about: sizes only steer compaction, and watermarks of
    dropped tables are of no use; levels are data.

    Raises:
        InconsistentStore: they disagree about levels.
    """
    if all(result == results[-1] for result in results):
        return ""
    if all(_placed(result) == _placed(results[-1]) for result in results):
        return (
            "the releases that the cluster may be of make of these version deltas the same SSTs in "
            "the same places, but other sizes or counts, or watermarks of dropped tables; those of "
            "the newest are taken (--rw-version says which it is)"
        )
    raise InconsistentStore(
        "the releases that the cluster may be of make different levels of these version deltas",
        hint="give the release of the cluster with --rw-version",
    )


def _placed(version: Any) -> Any:
    """Which SST stands where; one without tables, and a level without any other, is nowhere."""
    placed: dict[int, list[list[int]]] = {}
    for group, levels in version.levels.items():
        stacked = (*levels.l0.sub_levels, *levels.levels)
        ids = [[sst.sst_id for sst in level.table_infos if sst.table_ids] for level in stacked]
        placed[group] = [level for level in ids if level]
    return placed
