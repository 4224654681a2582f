"""drill --against a database on a server: as it was afterwards, however the drill ends."""

from __future__ import annotations

from pathlib import Path

import goldens
import pytest
import sqlalchemy as sa
import worlds
from servers import Server

from metasnapshot import Backups, MetaStore
from metasnapshot.errors import ConflictError, StorageError, TargetNotEmpty, ValueUnfit
from metasnapshot.metastore import lent
from metasnapshot.operations import drill as operation

NAME = "lent for drills"


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    """Snapshots of the newest golden release."""
    goldens.copy_backups(worlds.TAGS[-1], tmp_path)
    return Backups(f"fs://{tmp_path}")


def state(server: Server) -> tuple[set[str], list[str]]:
    """Tables and views of the database, and its character set where that is its own."""
    with server.admin(NAME).connect() as connection:
        charset = (
            "SELECT @@character_set_database, @@collation_database"
            if server.engine == "mysql"
            else "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database "
            "WHERE datname = current_database()"
        )
        settings = [str(item) for item in connection.exec_driver_sql(charset).one()]
        found = sa.inspect(connection)
        return {*found.get_table_names(), *found.get_view_names()}, settings


def sequences(server: Server) -> list[str]:
    with server.admin(NAME).connect() as connection:
        return sa.inspect(connection).get_sequence_names() if server.engine != "mysql" else []


@pytest.mark.parametrize("number", [2, 7])
def test_every_row_comes_back_and_nothing_stays(
    server: Server, backups: Backups, number: int
) -> None:
    """Also the character set of a MySQL database, which the first migration changes."""
    place = MetaStore(server.create(NAME))
    if server.engine == "mysql":
        server.run(NAME, "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_bin")
    before = state(server)
    result = backups.drill(number, against=place, cut_timestamps=True)
    assert (result.differences, result.engine) == ((), server.engine)
    assert state(server) == before
    assert sequences(server) == []
    note = backups.listed(number).drill
    assert note is not None
    assert (note.ok, note.engine, note.seconds) == (True, server.engine, round(result.seconds, 3))


def test_values_that_the_engine_cannot_hold(server: Server, backups: Backups) -> None:
    """They fail the drill as they would fail the restore, and nothing stays."""
    place = MetaStore(server.create(NAME))
    before = state(server)
    with pytest.raises(ValueUnfit, match="more digits"):
        backups.drill(2, against=place)
    assert state(server) == before
    note = backups.listed(2).drill
    assert note is not None
    assert (note.ok, note.error, note.engine) == (False, "ValueUnfit", server.engine)


@pytest.mark.parametrize("what", ["restore", "backup", "_compare"])
def test_a_failure_leaves_nothing(
    server: Server, backups: Backups, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """It is noted as failed."""
    place = MetaStore(server.create(NAME))
    before = state(server)

    def fail(*_: object, **__: object) -> None:
        raise StorageError("away")

    monkeypatch.setattr(operation, what, fail)
    with pytest.raises(StorageError):
        backups.drill(2, against=place, cut_timestamps=True)
    assert state(server) == before
    assert backups.rehearsed is not None
    assert (backups.rehearsed.ok, backups.rehearsed.error) == (False, "StorageError")


@pytest.mark.parametrize(
    "script", ["CREATE TABLE mine (x int)", "CREATE VIEW mine AS SELECT 1 AS x"]
)
def test_tables_of_others_are_refused(server: Server, backups: Backups, script: str) -> None:
    """Nothing is made beside them."""
    place = MetaStore(server.create(NAME, f"{script};"))
    before = state(server)
    with pytest.raises(TargetNotEmpty, match="has mine"):
        backups.drill(2, against=place, cut_timestamps=True)
    assert state(server) == before
    assert backups.rehearsed is None


def test_what_a_killed_drill_left_is_dropped(
    server: Server, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one clears it, unless somebody has put something beside it or works in it."""
    place = MetaStore(server.create(NAME))
    before = state(server)
    with monkeypatch.context() as patch:
        patch.setattr(lent, "_clear", lambda _: None)
        assert backups.drill(2, against=place, cut_timestamps=True).differences == ()
    left = state(server)
    assert len(left[0]) > 40
    server.run(NAME, "CREATE TABLE mine (x int);")
    with pytest.raises(TargetNotEmpty, match="has mine"):
        backups.drill(2, against=place, cut_timestamps=True)
    server.run(NAME, "DROP TABLE mine;")
    assert state(server)[0] == left[0]
    assert backups.drill(2, against=place, cut_timestamps=True).differences == ()
    assert state(server) == before


def test_one_drill_at_a_time(server: Server, backups: Backups) -> None:
    """The second ends, names who is at work, and touches nothing; another database is free."""
    place = MetaStore(server.create(NAME))
    other = MetaStore(server.create("another"))
    with place.connect() as store, lent.lent(store) as first:
        first.mark("3.0.3")
        with pytest.raises(ConflictError, match=r"another drill is at work on .*user metasnapshot"):
            backups.drill(2, against=place, cut_timestamps=True)
        assert state(server)[0] == {lent.MARKER}
        assert backups.drill(2, against=other, cut_timestamps=True).differences == ()
    assert state(server)[0] == set()
