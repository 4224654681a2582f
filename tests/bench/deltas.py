"""The benchmark of replaying version deltas: small ones, onto a version of 100,000 SSTs.

Most deltas commit one SST into L0; now and then a compaction takes a group's L0 into its base
level, so that L0 stays small. The deltas are bytes, as rows of the meta store have them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import measure

from metasnapshot.format import messages
from metasnapshot.hummock.replay.rules import rules_of
from metasnapshot.hummock.replay.stream import DELTA, VERSION, replay

RULES, ERA = rules_of("3.0.3"), "v3.0.3"
GROUPS = range(2, 7)
LEVEL_SSTS = (2_000, 4_000, 14_000)
"""SSTs in the levels of each group."""
TABLES = 4
"""Tables of each group; each has as many SSTs in a level as the others."""
COMMITS_PER_COMPACTION = 32
REWRITTEN = 4
"""SSTs of the base level that a compaction writes anew."""
COUNTS = (10_000, 100_000)
EPOCH = 7_000_000_000_000_000
EPOCH_STEP = 1 << 16
Row = tuple[int, bytes]


def write(folder: Path, count: int = COUNTS[-1]) -> None:
    """A version, and the rows of so many deltas to replay onto it."""
    cluster = Cluster()
    (folder / "version.pb").write_bytes(cluster.version.SerializeToString())
    with (folder / "deltas.bin").open("wb") as file:
        for _, data in cluster.deltas(count):
            file.write(len(data).to_bytes(4, "little") + data)


def read_version(folder: Path) -> Any:
    return messages.parse((folder / "version.pb").read_bytes(), VERSION, ERA)


def read_rows(folder: Path, count: int) -> Iterator[Row]:
    with (folder / "deltas.bin").open("rb") as file:
        for number in range(count):
            yield number + 2, file.read(int.from_bytes(file.read(4), "little"))


class Cluster:
    """Makes the version, then deltas onto it."""

    def __init__(self) -> None:
        self._next_id, self._epoch = 1, EPOCH
        self._l0: dict[int, list[int]] = {group: [] for group in GROUPS}
        self._base: dict[int, list[int]] = {}
        self.version = self._make_version()

    def deltas(self, count: int) -> Iterator[Row]:
        """Id and bytes of each delta; they go round the groups."""
        for number in range(count):
            delta: Any = messages.message_class(DELTA, ERA)()
            delta.prev_id, delta.id = number + 1, number + 2
            group = GROUPS[number % len(GROUPS)]
            if len(self._l0[group]) < COMMITS_PER_COMPACTION:
                self._commit(delta, group, number)
            else:
                self._compact(delta, group, number)
            delta.max_committed_epoch = self._epoch
            yield delta.id, delta.SerializeToString()

    def _commit(self, delta: Any, group: int, number: int) -> None:
        self._epoch += EPOCH_STEP
        table = _table(group, number // len(GROUPS) % TABLES)
        info = delta.state_table_info_delta[table]
        info.committed_epoch, info.compaction_group_id = self._epoch, group
        sub_level = delta.group_deltas[group].group_deltas.add().new_l0_sub_level
        self._fill(sub_level.inserted_table_infos.add(), table, number, number + 50)
        self._l0[group].append(self._next_id)

    def _compact(self, delta: Any, group: int, number: int) -> None:
        """L0 and a few neighbours in the base level become as many others."""
        base = self._base[group]
        first = number * 7 % (len(base) - REWRITTEN)
        deltas = delta.group_deltas[group].group_deltas
        deltas.add().intra_level.removed_table_ids.extend(self._l0[group])
        deltas.add().intra_level.removed_table_ids.extend(base[first : first + REWRITTEN])
        made = deltas.add().intra_level
        for place in range(first, first + REWRITTEN):
            self._fill_base(made.inserted_table_infos.add(), group, place, LEVEL_SSTS[0])
            base[place] = self._next_id
        deltas[1].intra_level.level_idx = made.level_idx = 1
        self._l0[group].clear()

    def _make_version(self) -> Any:
        version: Any = messages.message_class(VERSION, ERA)(id=1, max_committed_epoch=1)
        for group in GROUPS:
            levels = version.levels[group]
            levels.group_id = group
            levels.l0.SetInParent()
            for table in range(TABLES):
                info = version.state_table_info[_table(group, table)]
                info.compaction_group_id, info.committed_epoch = group, 1
            for number, count in enumerate(LEVEL_SSTS, 1):
                level = levels.levels.add(level_idx=number, level_type=1)
                for place in range(count):
                    self._fill_base(level.table_infos.add(), group, place, count)
                level.total_file_size = sum(sst.sst_size for sst in level.table_infos)
            self._base[group] = [sst.sst_id for sst in levels.levels[0].table_infos]
        return version

    def _fill_base(self, sst: Any, group: int, place: int, count: int) -> None:
        """An SST at a place of a level, where the tables' SSTs follow each other."""
        table, place = divmod(place, count // TABLES)
        self._fill(sst, _table(group, table), 100 * place, 100 * place + 99)

    def _fill(self, sst: Any, table: int, first: int, last: int) -> None:
        self._next_id += 1
        sst.object_id = sst.sst_id = self._next_id
        sst.table_ids.append(table)
        sst.key_range.left, sst.key_range.right = _key(table, first), _key(table, last)
        sst.file_size = sst.sst_size = sst.meta_offset = 32 << 20
        sst.uncompressed_file_size = 64 << 20
        sst.total_key_count = 100_000
        sst.min_epoch = sst.max_epoch = EPOCH


def _table(group: int, number: int) -> int:
    return 1_000 * group + number


def _key(table: int, place: int) -> bytes:
    epoch = EPOCH.to_bytes(8, "big")
    return table.to_bytes(4, "big") + b"\0\0" + place.to_bytes(8, "big") + epoch


def parse_all(rows: list[Row]) -> None:
    """The baseline: protobuf alone."""
    made: Any = messages.message_class(DELTA, ERA)
    for _, data in rows:
        made().ParseFromString(data)


def speed(folder: Path) -> None:
    """How many deltas a second, less what reading and writing the version takes."""
    write(folder)
    version, rows = read_version(folder), list(read_rows(folder, COUNTS[-1]))
    jobs: list[Callable[[], object]] = [lambda: replay(version, [], [RULES])]
    for count in COUNTS:
        some = rows[:count]
        jobs += [
            lambda some=some: parse_all(some),
            lambda some=some: replay(version, some, [RULES]),
        ]
    nothing, *times = measure.best_times(*jobs)
    print(f"\nreplay onto {len(GROUPS) * sum(LEVEL_SSTS)} SSTs, rules of 3.0.3\n")
    print("| deltas | protobuf alone, deltas/s | metasnapshot, deltas/s | ratio | seconds in all |")
    print("|---|---|---|---|---|")
    for count, parsed, replayed in zip(COUNTS, times[::2], times[1::2], strict=True):
        rates = count / parsed, count / (replayed - nothing)
        print(
            f"| {count} | {rates[0]:.0f} | {rates[1]:.0f} | {rates[1] / rates[0]:.3f} "
            f"| {replayed:.1f} |"
        )
    print(f"\nwithout any delta {nothing:.1f} seconds\n")
    print(f"| peak RSS, MiB | {' | '.join(f'{count} deltas' for count in (0, *COUNTS))} |")
    print(f"|---|{'---|' * (1 + len(COUNTS))}")
    peaks = [measure.peak_rss(Path(__file__), str(folder), str(count)) for count in (0, *COUNTS)]
    print(f"| replay | {' | '.join(map(str, peaks))} |", flush=True)


def main() -> int:
    """Replay so many deltas and print the peak RSS of this process."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    found = replay(read_version(folder), read_rows(folder, count), [RULES])
    print(json.dumps({"applied": found.applied, "peak_kib": measure.own_peak_kib()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
