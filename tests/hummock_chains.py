"""Random chains of version deltas that a release accepts: what a cluster could do next.

A cluster looks at its version, as a meta node does, and says the next delta. Every choice comes
from the random generator that it is given, so equal seeds give equal chains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

from hummock_ssts import (
    Ssts,
    all_ssts,
    can_merge,
    members_of,
    move,
    overlapping,
    pick_group,
    some,
    split_key,
)

from metasnapshot.format import messages
from metasnapshot.hummock.replay.rules import era_of_release, rules_of
from metasnapshot.hummock.replay.stream import GROUP_VERSION
from metasnapshot_models.layouts import RELEASES

LEVEL_COUNT = 3
AXIS = list(RELEASES)
FIRST_GROUPS = (2, 3)
"""The groups of a cluster's first version."""
EPOCH_STEP = 1 << 16


class Cluster:
    """Makes deltas by the rules of a release; `steps` names the kinds that the release has."""

    def __init__(self, release: str, *, tables_max: int = 12) -> None:
        self.rules = rules_of(release)
        self.era = era_of_release(release)
        if self.rules.group_version:
            self.era = messages.later_era(self.era, messages.first_era_of(*GROUP_VERSION))
        self.tables_max = tables_max
        self.epoch = EPOCH_STEP
        self._next_table, self._next_group = 1, 100
        self._ssts = Ssts(self.rules, self.era)
        self._prunes = "truncate_tables" in self._new("GroupDelta").DESCRIPTOR.fields_by_name
        self._prunes_drops = self._prunes and AXIS.index(release) >= AXIS.index("2.8.4")
        self.steps: dict[str, Callable[[Any, Any, Random], None]] = {
            "commit": self._commit,
            "new group": self._commit_new_group,
            "compact l0": self._compact_l0,
            "compact to base": self._compact_to_base,
            "compact down": self._compact_down,
            "expired compaction": self._compact_expired,
            "drop": self._drop,
            "destroy": self._destroy,
            "split by members": self._split_by_members,
            "nothing": lambda *_: None,
        }
        if not self.rules.folded:
            self.steps |= {"split by key": self._split_by_key, "merge": self._merge}
        if self._prunes:
            self.steps["truncate"] = self._truncate

    def first_version(self) -> Any:
        """A cluster's first version: two groups without SSTs."""
        version = self._new("HummockVersion")
        version.id = 1
        for group_id in FIRST_GROUPS:
            levels = version.levels[group_id]
            levels.group_id = group_id
            levels.l0.SetInParent()
            for number in range(LEVEL_COUNT):
                levels.levels.add(level_idx=number + 1, level_type=1)
        return version

    def delta(self, version: Any, step: str, random: Random) -> Any:
        """The next delta; one that changes nothing where there is nothing to do this step with."""
        delta = self._new("HummockVersionDelta")
        delta.id, delta.prev_id = version.id + 1, version.id
        delta.max_committed_epoch = version.max_committed_epoch
        if "safe_epoch" in delta.DESCRIPTOR.fields_by_name:
            delta.safe_epoch = version.safe_epoch
        self.steps[step](version, delta, random)
        return delta

    def _new(self, name: str) -> Any:
        return messages.message_class(f"hummock.{name}", self.era)()

    def _commit(self, version: Any, delta: Any, random: Random) -> None:
        chosen = some(random, sorted(version.state_table_info))
        wanted = random.randint(1, 2) if random.random() < 0.4 or not chosen else 0
        wanted = min(wanted, self.tables_max - len(version.state_table_info))
        by_group: dict[int, list[int]] = {}
        for table in chosen:
            group_id = version.state_table_info[table].compaction_group_id
            by_group.setdefault(group_id, []).append(table)
        for _ in range(wanted):
            group_id = random.choice([*version.levels, max(version.levels)])
            by_group.setdefault(group_id, []).append(self._next_table)
            self._next_table += 1
        self._commit_tables(version, delta, random, by_group)

    def _commit_new_group(self, version: Any, delta: Any, random: Random) -> None:
        group_id = self._construct(delta, parent=0, version=2)
        table, self._next_table = self._next_table, self._next_table + 1
        self._commit_tables(version, delta, random, {group_id: [table]})

    def _commit_tables(
        self, version: Any, delta: Any, random: Random, by_group: dict[int, list[int]]
    ) -> None:
        self.epoch += EPOCH_STEP
        if not self.rules.commits_by_table or random.random() < 0.7:
            delta.max_committed_epoch = self.epoch
        if "safe_epoch" in delta.DESCRIPTOR.fields_by_name and random.random() < 0.3:
            delta.safe_epoch = max(delta.safe_epoch, version.max_committed_epoch)
        for group_id, tables in by_group.items():
            for table in tables:
                self._bump(version, delta, random, table, group_id)
            ssts = [
                self._ssts.of_tables(random, self.epoch, some(random, tables) or tables)
                for _ in range(random.randint(0, 3))
            ]
            self._insert_commit(delta, random, group_id, ssts)

    def _bump(self, version: Any, delta: Any, random: Random, table: int, group_id: int) -> None:
        """A table's new epoch, and what may come with it."""
        info = delta.state_table_info_delta[table]
        info.committed_epoch, info.compaction_group_id = self.epoch, group_id
        if "safe_epoch" in info.DESCRIPTOR.fields_by_name:
            old = version.state_table_info.get(table, info)
            info.safe_epoch = old.safe_epoch
            if random.random() < 0.4:
                info.safe_epoch = max(old.safe_epoch, self.epoch - EPOCH_STEP)
        if random.random() < 0.4:
            found = delta.new_table_watermarks[table]
            found.is_ascending = table % 2 == 0
            for before in sorted(random.sample(range(4), random.randint(1, 2)), reverse=True):
                epoch = found.epoch_watermarks.add(epoch=self.epoch - before)
                for _ in range(random.randint(1, 2)):
                    watermark = epoch.watermarks.add(watermark=random.randbytes(3))
                    watermark.vnode_bitmap.body = b"\0" + random.randbytes(32)
        if random.random() < 0.3:
            log = delta.change_log_delta[table]
            log.truncate_epoch = max(0, self.epoch - EPOCH_STEP * random.randint(0, 4))
            log.new_log.epochs[:] = [self.epoch - 1, self.epoch][random.randint(0, 1) :]
            log.new_log.new_value.append(self._ssts.of_tables(random, self.epoch, [table]))

    def _insert_commit(self, delta: Any, random: Random, group_id: int, ssts: list[Any]) -> None:
        deltas = delta.group_deltas[group_id].group_deltas
        if self.rules.folded or random.random() < 0.1:
            parts = [[sst] for sst in ssts] if self.rules.commits_each else [ssts]
            for number, part in enumerate(parts):
                intra = deltas.add().intra_level
                intra.l0_sub_level_id = self.epoch + number
                intra.inserted_table_infos.extend(part)
        else:
            deltas.add().new_l0_sub_level.inserted_table_infos.extend(ssts)

    def _compact_l0(self, version: Any, delta: Any, random: Random) -> None:
        group = pick_group(version, random, lambda group: all_ssts(group.l0.sub_levels))
        if group is None:
            return
        first, end = sorted(random.sample(range(len(group.l0.sub_levels) + 1), 2))
        read = group.l0.sub_levels[first:end]
        made = self._ssts.compacted(random, version, group, all_ssts(read))
        self._intra(delta, group, 0, removed=all_ssts(read))
        self._intra(delta, group, 0, made=made, sub_level_id=random.choice(read).sub_level_id)

    def _compact_to_base(self, version: Any, delta: Any, random: Random) -> None:
        group = pick_group(version, random, lambda group: all_ssts(group.l0.sub_levels))
        if group is not None:
            read = all_ssts(group.l0.sub_levels[: random.randint(1, len(group.l0.sub_levels))])
            if read:
                self._compact_into(version, delta, random, group, (0, read), group.levels[0])

    def _compact_down(self, version: Any, delta: Any, random: Random) -> None:
        group = pick_group(version, random, lambda group: all_ssts(group.levels[:-1]))
        if group is None:
            return
        source = random.choice([level for level in group.levels[:-1] if level.table_infos])
        first = random.randrange(len(source.table_infos))
        read = source.table_infos[first : first + random.randint(1, 2)]
        target = group.levels[source.level_idx]
        if not overlapping(target.table_infos, read):
            delta.trivial_move = True
            self._intra(delta, group, source.level_idx, removed=read)
            self._intra(delta, group, target.level_idx, made=read)
        else:
            self._compact_into(version, delta, random, group, (source.level_idx, read), target)

    def _compact_into(
        self,
        version: Any,
        delta: Any,
        random: Random,
        group: Any,
        read: tuple[int, Sequence[Any]],
        target: Any,
    ) -> None:
        met = overlapping(target.table_infos, read[1])
        made = self._ssts.compacted(random, version, group, [*read[1], *met])
        self._intra(delta, group, read[0], removed=read[1])
        if met:
            self._intra(delta, group, target.level_idx, removed=met)
        if made:
            count = random.choice([0, 4])
            self._intra(delta, group, target.level_idx, made=made, partitions=count)

    def _compact_expired(self, version: Any, delta: Any, random: Random) -> None:
        """A compaction of what is not there any more: it must change nothing."""
        group = pick_group(version, random, lambda group: all_ssts(group.l0.sub_levels))
        if group is None:
            return
        gone = self._ssts.of_tables(random, self.epoch, [1])
        read = [*all_ssts(group.l0.sub_levels), *([] if self.rules.group_version else [gone])]
        self._intra(delta, group, 0, removed=read, expired=True)
        if self.rules.group_version or self.rules.folded:
            made = self._ssts.compacted(random, version, group, read)
            self._intra(delta, group, LEVEL_COUNT, made=made, expired=True)

    def _intra(
        self,
        delta: Any,
        group: Any,
        level_idx: int,
        *,
        removed: Iterable[Any] = (),
        made: Iterable[Any] = (),
        sub_level_id: int = 0,
        partitions: int = 0,
        expired: bool = False,
    ) -> None:
        intra = delta.group_deltas[group.group_id].group_deltas.add().intra_level
        intra.level_idx, intra.l0_sub_level_id = level_idx, sub_level_id
        intra.removed_table_ids.extend(sst.sst_id for sst in removed)
        intra.inserted_table_infos.extend(made)
        intra.vnode_partition_count = partitions
        if self.rules.group_version:
            intra.compaction_group_version_id = group.compaction_group_version_id + expired

    def _drop(self, version: Any, delta: Any, random: Random) -> None:
        dropped = some(random, sorted(version.state_table_info))[:2]
        delta.removed_table_ids.extend(dropped)
        if self._prunes_drops:
            self._prune(version, delta, dropped)

    def _truncate(self, version: Any, delta: Any, random: Random) -> None:
        if random.random() < 0.5:
            self._commit(version, delta, random)
        self._prune(version, delta, some(random, sorted(version.state_table_info))[:2])

    def _prune(self, version: Any, delta: Any, tables: Iterable[int]) -> None:
        for table in tables:
            group_id = version.state_table_info[table].compaction_group_id
            deltas = delta.group_deltas[group_id].group_deltas
            deltas.add().truncate_tables.table_ids.append(table)

    def _destroy(self, version: Any, delta: Any, random: Random) -> None:
        empty = [group_id for group_id in version.levels if not members_of(version, group_id)]
        if left := sorted(set(empty).difference(FIRST_GROUPS)):
            deltas = delta.group_deltas[random.choice(left)].group_deltas
            deltas.add().group_destroy.SetInParent()

    def _construct(self, delta: Any, parent: int, version: int) -> int:
        group_id, self._next_group = self._next_group, self._next_group + 1
        found = delta.group_deltas[group_id].group_deltas.add().group_construct
        found.group_id, found.parent_group_id, found.version = group_id, parent, version
        found.group_config.max_level = LEVEL_COUNT
        return group_id

    def _split_by_members(self, version: Any, delta: Any, random: Random) -> None:
        group = pick_group(version, random, lambda group: members_of(version, group.group_id)[1:])
        if group is not None:
            members = members_of(version, group.group_id)
            moved = random.sample(members, random.randint(1, len(members) - 1))
            self._split(version, delta, group, moved, version_of_rule=2)

    def _split_by_key(self, version: Any, delta: Any, random: Random) -> None:
        group = pick_group(version, random, lambda group: members_of(version, group.group_id)[1:])
        if group is not None:
            members = members_of(version, group.group_id)
            moved = members[random.randint(1, len(members) - 1) :]
            found = self._split(version, delta, group, moved, version_of_rule=3)
            found.split_key = split_key(moved[0])

    def _split(
        self, version: Any, delta: Any, group: Any, moved: Sequence[int], version_of_rule: int
    ) -> Any:
        child = self._construct(delta, group.group_id, version_of_rule)
        move(version, delta, moved, child)
        found = delta.group_deltas[child].group_deltas[0].group_construct
        count = len(all_ssts([*group.l0.sub_levels, *group.levels]))
        found.new_sst_start_id = self._ssts.take_ids(2 * count)
        return found

    def _merge(self, version: Any, delta: Any, random: Random) -> None:
        pairs = [
            (left, right)
            for left in sorted(version.levels)
            for right in sorted(version.levels)
            if right not in {left, *FIRST_GROUPS} and can_merge(version, left, right)
        ]
        if pairs:
            left, right = random.choice(pairs)
            merge = delta.group_deltas[left].group_deltas.add().group_merge
            merge.left_group_id, merge.right_group_id = left, right
            move(version, delta, members_of(version, right), left)
