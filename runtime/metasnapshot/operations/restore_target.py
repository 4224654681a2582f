"""What a restore asks of its target: the right tables, no rows, values that its engine holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from metasnapshot.errors import TargetNotEmpty, UnknownFormat
from metasnapshot.format.layout import shape_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.metastore.create import applied_migrations, tables_there
from metasnapshot.metastore.ddl import MIGRATIONS_TABLE, Schema, is_narrow, schema_of
from metasnapshot.metastore.load import (
    digest_rows,
    digest_table,
    fitted_rows,
    nonempty_tables,
    target_of,
)
from metasnapshot.metastore.schema import live_schema
from metasnapshot.metastore.values import MYSQL, SQLITE, engine_of
from metasnapshot.operations.create_schema import MIGRATIONS_SECTION, release_of
from metasnapshot.operations.restore_plan import RestoreOptions, RestorePlan
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout


class TargetChecks:
    """Checks of one target, inside an open transaction on it.

    Attributes:
        target: the layout, and what the engine holds.
        schema: the tables that will be made; None if they must be there.
    """

    def __init__(
        self,
        connection: sa.Connection,
        reader: SnapshotReader,
        options: RestoreOptions,
        plan: RestorePlan,
        section_rows: Callable[[str], Iterator[Any]],
    ) -> None:
        self.connection = connection
        self.reader = reader
        self.options = options
        self.plan = plan
        self.section_rows = section_rows
        self.layout: Layout = reader.definition
        self.target = target_of(connection, self.layout, cut_timestamps=options.cut_timestamps)
        self.schema: Schema | None = None

    def schema_fits(self) -> str:
        """The target has every table and column, and none that would refuse the rows; or an empty
        database gets them.
        """
        if self.options.create_schema and not nonempty_tables(self.connection):
            return self._new_schema()
        live = live_schema(self.connection)
        problems: list[str] = []
        for _, model in self.layout.sections:
            table = CODECS[model].table
            known = [column.name for column in shape_of(self.layout, model).columns]
            if table not in live:
                problems.append(f"no table {table}")
                continue
            names = [column.name for column in live[table]]
            problems += [f"no column {table}.{name}" for name in known if name not in names]
            problems += [
                f"column {table}.{column.name} takes no NULL and has no default"
                for column in live[table]
                if column.is_required and column.name not in known
            ]
        if problems:
            raise UnknownFormat(
                f"target meta store does not fit layout {self.layout.name}: {', '.join(problems)}",
                hint="is it another release's? an empty database gets the right schema with "
                "--create-schema",
            )
        return f"{len(self.layout.sections)} tables with the columns of layout {self.layout.name}"

    def _new_schema(self) -> str:
        """The tables that are missing will be made."""
        schema = schema_of(release_of(self.reader), engine_of(self.connection))
        there = tables_there(self.connection, schema)
        self.schema = schema
        names = [table.name for table in schema.tables]
        self.plan.creates = tuple(name for name in names if name not in there)
        if is_narrow(schema.release, schema.engine):
            self.target = replace(self.target, fit=replace(self.target.fit, is_narrow=True))
        kept = f", {len(there)} are there" if there else ""
        return f"{len(self.plan.creates)} tables of {schema.release} will be made{kept}"

    def is_empty(self) -> str:
        """Empty, or to be emptied, or loaded already by a restore that died."""
        rows = nonempty_tables(self.connection)
        if not rows:
            return "no rows in any table of RisingWave's"
        if self._is_loaded(rows):
            self.plan.loaded = True
            return "the rows are there already, from a restore that did not end"
        if set(rows) == {MIGRATIONS_TABLE} and self._is_new():
            self.plan.empties = rows
            return "no rows but the list of migrations, which is the snapshot's"
        if not self.options.clean:
            raise TargetNotEmpty(rows)
        self.plan.empties = rows
        return f"to be emptied: {', '.join(f'{table} ({count})' for table, count in rows.items())}"

    def _is_new(self) -> bool:
        """Whether the target's migrations are those of the snapshot."""
        names = frozenset(row.version for row in self.reader.rows(MIGRATIONS_SECTION))
        return applied_migrations(self.connection) == names

    def _is_loaded(self, rows: dict[str, int]) -> bool:
        """Whether the target holds exactly what this restore would load."""
        wanted = {table: count for table, count in self.plan.rows.items() if count}
        wanted[CODECS["hummock_sequence"].table] = len(self.plan.sequences)
        if {table: count for table, count in wanted.items() if count} != rows:
            return False
        for section, model in self.layout.sections:
            expected = digest_rows(self.target, model, self.section_rows(section))
            if digest_table(self.connection, self.layout, model) != expected:
                return False
        return True

    def values_fit(self, *, is_load: bool) -> str:
        """The target's engine holds every value as it is. A load that follows at once looks itself,
        and rolls back; but MySQL would have made the tables by then.
        """
        engine = self.target.fit.engine
        if engine == SQLITE:
            return "SQLite holds every value"
        if is_load and not (engine == MYSQL and self.plan.creates):
            return f"looked at as they are sent, in one transaction of {engine}'s"
        for section, model in self.layout.sections:
            for _ in fitted_rows(self.target, model, self.section_rows(section)):
                pass
        cut = ", timestamps cut to what it holds" if self.options.cut_timestamps else ""
        return f"{engine} holds every value{cut}"
