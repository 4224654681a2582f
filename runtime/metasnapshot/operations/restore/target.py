"""What a restore asks of its target: the tables of the snapshot's release, no rows, values that its
engine holds. It is asked for the plan, and again inside the transaction that loads.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from metasnapshot.contents.unique_keys import UniqueKeys
from metasnapshot.errors import TargetNotEmpty, UnknownFormat
from metasnapshot.format.layout import shape_of
from metasnapshot.metastore.bulk.table import fitted_batches
from metasnapshot.metastore.create import applied_migrations, tables_there
from metasnapshot.metastore.ddl import MIGRATIONS_TABLE, Schema, is_narrow, schema_of
from metasnapshot.metastore.engines import engine_of
from metasnapshot.metastore.load import (
    digest_table,
    known_tables,
    nonempty_tables,
    some_tables,
    target_of,
)
from metasnapshot.metastore.misfits import live_tables, misfits
from metasnapshot.metastore.triggers import triggers_on
from metasnapshot.operations.create_schema import release_of
from metasnapshot.operations.restore.plan import RestoreOptions, RestorePlan, Warned
from metasnapshot.operations.restore.source import Source
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.layouts import RELEASES

MISFITS_SHOWN = 3


class TargetChecks:
    """Checks of one target, inside an open transaction on it.

    Attributes:
        target: the layout, and what the engine holds.
        schema: the tables that will be made; None if they must be there.
    """

    def __init__(
        self, connection: sa.Connection, source: Source, options: RestoreOptions, plan: RestorePlan
    ) -> None:
        self.connection = connection
        self.source = source
        self.options = options
        self.plan = plan
        self.target = target_of(connection, source.layout, cut_timestamps=options.cut_timestamps)
        self.schema: Schema | None = None

    def schema_fits(self) -> str:
        """The target has the tables of the snapshot's release, no more and no less, or an empty
        database gets them. What is no release's may stand beside.
        """
        if self.options.create_schema and not nonempty_tables(self.connection):
            return self._new_schema()
        releases = self._releases_there()
        live = live_tables(self.connection)
        found = {release: misfits(live, release) for release in releases}
        nearest = min(releases, key=lambda release: len(found[release]))
        if problems := found[nearest]:
            more = f", and {len(problems) - MISFITS_SHOWN} more" * (len(problems) > MISFITS_SHOWN)
            raise UnknownFormat(
                f"target meta store does not fit layout {self.source.layout.name}: "
                f"{', '.join(problems[:MISFITS_SHOWN])}{more}",
                hint=self._way_out(),
            )
        return f"the tables of {nearest}, with the columns of layout {self.source.layout.name}"

    def _releases_there(self) -> list[str]:
        """The releases of the snapshot's layout, where the target's list of migrations allows only
        some of them, those.
        """
        there = self._migrations_there()
        named = [name for name in self._releases if RELEASES[name].migrations == there]
        return named or self._releases

    def _migrations_there(self) -> frozenset[str]:
        if MIGRATIONS_TABLE not in known_tables(self.connection):
            return frozenset()
        return applied_migrations(self.connection)

    def _require_its_migrations(self) -> None:
        """The target's list of migrations is that of a release of the snapshot's layout, or the
        snapshot's own.

        Raises:
            UnknownFormat: a meta node would migrate tables that are migrated already, or not those
                that have to be.
        """
        there, of_layout = self._migrations_there(), self._releases
        allowed = [RELEASES[name].migrations for name in of_layout]
        if not there or there in (*allowed, self.source.migrations):
            return
        named = [name for name, item in RELEASES.items() if item.migrations == there]
        theirs = " to ".join(dict.fromkeys((named[0], named[-1]))) if named else "no known release"
        raise UnknownFormat(
            f"target meta store is of another release: its {MIGRATIONS_TABLE} has {len(there)} "
            f"migrations, those of {theirs}; the snapshot is of {of_layout[0]} to {of_layout[-1]}",
            hint=self._way_out(),
        )

    @property
    def _releases(self) -> list[str]:
        """The releases of the snapshot's layout."""
        return [name for name, item in RELEASES.items() if item.layout == self.source.layout.name]

    def _way_out(self) -> str:
        release = self.source.layout.releases[-1]
        return (
            "give an empty database and --create-schema, or one that `metasnapshot create-schema "
            f"{release}` made; the release's own meta node migrates it afterwards"
        )

    def _new_schema(self) -> str:
        """The tables that are missing will be made."""
        schema = schema_of(release_of(self.source.reader), engine_of(self.connection).syntax)
        there = tables_there(self.connection, schema)
        self.schema = schema
        names = [table.name for table in schema.tables]
        self.plan.creates = tuple(name for name in names if name not in there)
        if is_narrow(schema.release, engine_of(self.connection).syntax):
            self.target = replace(self.target, fit=replace(self.target.fit, is_narrow=True))
        kept = f", {len(there)} are there" if there else ""
        return f"{len(self.plan.creates)} tables of {schema.release} will be made{kept}"

    def triggers(self) -> str | Warned:
        """Nobody's triggers and rules act on the rows; those that there are, are named."""
        found = triggers_on(self.connection, known_tables(self.connection))
        if found:
            return Warned(
                f"{', '.join(found)}: what they change is looked for before the commit, but only "
                "in RisingWave's tables"
            )
        return "none on RisingWave's tables"

    def is_empty(self) -> str:
        """Empty, or to be emptied, or loaded already."""
        rows = nonempty_tables(self.connection)
        if not rows:
            return "no rows in any table of RisingWave"
        if self._is_loaded(rows):
            self.plan.loaded = True
            return "the rows are there already, just as this restore would load them"
        if set(rows) == {MIGRATIONS_TABLE} and self._is_new():
            self.plan.empties = rows
            return "no rows but the list of migrations, which is the snapshot's"
        if not self.options.clean:
            raise TargetNotEmpty(rows, some_tables(rows))
        self._require_its_migrations()
        self.plan.empties = rows
        return f"to be emptied: {some_tables(rows)}"

    def _is_new(self) -> bool:
        """Whether the target's migrations are those of the snapshot."""
        return applied_migrations(self.connection) == self.source.migrations

    def _is_loaded(self, rows: dict[str, int]) -> bool:
        """Whether the target holds exactly what this restore would load."""
        wanted = {table: count for table, count in self.plan.rows.items() if count}
        wanted[CODECS["hummock_sequence"].table] = len(self.plan.sequences)
        if {table: count for table, count in wanted.items() if count} != rows:
            return False
        layout = self.source.layout
        small_first = sorted(
            self.source.sections, key=lambda name: self.source.reader.place(name).size
        )
        return all(
            digest_table(self.connection, layout, self.source.model(section))
            == self.source.digest(self.target, section)
            for section in small_first
        )

    def values_fit(self, *, is_load: bool) -> str:
        """The target's engine holds every value as it is, and every row once. A load that follows
        at once looks itself, and rolls back; but MySQL would have made the tables by then.
        """
        engine = engine_of(self.connection)
        if self.plan.loaded:
            return "they are there"
        if is_load and not (engine.commits_ddl and self.plan.creates):
            return f"checked as they are sent, in one transaction of {engine.name}"
        if self.target.fit not in self.source.fitting:
            self._look_at_values()
            self.source.fitting.add(self.target.fit)
        cut = ", timestamps cut to what it holds" if self.options.cut_timestamps else ""
        return f"{engine.name} holds every value{cut}; no row stands twice"

    def _look_at_values(self) -> None:
        """Every one, and every key: what is fit once stays so, the rows are the same."""
        self.source.look_first()
        for section in self.source.sections:
            model = self.source.model(section)
            shape = shape_of(self.source.layout, model).columns
            keys = UniqueKeys(self.source.layout, section)
            batches = keys.noting(self.source.columns(section))
            for _ in fitted_batches(batches, CODECS[model].table, shape, self.target.fit):
                pass
            keys.require(lambda it=section: self.source.columns(it))
