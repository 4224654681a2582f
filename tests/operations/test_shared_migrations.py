"""Releases that share their migrations, but not what their snapshots hold: who knows the release
decides, and without it the doubt is said."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import goldens
import pytest
from shell import BACKUPS, DIRECTORY, STATE, STORE, Shell

from metasnapshot.format.layout import Candidates, candidates
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.create_schema import create_schema
from metasnapshot_models.layouts import LAYOUTS, MIGRATIONS, RELEASES

SHARED = [found for found in map(candidates, MIGRATIONS.values()) if len(found.kinds) > 1]
"""Sets of migrations that layouts with other sections share."""
KNOWN = [name for found in SHARED for name in found.releases]
ROWS = {
    "user_default_privilege": "(1, 1, NULL, 'TABLE', 0, 1, 1, 1, 'SELECT', 0)",
    "cdc_table_snapshot_splits": "(1, 1, x'00', x'01', 1, 0)",
    "refresh_job": "(1, 5, NULL, 'IDLE', NULL)",
}
"""A row for each table that some snapshots of these releases leave out."""


def layout_of(name: str) -> str:
    return RELEASES[name].layout


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    goldens.write_state(goldens.SHIPPED / "v2.4.1", tmp_path / "state")
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys)


def make_store(release: str) -> list[str]:
    """meta.db of a release, with a row in each table that its sisters' snapshots leave out; returns
    those that its own leave out."""
    with open_meta_store("sqlite:///meta.db", may_create=True) as store:
        create_schema(store, release)
    missed = [
        table
        for name in candidates(RELEASES[release].migrations).layouts
        for table, reason in name.excluded_tables.items()
        if reason == "missed"
    ]
    with closing(sqlite3.connect("meta.db", isolation_level=None)) as connection:
        for table in dict.fromkeys(missed):
            columns = len(connection.execute(f"PRAGMA table_info({table})").fetchall())
            values = ROWS[table].strip("()").split(", ")[:columns]
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join(values)})")
    excluded = LAYOUTS[layout_of(release)].excluded_tables
    return [table for table in dict.fromkeys(missed) if excluded.get(table) == "missed"]


def back_up(shell: Shell, *arguments: str) -> str:
    """Back meta.db up; returns what was said beside the result."""
    made = shell.run(
        "backup", *STORE, *BACKUPS, *STATE, *DIRECTORY, "--meta-node-stopped", *arguments
    )
    assert made.code == 0, made.err
    return made.err


def differ(shell: Shell) -> str:
    """Compare the snapshot with its store, of which only the count of snapshots may differ, for a
    backup does not write there; returns what was said."""
    compared = shell.run("diff", "latest", *STORE, *BACKUPS, "--json")
    summary = json.loads(compared.out.splitlines()[-1])
    assert (compared.code, list(summary["rows"])) == (0, ["hummock_sequences"])
    return compared.err


def test_there_are_such_releases() -> None:
    """Two sets of migrations, of nine releases."""
    assert [
        *("2.5.0", "2.5.1", "2.5.2", "2.5.3"),
        *("2.7.0", "2.7.1", "2.7.2", "2.7.3", "2.7.4"),
    ] == KNOWN


@pytest.mark.parametrize("named", [*KNOWN, "v2.5.0", "v2.7.4"])
def test_the_release_decides(shell: Shell, named: str) -> None:
    """The snapshot is in the release's own layout, equals the store, and says which rows it leaves
    out; there is no doubt."""
    release = named.removeprefix("v")
    missed = make_store(release)
    said = back_up(shell, "--rw-version", named)
    assert "are the same" not in said
    assert [table for table in ROWS if f"table {table} has 1 rows" in said] == missed
    (shown,) = shell.lines("show", "latest", *BACKUPS)
    assert shown["layout"] == layout_of(release)
    compared = differ(shell)
    assert [table for table in ROWS if f"1 rows of table {table}" in compared] == missed


@pytest.mark.parametrize("found", SHARED, ids=lambda item: item.releases[0])
@pytest.mark.parametrize("named", [(), ("--rw-version", "2.4.0"), ("--rw-version", "ours")])
def test_without_it_the_doubt_is_said(
    shell: Shell, found: Candidates, named: tuple[str, ...]
) -> None:
    """Nothing is left out then, and one release of each kind is named; a release that the store is
    not of decides nothing."""
    releases = found.releases
    make_store(releases[0])
    said = back_up(shell, *named)
    kinds = dict.fromkeys(layout_of(name) for name in releases)
    assert "are the same, their snapshots are not" in said
    assert [name for name in kinds if name in said] == list(kinds)
    assert ("not of 2.4.0" in said) == ("2.4.0" in named)
    (shown,) = shell.lines("show", "latest", *BACKUPS)
    assert shown["layout"] == list(kinds)[-1]
    assert differ(shell) == ""


def test_a_store_of_one_kind_has_no_doubt(shell: Shell) -> None:
    """2.8.0 and 2.8.4 share their migrations, and their snapshots look alike."""
    make_store("2.8.0")
    assert back_up(shell) == ""


def test_watch_takes_the_release_too(shell: Shell) -> None:
    """Its rounds write what backup would."""
    make_store("2.5.0")
    every = ("--every", "1h", "--rounds", "1", *STORE, *BACKUPS, *STATE, *DIRECTORY)
    assert "are the same" in shell.run("watch", *every).err
    (shown,) = shell.lines("show", "latest", *BACKUPS)
    assert shown["layout"] == "2.5.2"
    assert "are the same" not in shell.run("watch", *every, "--rw-version", "2.5.1").err
    (shown,) = shell.lines("show", "latest", *BACKUPS)
    assert shown["layout"] == "2.5.0"
