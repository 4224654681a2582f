"""Tables, materialized views and indexes of a snapshot, as a query sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from metasnapshot.contents.data_tables import INTERNAL, DataTable, data_tables
from metasnapshot.errors import MetasnapshotError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.scan import committed_epoch
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.operations.read import Wish, fitted, plan_read
from metasnapshot.sst.schema import Column
from metasnapshot.sst.types import Kind

if TYPE_CHECKING:
    from metasnapshot.rows.views import Relation

INTERVAL = "(to_months(({0}).months) + to_days(({0}).days) + to_microseconds(({0}).microseconds))"
_SQL = {Kind.JSONB: "{0}::JSON", Kind.INTERVAL: INTERVAL}


class TableRelations:
    """The tables of a snapshot for a query, and which of them it used."""

    def __init__(
        self, reader: SnapshotReader, find_objects: Callable[[], ObjectStore], wish: Wish
    ) -> None:
        """Make ready; where objects lie is not asked before a query needs a row of a table."""
        self._reader = reader
        self._find_objects = find_objects
        self._wish = wish
        self.tables = [table for table in data_tables(reader) if table.kind != INTERNAL]

    @cached_property
    def _objects(self) -> ObjectStore:
        return self._find_objects()

    def relations(self) -> list[Relation]:
        """Of each table."""
        return [self._relation(table) for table in self.tables]

    def epoch(self, table: DataTable) -> int:
        """The one up to which its rows are read."""
        if self._wish.epoch is not None:
            return self._wish.epoch
        return committed_epoch(self._reader.hummock_version.message, table.id)

    def look_for(self, used: list[DataTable]) -> None:
        """See that the objects of all of these are there, before the first row is read.

        Raises:
            ObjectMissing: one is not.
            UsageError: a table cannot be read as wished.
        """
        reads = [plan_read(self._reader, table, self._objects, self._wish) for table in used]
        refs = {ref.object_id: ref for read in reads for ref in read.scan.refs}
        if reads:
            self._objects.look_for(list(refs.values()))

    def _relation(self, table: DataTable) -> Relation:
        from metasnapshot.rows.arrow import pa  # noqa: PLC0415 - of the extra
        from metasnapshot.rows.views import Relation, ViewColumn  # noqa: PLC0415

        _, fit = fitted(self._wish)
        try:
            schema = table.schema()
        except MetasnapshotError as error:
            none = (ViewColumn("unreadable", pa.null()),)
            return Relation(table.parts, none, lambda _: iter(()), table.refusal or str(error))
        shown = [
            (place, column)
            for place, column in enumerate(schema.columns)
            if not column.is_hidden and place not in schema.unstored
        ]
        columns = tuple(
            ViewColumn(column.name, fit.arrow_type(column.type), _sql(column, fit))
            for _, column in shown
        )
        if not columns:
            columns = (ViewColumn("nothing", pa.null()),)
            return Relation(table.parts, columns, lambda _: iter(()), "all its columns are hidden")
        places = [place for place, _ in shown]

        def batches(wanted: tuple[int, ...]) -> Iterator[Any]:
            whole = plan_read(self._reader, table, self._objects, self._wish)
            read = replace(whole, places=tuple(places[number] for number in wanted))
            return read.batches()

        return Relation(table.parts, columns, batches, table.refusal)


def _sql(column: Column, fit: Any) -> str:
    return "{0}" if fit.is_text(column.type) else _SQL.get(column.type.kind, "{0}")
