"""A meta store by its URL."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metasnapshot.store.shown_url import shown_url

if TYPE_CHECKING:
    from metasnapshot.metastore.connect import MetaStore as OpenedStore


@dataclass(frozen=True, repr=False)
class MetaStore:
    """A meta store. Nothing connects to it before an operation needs it.

    Attributes:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://user@host/db` or
            `mysql://user@host/db`.
        password: instead of one in the URL.
        lock_wait_s: how long to wait for a table that somebody else has locked; by default 30 s.
    """

    url: str
    password: str | None = None
    lock_wait_s: float | None = None

    def __repr__(self) -> str:
        return f"MetaStore({shown_url(self.url)!r})"

    @property
    def engine(self) -> str:
        """`sqlite`, `postgresql` or `mysql`.

        Raises:
            UsageError: the URL is not valid, or its engine is not supported.
        """
        from metasnapshot.metastore.url import parse_url

        return parse_url(self.url).get_backend_name()

    def is_same_place(self, other: MetaStore) -> bool:
        """Whether two URLs name one database: by engine, host, port and name, or by file.

        Raises:
            UsageError: one of them is not valid, or its engine is not supported.
        """
        return self._place() == other._place()

    def _place(self) -> tuple[str, str, int, str]:
        from metasnapshot.metastore.engines import engine_named
        from metasnapshot.metastore.kinds import KINDS
        from metasnapshot.metastore.url import parse_url

        url = parse_url(self.url)
        engine = engine_named(url.get_backend_name())
        if engine.is_file:
            return engine.name, "", 0, os.path.realpath(url.database or "")
        port = url.port or KINDS[engine.name].port or 0
        return engine.name, url.host or "localhost", port, url.database or ""

    def connect(self, *, may_create: bool = False) -> AbstractContextManager[OpenedStore]:
        """Connect to it, for the block.

        Args:
            may_create: a SQLite file that is not there is made.

        Raises:
            UsageError: the URL is not valid, or its engine is not supported.
            DatabaseError: there is no such database.
        """
        from metasnapshot.metastore.connect import open_meta_store
        from metasnapshot.metastore.session import LOCK_WAIT_S

        wait_s = LOCK_WAIT_S if self.lock_wait_s is None else self.lock_wait_s
        return open_meta_store(self.url, self.password, may_create=may_create, lock_wait_s=wait_s)
