"""A meta store's URL -> transactions on it, whichever the engine."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import sqlalchemy as sa

from metasnapshot.metastore.server import ServerStore
from metasnapshot.metastore.sqlite import open_sqlite
from metasnapshot.metastore.url import parse_url


class MetaStore(Protocol):
    """A meta store that can be reached. `url` names it without password."""

    @property
    def url(self) -> str:
        """What the store is, for messages."""
        ...

    def read_transaction(self) -> AbstractContextManager[sa.Connection]:
        """One consistent cut: all reads in the block see the same state, whatever is committed
        meanwhile.

        Raises:
            AuthenticationError: user or password is wrong.
            DatabaseError: the store cannot be read.
        """
        ...

    def write_transaction(self) -> AbstractContextManager[sa.Connection]:
        """One transaction that commits when the block ends well and rolls back when it does not.

        Foreign keys hold at the commit.

        Raises:
            AuthenticationError: user or password is wrong.
            ConflictError: another restore is at work on the store.
            DatabaseError: the store cannot be written.
            InconsistentStore: rows refer to rows that are not there.
        """
        ...


@contextmanager
def open_meta_store(
    url: str, password: str | None = None, *, may_create: bool = False
) -> Generator[MetaStore]:
    """Reach a meta store.

    Args:
        url: `sqlite:///path`, `postgresql://user@host:5432/database` or
            `mysql://user@host:3306/database`, as SQLAlchemy or libpq write it.
        password: instead of one in the URL.
        may_create: a SQLite file that is not there is an empty store, and is made by what is
            written into it.

    Raises:
        UsageError: the URL is none, or of an engine that is not supported.
        DatabaseError: there is no such database.
    """
    parsed = parse_url(url, password)
    if parsed.get_backend_name() == "sqlite":
        yield open_sqlite(parsed, may_create=may_create)
        return
    store = ServerStore(parsed)
    try:
        yield store
    finally:
        store.close()
