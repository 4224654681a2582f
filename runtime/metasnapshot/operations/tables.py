"""tables: what a snapshot has rows of, and how many bytes they are at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from metasnapshot.contents.data_tables import INTERNAL, DataTable, data_tables
from metasnapshot.errors import DamageError, InconsistentStore, UnknownFormat
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.objects import sst_ids
from metasnapshot.hummock.scan import committed_epoch


@dataclass(frozen=True)
class TableSummary:
    """A table.

    Attributes:
        table: of the catalog.
        size: bytes of the objects that hold its rows, at most: they hold other tables' too.
        keys: entries in them, at most: old versions and deletes count.
        epoch: up to which its data is complete; None if nobody knows.
        encoding: of its values: column-aware, basic or raw; "" if it cannot be told.
        refusal: why it cannot be read; "" if it can.
    """

    table: DataTable
    size: int
    keys: int
    epoch: int | None
    encoding: str
    refusal: str


def summarise_tables(reader: SnapshotReader, *, internal: bool = False) -> Iterator[TableSummary]:
    """Every table of a snapshot, by its name; internal tables only if they are asked for.

    Raises:
        DamageError: a row of the snapshot does not decode.
    """
    version = reader.hummock_version.message
    sizes = sizes_by_table(version)
    tables = [table for table in data_tables(reader) if internal or table.kind != INTERNAL]
    for table in sorted(tables, key=lambda item: (item.kind == INTERNAL, item.parts, item.id)):
        size, keys = sizes.get(table.id, (0, 0))
        refusal, encoding, epoch = table.refusal, "", None
        try:
            epoch = committed_epoch(version, table.id)
            schema = table.schema()
            encoding = (
                "raw" if schema.is_raw else "column-aware" if schema.is_versioned else "basic"
            )
        except (DamageError, UnknownFormat, InconsistentStore) as error:
            refusal = refusal or str(error)
        yield TableSummary(table, size, keys, epoch, encoding, refusal)


def sizes_by_table(version: Any) -> dict[int, tuple[int, int]]:
    """Bytes and entries of the objects of each table."""
    found = defaultdict[int, dict[int, tuple[int, int]]](dict)
    infos = getattr(version, "state_table_info", {})
    for group, levels in version.levels.items():
        for level in (*levels.l0.sub_levels, *levels.levels):
            for sst in level.table_infos:
                pair = (sst.file_size, getattr(sst, "total_key_count", 0))
                for table_id in sst.table_ids:
                    if table_id not in infos or infos[table_id].compaction_group_id == group:
                        found[table_id][sst_ids(sst)[0]] = pair
    return {
        table_id: (sum(p[0] for p in pairs.values()), sum(p[1] for p in pairs.values()))
        for table_id, pairs in found.items()
    }
