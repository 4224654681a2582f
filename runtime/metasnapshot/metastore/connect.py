"""A meta store's URL -> transactions on it, whichever the engine."""

from __future__ import annotations

from contextlib import AbstractContextManager

from metasnapshot.metastore.engines import MetaStore, engine_named
from metasnapshot.metastore.session import LOCK_WAIT_S
from metasnapshot.metastore.url import parse_url

__all__ = ["MetaStore", "open_meta_store"]


def open_meta_store(
    url: str,
    password: str | None = None,
    *,
    may_create: bool = False,
    lock_wait_s: float = LOCK_WAIT_S,
) -> AbstractContextManager[MetaStore]:
    """Reach a meta store.

    Args:
        url: `sqlite:///path`, `postgresql://user@host:5432/database` or
            `mysql://user@host:3306/database`, as SQLAlchemy or libpq write it.
        password: instead of one in the URL.
        may_create: a SQLite file that is not there is an empty store, and is made by what is
            written into it.
        lock_wait_s: how long to wait for what somebody else has locked.

    Raises:
        UsageError: the URL is not valid, or its engine is not supported.
        DatabaseError: there is no such database.
    """
    parsed = parse_url(url, password)
    return engine_named(parsed.get_backend_name()).open(
        parsed, may_create=may_create, lock_wait_s=lock_wait_s
    )
