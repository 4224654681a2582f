"""A Hummock version while deltas are applied: message -> Working -> message."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from metasnapshot.errors import VersionError
from metasnapshot.format import messages
from metasnapshot.hummock.replay.change_logs import Logs
from metasnapshot.hummock.replay.levels import Group, read_group, write_group
from metasnapshot.hummock.replay.rules import Rules
from metasnapshot.hummock.replay.sst import changed, read_sst
from metasnapshot.hummock.replay.watermarks import read_watermarks


class TableInfo(NamedTuple):
    """What a version knows of a table, as StateTableInfo has it."""

    committed_epoch: int
    compaction_group_id: int
    safe_epoch: int


class Working:
    """A version as a release has it in memory.

    Attributes:
        rules: of the release.
        id: id of the version.
        max_committed_epoch: as the version says it.
        safe_epoch: the same, up to 2.0.
        has_safe_epoch: whether the messages have it, also those of tables.
        groups: levels by compaction group.
        infos: what is known of the tables, by table.
        members: tables by compaction group; derived from infos.
        watermarks: TableWatermarks messages by table.
        unsettled: tables whose watermarks the next delta has to look at.
        logs: change logs by table.
        vectors: VectorIndex messages by table.
    """

    def __init__(self, message: Any, rules: Rules) -> None:
        """Read a HummockVersion message; it stays as it is.

        Raises:
            VersionError: the release would not read it.
        """
        self.rules = rules
        self._class: Any = type(message)
        self._era = messages.era_of(message)
        self.id: int = message.id
        self.max_committed_epoch: int = message.max_committed_epoch
        self.has_safe_epoch = hasattr(message, "safe_epoch")
        self.safe_epoch: int = message.safe_epoch if self.has_safe_epoch else 0
        self.groups: dict[int, Group] = {
            key: read_group(levels, rules) for key, levels in message.levels.items()
        }
        self.infos: dict[int, TableInfo] = {
            table: self.read_info(found)
            for table, found in getattr(message, "state_table_info", {}).items()
        }
        self.members = defaultdict[int, set[int]](set)
        for table, info in self.infos.items():
            self.members[info.compaction_group_id].add(table)
        self.watermarks: dict[int, Any] = {
            table: read_watermarks(found, rules)
            for table, found in getattr(message, "table_watermarks", {}).items()
        }
        self.unsettled = set(self.watermarks)
        self.logs: Logs = {
            table: [read_log(item, rules) for item in found.change_logs]
            for table, found in getattr(message, "table_change_logs", {}).items()
        }
        self.vectors: dict[int, Any] = dict(getattr(message, "vector_indexes", {}))

    def read_info(self, message: Any) -> TableInfo:
        """What a StateTableInfo or a StateTableInfoDelta says."""
        safe_epoch: int = message.safe_epoch if self.has_safe_epoch else 0
        return TableInfo(message.committed_epoch, message.compaction_group_id, safe_epoch)

    def members_of(self, group_id: int) -> set[int]:
        """The tables of a group: the version's own word for it since 1.10, the group's before."""
        if self.rules.tables:
            return self.members.get(group_id, set())
        return set(self.groups[group_id].member_table_ids)

    def group(self, group_id: int) -> Group:
        """The levels of a group.

        Raises:
            VersionError: there is no such group.
        """
        try:
            return self.groups[group_id]
        except KeyError as error:
            raise VersionError(f"compaction group {group_id} does not exist") from error

    def message(self) -> Any:
        """The version as the release writes it."""
        message: Any = self._class(id=self.id, max_committed_epoch=self.max_committed_epoch)
        if self.safe_epoch:
            message.safe_epoch = self.safe_epoch
        for key, group in self.groups.items():
            write_group(group, message.levels[key])
        for table, info in self.infos.items():
            written = message.state_table_info[table]
            written.committed_epoch = info.committed_epoch
            written.compaction_group_id = info.compaction_group_id
            if info.safe_epoch:
                written.safe_epoch = info.safe_epoch
        for table, found in self.watermarks.items():
            message.table_watermarks[table].CopyFrom(found)
        for table, log in self.logs.items() if self.rules.logs_written else ():
            message.table_change_logs[table].change_logs.extend(log)
        for table, index in self.vectors.items():
            message.vector_indexes[table].CopyFrom(index)
        return message

    def new_message(self, name: str) -> Any:
        """An empty Hummock message of the version's era."""
        return messages.message_class(f"hummock.{name}", self._era)()


def read_log(message: Any, rules: Rules) -> Any:
    """An EpochNewChangeLog as a release has it in memory.

    Raises:
        VersionError: the release would not read it.
    """
    values = [
        [read_sst(sst, rules).message for sst in found]
        for found in (message.old_value, message.new_value)
    ]
    if all(
        one is other
        for found, read in zip((message.old_value, message.new_value), values, strict=True)
        for one, other in zip(found, read, strict=True)
    ):
        return message
    copy = changed(message)
    del copy.old_value[:], copy.new_value[:]
    copy.old_value.extend(values[0])
    copy.new_value.extend(values[1])
    return copy
