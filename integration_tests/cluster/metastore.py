"""The meta store of a simulated cluster: RisingWave's own schema on a real engine, and the rows
that its meta node keeps there.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from cluster.release import LAYOUT
from metasnapshot.format.codec import row_codec
from metasnapshot.format.columns import columns_of
from metasnapshot.format.scalars import Timestamp
from metasnapshot.metastore.load import insert_columns, table_of, target_of
from metasnapshot.metastore.read import read_rows, sequences, system_parameters, version_deltas
from metasnapshot.metastore.results import closing_results
from metasnapshot_models.models import Cluster, Database, Schema, User

SEQUENCE = sa.table("hummock_sequence", sa.column("name"), sa.column("seq"))
PARAMETER = sa.table(
    "system_parameter",
    sa.column("name"),
    sa.column("value"),
    sa.column("is_mutable", sa.Boolean),
)
DELTA = sa.table(
    "hummock_version_delta",
    sa.column("id"),
    sa.column("prev_id"),
    sa.column("max_committed_epoch"),
    sa.column("safe_epoch"),
    sa.column("trivial_move", sa.Boolean),
    sa.column("full_version_delta", sa.LargeBinary),
)
OBJECT = sa.table(
    "object",
    sa.column("oid"),
    sa.column("obj_type"),
    sa.column("owner_id"),
    sa.column("schema_id"),
    sa.column("database_id"),
)
FIRST_IDS = {"compaction_group": 5}
"""Where a sequence starts, if not at 1 (src/meta/src/hummock/manager/sequence.rs)."""
IMMUTABLE = ("state_store", "data_directory", "use_new_object_prefix_strategy")
SCHEMAS = ("public", "pg_catalog", "information_schema", "rw_catalog")
ROOT, DATABASE, PUBLIC = 1, 1, 2
"""Ids that the first migration gives: of the user, the database, the schema."""


class MetaStore:
    """A meta store by its URL; each use is a transaction of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self._engine = sa.create_engine(parsed)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Generator[sa.Connection]:
        with self._engine.begin() as connection, closing_results(connection):
            yield connection

    def is_new(self) -> bool:
        """Whether no cluster ever started on it."""
        with self.transaction() as connection:
            return not list(read_rows(connection, LAYOUT, "cluster"))

    def first_launch(self) -> None:
        """The rows that the first migration inserts (m20230908_072257_init)."""
        with self.transaction() as connection:
            now = Timestamp("2026-08-21T12:00:00")
            insert(connection, "cluster", [Cluster(cluster_id=uuid4(), created_at=now)])
            users = [_user(number + 1, name) for number, name in enumerate(("root", "postgres"))]
            insert(connection, "user", [*users, _user(3, "rwadmin")])
            database = insert_object(connection, "DATABASE", None, None)
            assert database == DATABASE
            row = Database(
                database_id=database,
                name="dev",
                resource_group="default",
                barrier_interval_ms=None,
                checkpoint_frequency=None,
            )
            insert(connection, "database", [row])
            for name in SCHEMAS:
                oid = insert_object(connection, "SCHEMA", None, database)
                insert(connection, "schema", [Schema(schema_id=oid, name=name)])

    def cluster_id(self) -> UUID:
        with self.transaction() as connection:
            (row,) = read_rows(connection, LAYOUT, "cluster")
            found: UUID = row.cluster_id
            return found

    def parameters(self) -> dict[str, str]:
        with self.transaction() as connection:
            return system_parameters(connection)

    def set_parameter(self, name: str, value: str) -> None:
        """Change a parameter, or make it."""
        with self.transaction() as connection:
            where = PARAMETER.c.name == name
            changed: Any = connection.execute(sa.update(PARAMETER).where(where).values(value=value))
            if not changed.rowcount:
                values = {"name": name, "value": value, "is_mutable": name not in IMMUTABLE}
                connection.execute(sa.insert(PARAMETER).values(values))

    def sequences(self) -> dict[str, int]:
        """The next id of each kind."""
        with self.transaction() as connection:
            return sequences(connection)

    def next_ids(self, name: str, count: int = 1) -> int:
        """Take ids of a sequence; gives the first."""
        first = self.sequences().get(name, FIRST_IDS.get(name, 1))
        self.set_sequence(name, first + count)
        return first

    def set_sequence(self, name: str, seq: int) -> None:
        with self.transaction() as connection:
            where = SEQUENCE.c.name == name
            changed: Any = connection.execute(sa.update(SEQUENCE).where(where).values(seq=seq))
            if not changed.rowcount:
                connection.execute(sa.insert(SEQUENCE).values(name=name, seq=seq))

    def insert_delta(self, delta: Any) -> None:
        row = {
            "id": delta.id,
            "prev_id": delta.prev_id,
            "max_committed_epoch": delta.max_committed_epoch,
            "safe_epoch": 0,
            "trivial_move": delta.trivial_move,
            "full_version_delta": delta.SerializeToString(),
        }
        with self.transaction() as connection:
            connection.execute(sa.insert(DELTA).values(row))

    def deltas(self) -> list[tuple[int, bytes]]:
        with self.transaction() as connection:
            return list(version_deltas(connection))

    def delete_deltas(self, up_to: int) -> int:
        """Delete the deltas up to a version; tells how many there were."""
        with self.transaction() as connection:
            done: Any = connection.execute(sa.delete(DELTA).where(DELTA.c.id <= up_to))
            return int(done.rowcount)

    def column(self, table: str, name: str) -> set[Any]:
        """All values of a column."""
        with self.transaction() as connection:
            found = connection.execute(sa.select(sa.column(name)).select_from(sa.table(table)))
            return {row[0] for row in found}


def insert(connection: sa.Connection, model: str, rows: Sequence[Any]) -> None:
    """Insert rows of a model."""
    target = target_of(connection, LAYOUT, cut_timestamps=False)
    columns = columns_of(row_codec(LAYOUT, model), rows)
    insert_columns(table_of(connection, target, model), target, model, [columns])


def insert_object(
    connection: sa.Connection, kind: str, schema_id: int | None, database_id: int | None
) -> int:
    """Insert an object; the engine gives it its id, as it does in RisingWave."""
    values = {
        "obj_type": kind,
        "owner_id": ROOT,
        "schema_id": schema_id,
        "database_id": database_id,
    }
    statement = sa.insert(OBJECT).values(values).returning(OBJECT.c.oid)
    return int(connection.execute(statement).scalar_one())


def _user(number: int, name: str) -> User:
    return User(
        user_id=number,
        name=name,
        is_super=True,
        can_create_db=True,
        can_create_user=True,
        can_login=True,
        is_admin=name == "rwadmin",
        auth_info=None,
    )
