"""Tables of meta stores: the empty ones of a release, and those that the registry does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metasnapshot.library.meta_stores import MetaStore

if TYPE_CHECKING:
    from metasnapshot.format.reader import SnapshotReader
    from metasnapshot.operations.coverage import Coverage
    from metasnapshot.operations.create_schema import SchemaResult
    from metasnapshot.scaffold.models import Scaffold


def coverage(meta_store: MetaStore) -> Coverage:
    """Compare a live meta store's tables and columns with the registry, in both directions.

    Raises:
        UnknownFormat: the store's migrations are of no known release.
    """
    return scaffolded(meta_store, None)[0]


def scaffolded(meta_store: MetaStore, release: str | None) -> tuple[Coverage, Scaffold | None]:
    """The same, and the lines for schema/ that make a release known, if one is named.

    Args:
        meta_store: of a release that the registry does not know.
        release: its name; None for no lines.

    Raises:
        UsageError: the release is not written as one, or is known already.
        UnknownFormat: the store's migrations are of no known release.
    """
    from metasnapshot.metastore.engines import engine_of
    from metasnapshot.operations.coverage import cover
    from metasnapshot.scaffold.declarations import read_tables
    from metasnapshot.scaffold.models import scaffold

    with meta_store.connect() as opened, opened.read_transaction() as connection:
        found = cover(connection)
        if release is None:
            return found, None
        engine = engine_of(connection).syntax.types
        return found, scaffold(release, found, read_tables(connection), engine)


def create_schema(meta_store: MetaStore, release: str) -> SchemaResult:
    """Make the empty tables of a release, as its own meta node would; a SQLite file that is not
    there is made.

    Args:
        meta_store: where.
        release: with or without `v`.

    Raises:
        TargetNotEmpty: it has rows, and not only those that this would write.
        UnknownFormat: no release has that name, or the store has tables of another one.
    """
    from metasnapshot.operations.create_schema import create_schema as create
    from metasnapshot.operations.create_schema import release_named

    found = release_named(release)
    with meta_store.connect(may_create=True) as opened:
        return create(opened, found)


def schema_script(release: str, engine: str) -> str:
    """The same as a script for the engine's own client.

    Args:
        release: with or without `v`.
        engine: `sqlite`, `postgresql` or `mysql`.

    Raises:
        UnknownFormat: no release has that name.
    """
    from metasnapshot.operations.create_schema import release_named, script

    return script(release_named(release), engine)


def release_named(name: str) -> str:
    """The release that a user means: with or without `v`, or the name of a branch.

    Raises:
        UnknownFormat: no release has that name.
    """
    from metasnapshot.operations.create_schema import release_named as named

    return named(name)


def release_of(reader: SnapshotReader) -> str:
    """The newest release that has a snapshot's migrations: its rows fit that schema.

    Raises:
        UnknownFormat: no known release has them.
    """
    from metasnapshot.operations.create_schema import release_of as of

    return of(reader)
