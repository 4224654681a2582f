"""How tables of PostgreSQL are locked: what is said to the server, and for how long."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import exc

from metasnapshot.errors import ConflictError
from metasnapshot.metastore.engines import postgres_locks
from metasnapshot.metastore.engines.postgres import Postgres
from metasnapshot.metastore.session import Session, keep

BLOCKER = ('"object"', 4711, "meta", "10.0.0.7", "psql", 754.2, False)


class _Locked(Exception):
    """A driver's error."""

    sqlstate = postgres_locks.LOCK_NOT_AVAILABLE


class _Answer:
    """What an execution gives."""

    def scalars(self) -> list[str]:
        return ["object", "sink"]

    def fetchone(self) -> Any:
        return BLOCKER


class _Connection:
    """One whose tries for a lock end when their time is over, until it is freed."""

    def __init__(self, lock_wait_s: float, freed_after: int | None = None) -> None:
        self.now, self.timeout_s = 0.0, 0.0
        self.freed_after = freed_after
        self.said: list[str] = []
        self.tries_s: list[float] = []
        self.info: dict[str, Any] = {}
        self.dialect = SimpleNamespace(server_version_info=(17, 2))
        connection: Any = self
        keep(connection, Session("postgresql://db", lock_wait_s))

    @contextmanager
    def begin(self) -> Generator[None]:
        self.said.append("BEGIN")
        yield

    @contextmanager
    def begin_nested(self) -> Generator[None]:
        yield

    def exec_driver_sql(self, statement: str, _: Sequence[Any] = ()) -> _Answer:
        self.said.append(" ".join(statement.split()))
        if statement.startswith("SET LOCAL lock_timeout"):
            self.timeout_s = int(statement.rpartition(" ")[2]) / 1000
        if statement.startswith("LOCK TABLE") and len(self.tries_s) != self.freed_after:
            self.tries_s.append(self.timeout_s)
            self.now += self.timeout_s
            raise exc.OperationalError(statement, None, _Locked())
        return _Answer()


def _clock(connection: _Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        connection.now += seconds

    clock = SimpleNamespace(monotonic=lambda: connection.now, sleep=sleep)
    monkeypatch.setattr(postgres_locks, "time", clock)


@pytest.mark.parametrize("wait_s", [0, 0.1, 1, 1.05, 2, 7.5, 30, 600])
def test_no_try_is_longer_than_a_second(wait_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries go on until the wait is over, at once if there is none; then it is 11, with who."""
    made = _Connection(wait_s)
    _clock(made, monkeypatch)
    connection: Any = made
    with pytest.raises(ConflictError) as caught:
        postgres_locks.lock(connection, ["object", "sink"], postgres_locks.EMPTYING)
    assert max(made.tries_s) <= 1
    assert min(made.tries_s) > 0
    assert wait_s <= made.now < wait_s + 1
    assert len(made.tries_s) >= wait_s / 1.1
    assert (
        'table "object" is locked by user meta from 10.0.0.7 (psql), server process 4711, for '
        "12 minutes 34 seconds; waited"
    ) in str(caught.value)


def test_a_lock_that_is_had_ends_the_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """And later statements queue for a second at most too."""
    made = _Connection(30, freed_after=3)
    _clock(made, monkeypatch)
    connection: Any = made
    postgres_locks.lock(connection, ["object"], postgres_locks.LOADING)
    assert len(made.tries_s) == 3
    assert made.timeout_s == 1


def test_tables_are_locked_before_the_snapshot_is_taken() -> None:
    """A query takes it: in the transaction of a cut none comes before the lock, and to look which
    tables there are is another transaction. The one behind it waits for the indexes."""
    made = _Connection(30, freed_after=0)
    connection: Any = made
    with Postgres().reading(connection):
        cut = made.said[len(made.said) - made.said[::-1].index("BEGIN") :]
    found = [words for words in cut if words.startswith(("LOCK TABLE", "SELECT"))]
    assert found == [
        "LOCK TABLE object, sink IN ACCESS SHARE MODE",
        "SELECT 1 FROM object WHERE false UNION ALL SELECT 1 FROM sink WHERE false",
    ]
    assert cut[0] == "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    assert "SET LOCAL transaction_timeout = 0" in cut
