"""create-schema: the empty tables of a release, with the list of its migrations, so that its meta
node finds nothing to do. A cluster's own first start makes the same, and rows that a restore would
have to empty.
"""

from __future__ import annotations

from dataclasses import dataclass

from metasnapshot.errors import TargetNotEmpty, UnknownFormat
from metasnapshot.format.layout import candidates
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.metastore.connect import MetaStore
from metasnapshot.metastore.create import applied_migrations, make_tables, write_migrations
from metasnapshot.metastore.ddl import MIGRATIONS_TABLE, schema_of
from metasnapshot.metastore.engines import engine_named, engine_of
from metasnapshot_models.layouts import LAYOUTS, RELEASES


@dataclass(frozen=True)
class SchemaResult:
    """What was made: the tables' names, none if all were there with the release's migrations."""

    release: str
    engine: str
    tables: tuple[str, ...]
    migrations: int


def release_named(name: str) -> str:
    """The release that a user means: with or without `v`, or the name of a branch.

    Raises:
        UnknownFormat: no release has that name.
    """
    plain = name.removeprefix("v")
    if plain in RELEASES:
        return plain
    if plain in LAYOUTS:
        return LAYOUTS[plain].releases[-1]
    raise UnknownFormat(f"unknown release {name}", hint=f"known: {', '.join(RELEASES)}")


def release_of(reader: SnapshotReader) -> str:
    """The newest release that has a snapshot's migrations: its rows fit this schema.

    Raises:
        UnknownFormat: no known release has them.
    """
    layout = reader.definition
    found = candidates(row.version for row in reader.migrations)
    return found.releases_of(layout)[-1]


def create_schema(meta_store: MetaStore, release: str) -> SchemaResult:
    """Make the tables of a release in an empty meta store; finishes what a creation that died left.

    Raises:
        TargetNotEmpty: it has rows, and not only those that this would write.
        UnknownFormat: it has tables of another release.
    """
    names = sorted(RELEASES[release].migrations)
    with meta_store.write_transaction() as connection:
        schema = schema_of(release, engine_of(connection).syntax)
        try:
            made = make_tables(connection, schema)
        except TargetNotEmpty as error:
            if set(error.rows) != {MIGRATIONS_TABLE}:
                raise
            if applied_migrations(connection) != frozenset(names):
                raise
            return SchemaResult(release, schema.engine, (), len(names))
        write_migrations(connection, names)
    return SchemaResult(release, schema.engine, tuple(made), len(names))


def script(release: str, engine: str) -> str:
    """The same as a script for the engine's own client."""
    syntax = engine_named(engine).syntax
    schema = schema_of(release, syntax)
    names = sorted(RELEASES[release].migrations)
    rows = ",\n".join(f"  ('{name}', {syntax.now})" for name in names)
    insert = f"INSERT INTO {MIGRATIONS_TABLE} (version, applied_at) VALUES\n{rows}"
    return "".join(f"{text};\n" for text in ("BEGIN", *schema.statements(), insert, "COMMIT"))
