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

from metasnapshot.errors import (
    AuthenticationError,
    ConflictError,
    DatabaseError,
    InconsistentStore,
    TargetNotEmpty,
    ValueUnfit,
)
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.values import Fit
from metasnapshot.operations import restore_load as loading
from metasnapshot.operations.restore import plan_restore

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
        fit = Fit(server.engine, cut_timestamps=True)
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


def test_two_restores_at_once(backups: worlds.Backups, target: str) -> None:
    """The second is told so, at once."""
    with (
        open_meta_store(target) as store,
        store.write_transaction(),
        pytest.raises(ConflictError, match="another restore"),
    ):
        backups.restore(target, cut_timestamps=True)


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
