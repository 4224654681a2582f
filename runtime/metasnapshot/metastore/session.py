"""How long a session of ours waits for the locks of others, and what it says of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa

from metasnapshot.errors import ConflictError
from metasnapshot.spans import spelt

LOCK_WAIT_S = 30.0
_KEY = "metasnapshot.session"


class Blocker(NamedTuple):
    """Another session in whose way we are; what cannot be seen of it is None.

    Attributes:
        pid: what the server knows it by; None of a transaction that is prepared and has none.
        who: its user, host and program.
        age_s: seconds since its transaction began.
        is_waiting: it has no lock itself, but asked for one before us.
    """

    pid: int | None
    who: str = ""
    age_s: float | None = None
    is_waiting: bool = False

    def __str__(self) -> str:
        who = f"{self.who}, " if self.who else ""
        number = "a prepared transaction" if self.pid is None else f"server process {self.pid}"
        age = "" if self.age_s is None else f", for {spelt(timedelta(seconds=self.age_s))}"
        return f"{who}{number}{age}" + ", which itself waits for it" * self.is_waiting


@dataclass(frozen=True)
class Session:
    """A session on a meta store.

    Attributes:
        url: of the store, without password.
        lock_wait_s: how long it waits for a table or row that somebody else has locked.
    """

    url: str
    lock_wait_s: float = LOCK_WAIT_S

    def locked_by(self, holder: str, what: str = "restore") -> ConflictError:
        """Another restore, or drill, holds the lock that keeps us out."""
        return ConflictError(
            f"another {what} is at work on {self.url}: {holder}", hint="wait until it has ended"
        )

    def blocked(self, table: str, blocker: Blocker | None, end: str) -> ConflictError:
        """Somebody kept a table from us for longer than we wait.

        Args:
            table: its name.
            blocker: who; None if nobody has it any more, or it cannot be seen.
            end: the statement that ends a session, with `{}` for its number.
        """
        waited = spelt(timedelta(seconds=self.lock_wait_s))
        who = "another session, which cannot be seen" if blocker is None else str(blocker)
        number = None if blocker is None else blocker.pid
        ending = "" if number is None else f" ({end.format(number)})"
        return ConflictError(
            f"{self.url}: table {table} is locked by {who}; waited {waited}",
            hint=f"end its transaction{ending}, or wait longer: --meta-store-lock-wait 10m",
        )


def keep(connection: sa.Connection, session: Session) -> None:
    """Let a connection know whose it is."""
    connection.info[_KEY] = session


def session_of(connection: sa.Connection) -> Session:
    """Whose a connection is."""
    found: Session = connection.info[_KEY]
    return found
