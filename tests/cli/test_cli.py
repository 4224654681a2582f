"""The command as operators meet it: output, errors with hints, exit codes."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import goldens
import pytest
from shell import BACKUPS, STATE, STORE, TARGET, UNLOOKED, Shell

from metasnapshot.library import verifying
from metasnapshot.version import VERSION

TAG = goldens.SHIPPED / "v3.0.3"


def test_a_backup_there_and_back(shell: Shell) -> None:
    """backup, list, verify and restore with the fewest options."""
    options = ("--remarks", "nightly", "--meta-node-stopped")
    code, out, err = shell.run("backup", *STORE, *BACKUPS, *options)
    assert (code, err) == (0, "")
    assert out.startswith("backup 9: 317 rows, ")
    assert "layout 3.0.1 (RisingWave 3.0.1 to 3.0.3), Hummock version 105 (checkpoint 105 " in out
    code, out, err = shell.run("list", *BACKUPS)
    assert (code, err) == (0, "")
    head, row, foot = out.splitlines()
    assert head.split() == [
        "id",
        "format",
        "taken",
        "age",
        "kind",
        "size",
        "cluster",
        "release",
        "objects",
        "verified",
        "remarks",
    ]
    assert re.fullmatch(
        r"9   V2      20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  \d+ seconds?  snapshot  131\.\d kB  \w{8}  "
        r"3\.0\.1 to 3\.0\.3  partial  never     nightly",
        row,
    )
    assert foot == "1 snapshot, manifest 1"
    for level in ("file", "rows"):
        code, out, err = shell.run("verify", "latest", *BACKUPS, "--level", level)
        assert (code, err) == (0, "")
        assert out.startswith(f"snapshot 9: ok, level {level}, 317 rows, ")
    code, out, err = shell.run("restore", "9", *TARGET, *BACKUPS, *STATE, UNLOOKED)
    assert (code, err) == (0, "")
    assert "restored snapshot 9: 317 rows into 37 tables, layout 3.0.1" in out
    assert "version checkpoint: hummock_001/checkpoint/0" in out
    assert "the old cluster must never start again" in out
    assert "rows 20" in shell.run("list", *BACKUPS)[1]  # level and year of the verification


def test_an_empty_directory_is_an_empty_list(shell: Shell) -> None:
    """Nothing there is no error, and verifying all of nothing neither."""
    assert shell.run("list", *BACKUPS).code == 0
    code, out, err = shell.run("verify", *BACKUPS)
    assert (code, out, "nothing was verified" in err) == (0, "", True)


def test_options_come_from_the_environment(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """METASNAPSHOT_ and the option's name; the command line wins."""
    monkeypatch.setenv("METASNAPSHOT_META_STORE", "sqlite:///meta.db")
    monkeypatch.setenv("METASNAPSHOT_BACKUP_STORAGE_URL", "fs://elsewhere")
    assert shell.run("backup", *BACKUPS)[0] == 0
    assert (shell.path / "backups" / "backup" / "9.snapshot").exists()
    assert shell.run("backup")[0] == 0
    assert (shell.path / "elsewhere" / "backup" / "9.snapshot").exists()


def test_ids_are_numbers_or_words(shell: Shell) -> None:
    """latest, oldest, a number; else it is a usage error, and latest of nothing is not found."""
    assert shell.run("verify", "latest", *BACKUPS)[0] == 12
    for _ in range(2):
        shell.run("backup", *STORE, *BACKUPS)
    assert shell.run("verify", "latest", *BACKUPS)[1].startswith("snapshot 10: ok")
    assert shell.run("verify", "oldest", *BACKUPS)[1].startswith("snapshot 9: ok")
    code, _, err = shell.run("verify", "newest", *BACKUPS)
    assert (code, err.splitlines()) == (
        2,
        ["error: not a snapshot id: 'newest'", "hint: a number, latest or oldest"],
    )


def test_damage_is_4_and_some_damage_3(shell: Shell) -> None:
    """The sound ones are still checked and told."""
    for _ in range(2):
        shell.run("backup", *STORE, *BACKUPS)
    path = shell.path / "backups" / "backup" / "9.snapshot"
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    code, out, err = shell.run("verify", "9", *BACKUPS)
    assert (code, out) == (4, "")
    assert err.startswith(
        "error: snapshot 9 (backup/9.snapshot): checksum mismatch in snapshot: stored "
    )
    assert "\nhint: the bytes are damaged or cut" in err
    code, out, err = shell.run("verify", *BACKUPS)
    assert (code, "snapshot 10: ok" in out, "(backup/9.snapshot): checksum" in err) == (
        3,
        True,
        True,
    )


def _no_manifest(path: Path) -> None:
    (path / "backups" / "backup").mkdir(parents=True)
    (path / "backups" / "backup" / "3.snapshot").write_bytes(b"x")


def _damaged_manifest(path: Path) -> None:
    (path / "backups" / "backup").mkdir(parents=True)
    (path / "backups" / "backup" / "manifest.json").write_bytes(b"{")


def _unknown_table(path: Path) -> None:
    with sqlite3.connect(path / "meta.db") as connection:
        connection.execute("CREATE TABLE brand_new (id bigint PRIMARY KEY, note varchar)")
    connection.close()


def _no_checkpoint(path: Path) -> None:
    shutil.rmtree(path / "state")


def _nothing(_: Path) -> None:
    """The files are as they are."""


ERRORS = [
    (_nothing, ("backup",), 2, "--meta-store is needed (or METASNAPSHOT_META_STORE)"),
    (_nothing, ("frobnicate",), 2, "frobnicate"),
    (_nothing, ("list", *BACKUPS, "--wrong", "1"), 2, "--wrong"),
    (
        _nothing,
        ("list", "--backup-storage-url", "s4://x"),
        2,
        "hint: known forms: s3://BUCKET",
    ),
    (_nothing, ("backup", *BACKUPS, "--meta-store", "oracle://x"), 2, "meta store"),
    (_nothing, ("verify", *BACKUPS, "--level", "deep"), 2, "level"),
    (
        _nothing,
        (
            "restore",
            "1",
            *TARGET,
            *BACKUPS,
            *STATE,
            UNLOOKED,
            "--overwrite-backup-storage-url",
            "fs://x",
        ),
        2,
        "must be set simultaneously",
    ),
    (_damaged_manifest, ("list", *BACKUPS), 4, "manifest.json is damaged"),
    (_no_manifest, ("list", *BACKUPS), 10, "no manifest.json"),
    (
        _nothing,
        ("restore", "1", *TARGET, *BACKUPS, *STATE, UNLOOKED),
        12,
        "snapshot id 1 not found",
    ),
    (_unknown_table, ("backup", *STORE, *BACKUPS), 14, "unknown brand_new"),
    (_unknown_table, ("coverage", *STORE), 14, "unknown: brand_new"),
    (_nothing, ("coverage", *TARGET), 14, "seaql_migrations is empty"),
    (_no_checkpoint, ("backup", *STORE, *BACKUPS), 17, "no such object: hummock_001/checkpoint/0"),
    (
        _nothing,
        ("backup", *BACKUPS, "--meta-store", "sqlite:///none.db"),
        18,
        "no such SQLite file",
    ),
]


@pytest.mark.parametrize(("prepare", "arguments", "code", "text"), ERRORS)
def test_errors_have_their_exit_code_and_change_nothing(
    shell: Shell, prepare: object, arguments: tuple[str, ...], code: int, text: str
) -> None:
    """Each kind of failure: its code, its words on stderr, nothing on stdout but coverage's
    report.
    """
    assert callable(prepare)
    prepare(shell.path)
    before = {path: path.read_bytes() for path in shell.path.rglob("*") if path.is_file()}
    found, out, err = shell.run(*arguments)
    assert (found, text in err, err.startswith("error: ")) == (code, True, True), err
    assert "Traceback" not in err
    assert out == "" or arguments[0] == "coverage"
    assert {path: path.read_bytes() for path in shell.path.rglob("*") if path.is_file()} == before


def test_a_target_with_rows_is_13(shell: Shell) -> None:
    """The fullest tables, and how many others; all of them are in the JSON."""
    shell.run("backup", *STORE, *BACKUPS)
    code, _, err = shell.run("restore", "latest", *STORE, *BACKUPS, *STATE, UNLOOKED)
    assert (code, "seaql_migrations (70), object (5" in err, " others\nhint: " in err) == (
        13,
        True,
        True,
    )


def test_coverage_prints_the_lines_to_add(shell: Shell) -> None:
    """For an unknown table and column, with the types that the database tells."""
    _unknown_table(shell.path)
    with sqlite3.connect("meta.db") as connection:
        connection.execute('ALTER TABLE "user" ADD COLUMN shoe_size integer')
    connection.close()
    code, _, err = shell.run("coverage", *STORE)
    assert (code, "coverage --scaffold RELEASE" in err) == (14, True)
    code, out, _ = shell.run("coverage", *STORE, "--scaffold", "9.9.0")
    assert code == 0
    for line in (
        "- {section: brand_news, model: brand_new, since: 9.9.0",
        "    - {name: shoe_size, type: i32, nullable: true, since: 9.9.0",
    ):
        assert line in out


def test_notes_go_to_stderr(shell: Shell) -> None:
    """Something to know that is no failure."""
    with sqlite3.connect("meta.db") as connection:
        connection.execute("INSERT INTO seaql_migrations VALUES ('m20990101_000000_data_only', 1)")
    connection.close()
    code, out, err = shell.run("backup", *STORE, *BACKUPS)
    assert (code, out.startswith("backup 9")) == (0, True)
    warnings = [line for line in err.splitlines() if line.startswith("warning: ")]
    assert warnings[0].startswith("warning: not pinned: ")
    assert warnings[1].startswith("warning: migrations beyond layout 3.0.1")


def test_a_bug_is_70_and_an_interrupt_130(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is said to be a bug, with its traceback; Ctrl-C is no bug."""
    shell.run("backup", *STORE, *BACKUPS)

    def raising(error: BaseException) -> object:
        def fail(*_: object) -> None:
            raise error

        return fail

    monkeypatch.setattr(verifying, "verify_snapshot", raising(ZeroDivisionError("oops")))
    code, _, err = shell.run("verify", *BACKUPS)
    assert (code, "ZeroDivisionError: oops" in err, "this is a bug" in err) == (70, True, True)
    monkeypatch.setattr(verifying, "verify_snapshot", raising(KeyboardInterrupt()))
    assert shell.run("verify", *BACKUPS)[0] == 130


def test_control_characters_do_not_reach_the_terminal(shell: Shell) -> None:
    """Remarks are anybody's text."""
    shell.run("backup", *STORE, *BACKUPS, "--remarks", "a\x1b[31mb\nc")
    out = shell.run("list", *BACKUPS)[1]
    assert "a?[31mb?c" in out


def test_the_command_is_installed(tmp_path: Path) -> None:
    """As a process: the console script and python -m, with the version and an exit code."""
    script = Path(sys.executable).parent / "metasnapshot"
    for command in ([str(script)], [sys.executable, "-m", "metasnapshot"]):
        shown = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert shown.stdout.strip() == VERSION
        failed = subprocess.run(
            [*command, "list", "--backup-storage-url", "s4://x"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert (failed.returncode, failed.stdout) == (2, "")
