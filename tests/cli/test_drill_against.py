"""drill --against: in a database of the user's, which is empty before and afterwards."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from prom import gauges
from shell import BACKUPS, Shell

import metasnapshot
from metasnapshot.errors import (
    ConflictError,
    DatabaseError,
    Interrupted,
    StorageError,
)
from metasnapshot.metastore import lent
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations import drill as operation

AGAINST = ("--against", "sqlite:///lent.db")
DRILL = ("drill", "9", *BACKUPS, *AGAINST)
FILE = ("--metrics-file", "m.prom")
BESIDE = "lent.db-metasnapshot-drill"


def tables(path: Path) -> list[str]:
    """Names of tables and views in a file, by name."""
    with closing(sqlite3.connect(path)) as found:
        rows = found.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
        return sorted(name for (name,) in rows)


def run(path: Path, script: str) -> None:
    """Somebody else's own work in a database."""
    with closing(sqlite3.connect(path)) as found:
        found.executescript(script)


def noted(shell: Shell) -> dict[str, object]:
    """The drill that is noted of the snapshot."""
    found: dict[str, object] = shell.answer("list", *BACKUPS)[1]["snapshots"][0]["drill"]
    return found


def cut_at(monkeypatch: pytest.MonkeyPatch, what: str, error: BaseException) -> None:
    """Let a step of the drill end in an error."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(operation, what, fail)


@pytest.fixture
def killed(backed_up: Shell) -> Shell:
    """What a drill leaves that is killed behind its restore: a marker, and filled tables."""
    with pytest.MonkeyPatch.context() as patch:
        cut_at(patch, "_compare", StorageError("away"))
        patch.setattr(lent, "_clear", lambda _: None)
        assert backed_up.run(*DRILL).code == 17
    assert len(tables(backed_up.path / "lent.db")) > 40
    assert (backed_up.path / BESIDE).read_bytes() == b"made"
    return backed_up


def test_a_file_that_was_not_there_is_gone_again(backed_up: Shell) -> None:
    """Every row came back, and nothing is left; time, engine and result are told everywhere."""
    before = set(backed_up.path.iterdir())
    code, found = backed_up.answer(*DRILL, *FILE)
    assert (code, found["ok"], found["engine"], found["differences"]) == (0, True, "sqlite", [])
    assert set(backed_up.path.iterdir()) - before == {backed_up.path / "m.prom"}
    drill = noted(backed_up)
    assert (drill["ok"], drill["rows"], drill["error"]) == (True, found["rows"], None)
    assert (drill["seconds"], drill["engine"]) == (found["seconds"], "sqlite")
    assert "(sqlite, " in backed_up.run("list", *BACKUPS).out
    values = gauges(backed_up.path / "m.prom")
    assert values["metasnapshot_drill_success"] == 1
    assert values["metasnapshot_drill_duration_seconds"] == found["seconds"]
    assert "restored into sqlite:///lent.db" in backed_up.run(*DRILL).out


def test_an_empty_file_stays_and_holds_no_row(backed_up: Shell) -> None:
    """Deleted rows would else lie in its free pages."""
    place = backed_up.path / "lent.db"
    run(place, "CREATE TABLE t (x); DROP TABLE t")
    size = place.stat().st_size
    assert backed_up.run(*DRILL).code == 0
    assert tables(place) == []
    assert place.stat().st_size <= size
    assert not (backed_up.path / BESIDE).exists()


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE mine (x)",
        "CREATE TABLE mine (x); INSERT INTO mine VALUES (1)",
        "CREATE VIEW mine AS SELECT 1",
        "CREATE TABLE seaql_migrations (version, applied_at)",
        'CREATE TABLE "Odd name; DROP" (x)',
        "CREATE TABLE database (database_id)",
        "CREATE TABLE metasnapshot_drills (x)",
    ],
)
def test_a_database_with_tables_is_refused(backed_up: Shell, script: str) -> None:
    """13, whatever they are and hold; no byte of it changes, and no drill is noted."""
    place = backed_up.path / "lent.db"
    run(place, script)
    before = backed_up.files()
    ran = backed_up.run(*DRILL)
    assert ran.code == 13
    assert f"is not empty: it has {tables(place)[0]}" in ran.err
    assert "hint: give a database of its own" in ran.err
    assert backed_up.files() == before
    assert noted(backed_up) is None


@pytest.mark.parametrize(
    "own", ["sqlite:///lent.db", "sqlite:////{0}/lent.db", "sqlite:///./lent.db"]
)
def test_the_cluster_s_own_meta_store_is_refused(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    """2, even if it is empty: it is the one that is configured, however the URL is spelled."""
    monkeypatch.setenv("METASNAPSHOT_META_STORE", own.format(backed_up.path))
    ran = backed_up.run(*DRILL)
    assert ran.code == 2
    assert "is the cluster's own meta store (environment, METASNAPSHOT_META_STORE)" in ran.err
    assert not (backed_up.path / "lent.db").exists()


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("postgresql://a@db/m", "postgres://b:p@db:5432/m", True),
        ("mysql://a@db/m", "mysql://a@db:3306/m", True),
        ("mysql://a@db/m", "postgresql://a@db/m", False),
        ("postgresql://a@db/m", "postgresql://a@db/n", False),
        ("postgresql://a@db/m", "postgresql://a@other/m", False),
        ("mysql://a@db:3307/m", "mysql://a@db/m", False),
    ],
)
def test_which_urls_name_one_database(first: str, second: str, *, same: bool) -> None:
    """Host, port and name count; user and password do not."""
    found = metasnapshot.MetaStore(first), metasnapshot.MetaStore(second)
    assert found[0].is_same_place(found[1]) is same


@pytest.mark.parametrize("what", ["restore", "backup", "_compare"])
@pytest.mark.parametrize(
    ("error", "code", "name"),
    [
        (StorageError("away"), 17, "StorageError"),
        (DatabaseError("the disk is full"), 18, "DatabaseError"),
        (KeyboardInterrupt(), 130, None),
    ],
)
def test_a_drill_that_fails_leaves_nothing(
    backed_up: Shell,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    error: BaseException,
    code: int,
    name: str | None,
) -> None:
    """It is noted as failed, with the kind of its error; one that was interrupted is none."""
    cut_at(monkeypatch, what, error)
    before = set(backed_up.path.iterdir())
    assert backed_up.run(*DRILL, *FILE).code == code
    assert set(backed_up.path.iterdir()) - before == {backed_up.path / "m.prom"}
    values = gauges(backed_up.path / "m.prom")
    if name is None:
        assert noted(backed_up) is None
        assert "metasnapshot_drill_success" not in values
        return
    drill = noted(backed_up)
    assert (drill["ok"], drill["error"], drill["rows"]) == (False, name, 0)
    assert values["metasnapshot_drill_success"] == 0
    assert "drill failed" in backed_up.run("list", *BACKUPS).out


def test_damage_is_a_drill_that_failed(backed_up: Shell) -> None:
    """The snapshot does not restore, and that is remembered; the database is as it was."""
    place = backed_up.path / "backups" / "backup" / "9.snapshot"
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)
    assert backed_up.run(*DRILL, *FILE).code == 4
    assert (noted(backed_up)["ok"], noted(backed_up)["error"]) == (False, "ChecksumMismatch")
    assert gauges(backed_up.path / "m.prom")["metasnapshot_drill_success"] == 0
    assert not (backed_up.path / "lent.db").exists()


def test_what_a_killed_drill_left_is_dropped(killed: Shell) -> None:
    """The next one says so, drops it, and leaves nothing itself: not even the file."""
    shell = killed
    ran = shell.run(*DRILL)
    assert ran.code == 0, ran.err
    assert "dropping what a drill that was killed left there" in ran.err
    assert not (shell.path / "lent.db").exists()
    assert not (shell.path / BESIDE).exists()


def test_a_table_beside_what_was_left(killed: Shell) -> None:
    """Somebody else's: nothing is dropped, not even what the marker names."""
    place = killed.path / "lent.db"
    run(place, "CREATE TABLE mine (x)")
    before = tables(place)
    ran = killed.run(*DRILL)
    assert (ran.code, "is not empty: it has mine" in ran.err) == (13, True), ran.err
    assert tables(place) == before


def test_a_cluster_that_was_started_on_what_was_left(killed: Shell) -> None:
    """It wrote what no restore writes: nothing is dropped."""
    place = killed.path / "lent.db"
    with closing(sqlite3.connect(place)) as found:
        columns = found.execute("PRAGMA table_info(hummock_version_delta)").fetchall()
        marks = ", ".join("?" * len(columns))
        found.execute(f"INSERT INTO hummock_version_delta VALUES ({marks})", [1] * len(columns))
        found.commit()
    before = tables(place)
    ran = killed.run(*DRILL)
    assert (ran.code, "written into hummock_version_delta since" in ran.err) == (11, True), ran.err
    assert tables(place) == before


@pytest.mark.parametrize("rows", ["", "INSERT INTO metasnapshot_drill VALUES ('9.9.9', '', '')"])
def test_a_marker_that_says_nothing(backed_up: Shell, rows: str) -> None:
    """Its maker was killed before it made anything else: it alone is dropped."""
    place = backed_up.path / "lent.db"
    run(place, f"CREATE TABLE metasnapshot_drill (of_release, was_charset, was_collation); {rows}")
    assert backed_up.run(*DRILL).code == 0
    assert tables(place) == []


def test_two_drills_in_one_database(backed_up: Shell) -> None:
    """The second ends with 11 while the first is at work, and touches nothing."""
    place = backed_up.path / "lent.db"
    with (
        open_meta_store(f"sqlite:///{place}", may_create=True) as store,
        lent.lent(store) as first,
    ):
        first.mark("3.0.3")
        ran = backed_up.run(*DRILL)
        assert ran.code == 11
        assert "another drill is at work on sqlite:///lent.db" in ran.err
        assert tables(place) == ["metasnapshot_drill"]
    assert not place.exists()
    assert noted(backed_up) is None


def test_tables_made_meanwhile_are_not_ours(backed_up: Shell) -> None:
    """Between the look and the mark: refused. Behind the mark: they stay, the others go."""
    place = backed_up.path / "lent.db"
    with open_meta_store(f"sqlite:///{place}", may_create=True) as store:
        with (
            pytest.raises(metasnapshot.MetasnapshotError, match="has mine"),
            lent.lent(store) as it,
        ):
            run(place, "CREATE TABLE mine (x)")
            it.mark("3.0.3")
        assert tables(place) == ["mine"]
        run(place, "DROP TABLE mine")
        with lent.lent(store) as it:
            it.mark("3.0.3")
            run(place, "CREATE TABLE database (x); CREATE TABLE mine (x)")
        assert tables(place) == ["mine"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--against", "oracle://x/y"), 2),
        (("--against", "sqlite://"), 2),
        (("--against", "sqlite:///no/such/folder/x.db"), 18),
        (("--against", "postgresql://me:S3cr3t@127.0.0.1:1/x"), 18),
        (("--against-password-file", "x"), 2),
        ((*AGAINST, "--against-password-file", "none"), 2),
    ],
)
def test_a_place_that_is_none(backed_up: Shell, words: tuple[str, ...], code: int) -> None:
    """It is told without its password, and no drill is noted."""
    ran = backed_up.run("drill", "9", *BACKUPS, *words)
    assert ran.code == code
    assert "S3cr3t" not in ran.err
    assert noted(backed_up) is None


@pytest.mark.parametrize("kind", [ConflictError, Interrupted])
def test_what_cannot_be_cleared_is_told(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch, kind: type[ConflictError]
) -> None:
    """Its own error is what counts, the other is a warning; the next drill clears it."""
    with monkeypatch.context() as patch:
        cut_at(patch, "_compare", StorageError("away"))

        def refuse(*_: object) -> None:
            raise kind("somebody has it locked")

        patch.setattr(lent, "_clear", refuse)
        ran = backed_up.run(*DRILL)
    assert ran.code == 17
    assert "is not as it was: somebody has it locked; the next drill drops what is left" in ran.err
    assert backed_up.run(*DRILL).code == 0
    assert not (backed_up.path / "lent.db").exists()
