"""The engines that a meta store can be in: what each does in its own way, and nothing else asks
which it is. A new one is a file beside these, with what it needs, and a line in ENGINES.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import sqlalchemy as sa

from metasnapshot.errors import UsageError
from metasnapshot.metastore.bulk.table import Table
from metasnapshot.metastore.ddl import Syntax
from metasnapshot.metastore.engines.mysql import Mysql
from metasnapshot.metastore.engines.postgres import Postgres
from metasnapshot.metastore.engines.sqlite import Sqlite
from metasnapshot.metastore.schema import Declared
from metasnapshot.metastore.values import Forms
from metasnapshot_models.definitions import Column


class MetaStore(Protocol):
    """A meta store that can be reached. `url` names it without password."""

    @property
    def url(self) -> str:
        """What the store is, for messages."""
        ...

    def read_transaction(self, *, is_brief: bool = False) -> AbstractContextManager[sa.Connection]:
        """One consistent cut: all reads in the block see the same state, whatever is committed
        meanwhile.

        Args:
            is_brief: the block reads a few rows and ends; who wants to commit can wait for it.

        Raises:
            AuthenticationError: user or password is wrong.
            ConflictError: somebody else has a table locked for too long.
            DatabaseError: the store cannot be read.
        """
        ...

    def write_transaction(self) -> AbstractContextManager[sa.Connection]:
        """One transaction that commits when the block ends well and rolls back when it does not.

        Foreign keys hold at the commit.

        Raises:
            AuthenticationError: user or password is wrong.
            ConflictError: another restore is at work on the store, or somebody else has a table
                locked for too long.
            DatabaseError: the store cannot be written.
            InconsistentStore: rows refer to rows that are not there.
        """
        ...

    def drilling(self) -> AbstractContextManager[None]:
        """Keep other drills out of the store for the block; it is no transaction of theirs.

        Raises:
            AuthenticationError: user or password is wrong.
            ConflictError: another one is at work on it.
            DatabaseError: the store cannot be reached.
        """
        ...


class Engine(Protocol):
    """What differs from engine to engine."""

    @property
    def name(self) -> str:
        """As SQLAlchemy's dialect and our documents have it."""
        ...

    @property
    def schemes(self) -> tuple[str, ...]:
        """What its URLs begin with, and what --meta-store-type says."""
        ...

    @property
    def driver(self) -> str:
        """What SQLAlchemy reaches it by."""
        ...

    @property
    def is_file(self) -> bool:
        """Whether a store is a file, not a server's."""
        ...

    @property
    def commits_ddl(self) -> bool:
        """Whether a table that was made stays, though the transaction is rolled back."""
        ...

    @property
    def password_variable(self) -> str | None:
        """The variable of its own clients', where its driver does not look by itself."""
        ...

    @property
    def forms(self) -> Forms:
        """In what forms it holds values."""
        ...

    @property
    def syntax(self) -> Syntax:
        """How it writes the statements that make tables."""
        ...

    def open(
        self, url: sa.URL, *, may_create: bool, lock_wait_s: float
    ) -> AbstractContextManager[MetaStore]:
        """Reach a meta store. See connect.open_meta_store."""
        ...

    def arguments(self, url: sa.URL) -> tuple[sa.URL, dict[str, Any]]:
        """The URL without options, and what they come to for the driver.

        Raises:
            UsageError: an option is unknown, or has a value that it cannot have.
            DatabaseError: a file of TLS cannot be read.
            ImportError: the driver is not installed.
        """
        ...

    def table(self, connection: sa.Connection, table: str, shape: Sequence[Column]) -> Table:
        """A table to be loaded as a whole, for columns of a shape."""
        ...

    def is_narrow(self, connection: sa.Connection) -> bool:
        """Whether its text holds nothing beyond U+FFFF."""
        ...

    def prepare_load(
        self, connection: sa.Connection, tables: Sequence[str], known: Sequence[str]
    ) -> None:
        """Keep others from writing into the tables that are known, and delete all rows of some;
        foreign keys are looked at when the transaction ends.

        Raises:
            ConflictError: somebody else has one locked for too long.
        """
        ...

    def is_conflict(self, error: Any) -> bool:
        """Whether a driver's error says that somebody else has a lock."""
        ...

    def set_sequences(self, connection: sa.Connection, tables: set[str]) -> dict[str, int]:
        """Let every auto-increment of these tables go on above the largest id; those by table."""
        ...

    def foreign_keys_last(self, connection: sa.Connection) -> AbstractContextManager[bool]:
        """Load tables in the block; their foreign keys hold at its end.

        Yields:
            Whether rows may come before the rows that they refer to.

        Raises:
            DatabaseError: rows refer to rows that are not there.
        """
        ...

    def triggers(self, connection: sa.Connection) -> Sequence[Any]:
        """Table, kind and name of triggers and rules; those that are switched off do nothing."""
        ...

    def charset(self, connection: sa.Connection) -> tuple[str, str]:
        """Character set and collation of the database, where making tables changes them; else two
        empty texts.
        """
        ...

    def set_charset(self, connection: sa.Connection, charset: str, collation: str) -> None:
        """Put them back. This commits."""
        ...

    def fire_deferred(self, connection: sa.Connection) -> None:
        """Let triggers and constraints act now that would be kept for the commit."""
        ...

    def declared(self, connection: sa.Connection, table: str) -> Declared:
        """What a table declares, beyond what SQLAlchemy's reflection sees."""
        ...


ENGINES: tuple[Engine, ...] = (Sqlite(), Postgres(), Mysql())
_BY_SCHEME = {scheme: engine for engine in ENGINES for scheme in engine.schemes}


def engine_of(connection: sa.Connection) -> Engine:
    """The engine behind a connection."""
    return _BY_SCHEME[connection.dialect.name]


def find_engine(scheme: str) -> Engine | None:
    """The engine of a URL that begins with this, or of a --meta-store-type."""
    return _BY_SCHEME.get(scheme)


def engine_named(scheme: str) -> Engine:
    """The same; there must be one.

    Raises:
        UsageError: there is none.
    """
    found = find_engine(scheme)
    if found is None:
        raise UsageError(f"meta store engine {scheme} is not supported", hint=URL_HINT)
    return found


URL_HINT = "--meta-store sqlite:///path, postgresql://user@host/db or mysql://user@host/db"
