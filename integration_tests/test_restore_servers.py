"""A restore into PostgreSQL and MariaDB: the rows of RisingWave's own, in one transaction."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import goldens
import pytest
import worlds
from servers import PASSWORD, Server

import metasnapshot
from metasnapshot.errors import (
    AuthenticationError,
    ConflictError,
    DamageError,
    DatabaseError,
    InconsistentStore,
    TargetNotEmpty,
    UnknownFormat,
    ValueUnfit,
)
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.restore import load as loading
from metasnapshot.operations.restore.restoration import plan_restore

TAG = worlds.TAGS[-1]


@pytest.fixture
def backups(tmp_path: Path) -> worlds.Backups:
    return worlds.Backups(TAG, tmp_path)


@pytest.fixture
def target(server: Server) -> str:
    return server.create("target", worlds.schema(TAG, server))


def rows_in(url: str) -> int:
    with open_meta_store(url) as store, store.read_transaction() as connection:
        found = connection.exec_driver_sql('SELECT count(*) FROM "object"').scalar()
    return int(found or 0)


@pytest.mark.parametrize("tag", worlds.TAGS, ids=goldens.name)
def test_restore_gives_the_snapshots_rows(tag: Path, server: Server, tmp_path: Path) -> None:
    """Every table, timestamps cut as upstream's restore cuts them; sequences above every id."""
    found = worlds.Backups(tag, tmp_path)
    url = server.create("restored", worlds.schema(tag, server))
    if server.engine == "mysql" and tag.name == "v2.2.0":
        with pytest.raises(ValueUnfit, match=r"beyond U\+FFFF, which a utf8mb3 table cannot hold"):
            found.restore(url, cut_timestamps=True)
        assert rows_in(url) == 0
        return
    result = found.restore(url, cut_timestamps=True)
    layout = worlds.layout_of(found.repository, 2)
    with found.repository.open(2) as reader:
        fit = worlds.fit_of(server.engine)
        wanted = worlds.digests_of_file(reader, layout, fit)
    assert worlds.digests_of_store(url, layout) == wanted
    assert "user" in result.sequences
    with server.admin("restored").connect() as connection:
        for table, largest in result.sequences.items():
            assert next_id(server, connection, table) == largest + 1


def next_id(server: Server, connection: Any, table: str) -> int:
    """What the next row of a table would get."""
    run = connection.exec_driver_sql
    if server.engine == "postgresql":
        column = run(
            "SELECT a.attname FROM pg_attribute a WHERE a.attrelid = %s::regclass AND "
            "pg_get_serial_sequence(%s, a.attname) IS NOT NULL AND a.attnum > 0",
            (f'"{table}"', f'"{table}"'),
        ).scalar()
        name = run("SELECT pg_get_serial_sequence(%s, %s)", (f'"{table}"', column)).scalar()
        last, called = run(f"SELECT last_value, is_called FROM {name}").fetchone()
        return int(last) + int(called)
    text = run(f"SHOW CREATE TABLE `{table}`").fetchone()[1]
    match = re.search(r"AUTO_INCREMENT=(\d+)", text)
    assert match is not None
    return int(match[1])


@pytest.mark.parametrize("tag", worlds.TAGS, ids=goldens.name)
def test_restore_equals_upstreams(tag: Path, server: Server, tmp_path: Path) -> None:
    """The rows that RisingWave's own restore of the same snapshot left in the same engine."""
    script = tag / "restored" / f"{worlds.FOLDERS[server.engine][0]}.data.sql"
    if not script.exists():
        pytest.skip("upstream's own restore fails for this tag")
    if server.engine == "mysql" and tag.name == "v2.2.0":
        pytest.skip("upstream restored another snapshot there: utf8mb3")
    theirs = server.create("theirs", worlds.schema(tag, server) + script.read_text())
    ours = server.create("ours", worlds.schema(tag, server))
    found = worlds.Backups(tag, tmp_path)
    found.restore(ours, cut_timestamps=True)
    layout = worlds.layout_of(found.repository, 2)
    mine, upstreams = (worlds.digests_of_store(url, layout) for url in (ours, theirs))
    del mine["system_parameters"], upstreams["system_parameters"]  # the state store moved
    assert mine == upstreams


def test_digits_that_would_be_lost_are_refused(backups: worlds.Backups, target: str) -> None:
    """Before anything is written, with table, row and column; --cut-timestamps is the way."""
    with pytest.raises(ValueUnfit, match=r"table \w+, row \d+, column \w+") as caught:
        backups.restore(target)
    assert "--cut-timestamps" in caught.value.hint
    assert rows_in(target) == 0


def test_a_target_with_rows_is_refused_and_cleaned_on_demand(
    backups: worlds.Backups, target: str
) -> None:
    """Exit 13; with clean they are emptied and filled in one transaction."""
    backups.restore(target, cut_timestamps=True)
    with pytest.raises(TargetNotEmpty):
        backups.restore(target, 7, cut_timestamps=True)
    before = rows_in(target)
    backups.restore(target, 7, cut_timestamps=True, clean=True)
    assert rows_in(target) == before


def test_a_failure_rolls_everything_back(
    backups: worlds.Backups, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that do not come back as they were sent: no row is left."""
    honest, opened = loading.insert_columns, loading.table_of

    def opening(connection: Any, *arguments: Any) -> Any:
        monkeypatch.setattr(loading, "insert_columns", partial(meddle, connection))
        return opened(connection, *arguments)

    def meddle(connection: Any, table: Any, where: Any, model: str, batches: Any) -> Any:
        sent = honest(table, where, model, batches)
        if model == "session_parameter":
            connection.exec_driver_sql("UPDATE session_parameter SET value = 'x'")
        return sent

    monkeypatch.setattr(loading, "table_of", opening)
    with pytest.raises(InconsistentStore, match="gives back"):
        backups.restore(target, cut_timestamps=True)
    assert rows_in(target) == 0


def test_tables_come_back_in_the_form_in_which_they_were_sent(
    backups: worlds.Backups, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No table of a golden snapshot has to be compared a second time, as models."""
    monkeypatch.delattr(loading, "digest_table")
    backups.restore(target, cut_timestamps=True)


HOLDERS = {
    "postgresql": r"another restore .*: user metasnapshot from 127\.0\.0\.1 "
    r"\(metasnapshot, process \d+ on .*\), server process \d+ since 20",
    "mysql": r"another restore .*: user metasnapshot from .*, connection \d+, in \w+ for \d+ s",
}


def test_two_restores_at_once(backups: worlds.Backups, target: str, server: Server) -> None:
    """The second is told so, at once, and who holds the lock, since when."""
    with (
        open_meta_store(target) as store,
        store.write_transaction(),
        pytest.raises(ConflictError, match=HOLDERS[server.engine]),
    ):
        backups.restore(target, cut_timestamps=True)


def test_two_restores_into_two_databases(
    backups: worlds.Backups, target: str, server: Server
) -> None:
    """A lock is of one database, whatever its name: the other does not wait."""
    for name in ("other", "Target2", "target2", "x" * 60, "metasnapshot-restore"):
        with (
            open_meta_store(server.create(name)) as store,
            store.write_transaction(),
            open_meta_store(target) as second,
            second.write_transaction(),
        ):
            pass
    with open_meta_store(server.url("other")) as store, store.write_transaction():
        assert backups.restore(target, cut_timestamps=True).rows


FUNCTION = """
CREATE FUNCTION meddle() RETURNS trigger AS $$ BEGIN {action}; RETURN NULL; END $$ LANGUAGE plpgsql
"""
AFTER = 'AFTER INSERT ON "{table}"'
EACH_ROW = "FOR EACH ROW EXECUTE FUNCTION meddle()"
TRIGGERS = {
    "postgresql": [
        [FUNCTION, f"CREATE TRIGGER meddler {AFTER} {EACH_ROW}"],
        [
            FUNCTION,
            f"CREATE CONSTRAINT TRIGGER meddler {AFTER} DEFERRABLE INITIALLY DEFERRED {EACH_ROW}",
        ],
    ],
    "mysql": [["CREATE TRIGGER meddler AFTER INSERT ON `{table}` FOR EACH ROW {action}"]],
}


@pytest.mark.parametrize(
    ("table", "action"),
    [
        ("session_parameter", "UPDATE catalog_version SET version = 0"),
        ("system_parameter", "DELETE FROM worker_property"),
        ("session_parameter", "UPDATE seaql_migrations SET applied_at = 1"),
    ],
)
@pytest.mark.parametrize("number", [0, 1])
def test_what_a_trigger_changes_is_seen(
    backups: worlds.Backups, target: str, server: Server, table: str, action: str, number: int
) -> None:
    """In a table whose turn is over, and by a trigger that waits for the commit; it is named."""
    if number >= len(TRIGGERS[server.engine]):
        pytest.skip("no deferred triggers")
    with server.admin("target").connect() as connection:
        for statement in TRIGGERS[server.engine][number]:
            connection.exec_driver_sql(statement.format(table=table, action=action))
    with open_meta_store(target) as store:
        plan = plan_restore(backups.repository, store, 2, backups.options(cut_timestamps=True))
    (line,) = [check for check in plan.checks if check.name == "triggers and rules"]
    assert (plan.error, line.result) == (None, "warning")
    assert f"trigger meddler on {table}" in line.reason
    with pytest.raises(InconsistentStore, match="gives back"):
        backups.restore(target, cut_timestamps=True)
    assert rows_in(target) == 0


def test_a_rule_is_named(backups: worlds.Backups, postgres_server: Server) -> None:
    """PostgreSQL's rules act as well; COPY passes them by."""
    url = postgres_server.create("target", worlds.schema(TAG, postgres_server))
    with postgres_server.admin("target").connect() as connection:
        connection.exec_driver_sql(
            "CREATE RULE meddler AS ON INSERT TO session_parameter DO ALSO NOTHING"
        )
    with open_meta_store(url) as store:
        plan = plan_restore(backups.repository, store, 2, backups.options(cut_timestamps=True))
    assert any("rule meddler on session_parameter" in check.reason for check in plan.checks)


@pytest.mark.parametrize("tag", worlds.TAGS, ids=goldens.name)
def test_another_releases_tables_are_refused(tag: Path, server: Server, tmp_path: Path) -> None:
    """Those of every other release that has golden data, with --clean too; its own are taken."""
    found = worlds.Backups(tag, tmp_path)
    for other in worlds.TAGS:
        if sorted(goldens.migrations(other)) == sorted(goldens.migrations(tag)):
            continue
        url = server.create("others", worlds.schema(other, server))
        with pytest.raises(UnknownFormat):
            found.restore(url, cut_timestamps=True, clean=True)
        assert rows_in(url) == 0


def test_a_row_that_stands_twice_is_damage(
    backups: worlds.Backups, target: str, tmp_path: Path
) -> None:
    """Exit 4, not the database's own words, and nothing is committed."""
    snapshot = backups.repository.get(2)
    snapshot.sections["objects"].append(snapshot.sections["objects"][0])
    (tmp_path / "backup" / "2.snapshot").write_bytes(metasnapshot.dumps(snapshot))
    with pytest.raises(DamageError, match="section objects: 2 rows have oid"):
        backups.restore(target, cut_timestamps=True)
    assert rows_in(target) == 0


def test_a_restore_that_died_before_its_checkpoint_is_finished(
    backups: worlds.Backups, target: str
) -> None:
    """The rows are recognised, in whatever form the engine holds them."""
    backups.restore(target, cut_timestamps=True)
    (backups.state / goldens.DATA_DIRECTORY / "checkpoint" / "0").unlink()
    assert backups.restore(target, cut_timestamps=True).plan.loaded
    assert (backups.state / goldens.DATA_DIRECTORY / "checkpoint" / "0").exists()


def test_a_wrong_password_is_15(server: Server) -> None:
    """Named by host and database, without the password."""
    with (
        pytest.raises(AuthenticationError) as caught,
        open_meta_store(server.url("target", "wr0ng secret")) as store,
        store.read_transaction(),
    ):
        pytest.fail("it let us in")
    assert caught.value.exit_code == 15
    assert "127.0.0.1" in str(caught.value)
    assert "wr0ng" not in str(caught.value) + caught.value.hint


def test_an_unreachable_server_is_18(server: Server) -> None:
    """And so is a database that is not there."""
    gone = server.url("target").replace(f":{server.port}/", ":1/")
    for url in (gone, server.url("no_such_database")):
        with (
            pytest.raises(DatabaseError) as caught,
            open_meta_store(url) as store,
            store.read_transaction(),
        ):
            pytest.fail("it let us in")
        assert caught.value.exit_code == 18
        assert PASSWORD not in str(caught.value)


def test_a_plan_says_that_every_value_fits(backups: worlds.Backups, target: str) -> None:
    """Or what does not, and writes nothing."""
    with open_meta_store(target) as store:
        bad = plan_restore(backups.repository, store, 2, backups.options())
        good = plan_restore(backups.repository, store, 2, backups.options(cut_timestamps=True))
    assert isinstance(bad.error, ValueUnfit)
    assert good.error is None
    assert rows_in(target) == 0
