"""A meta store by its URL."""

from __future__ import annotations

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
