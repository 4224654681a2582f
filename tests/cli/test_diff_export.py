"""diff and export as operators meet them: output, exit codes, and what is left on the disk."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import goldens
import pytest
from shell import STORE, Shell

import metasnapshot
from metasnapshot import MetaSnapshot, SnapshotReader

TAG = goldens.SHIPPED / "v3.0.3"
HERE = ("--backup-storage-url", "fs://.")
FORMATS = ("jsonl", "csv", "sqlite")
LIMITED = """
import resource, sys
from metasnapshot.cli.app import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.exit(main(sys.argv[2:]))
"""


def edit(path: Path, number: int, edit: Callable[[MetaSnapshot], object]) -> None:
    path = path / "backup" / f"{number}.snapshot"
    snapshot = metasnapshot.loads(path.read_bytes())
    edit(snapshot)
    path.write_bytes(metasnapshot.dumps(snapshot))


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Where golden snapshots 1, 2 and 7 are, and the store of 7."""
    monkeypatch.chdir(tmp_path)
    goldens.copy_backups(TAG, tmp_path)
    goldens.copy_store(TAG, tmp_path / "meta.db")
    return Shell(tmp_path, capsys, *HERE)


def change_store(*statements: str) -> None:
    with closing(sqlite3.connect("meta.db")) as connection:
        connection.executescript(";".join(statements))


def test_two_snapshots(shell: Shell) -> None:
    """Names by kind, then objects and rows by section; nothing of what is equal."""
    assert shell.run("diff", "2", "latest")[1].splitlines() == [
        "views:",
        "  ~ dev.o'brien; --.Weiß ÄÖÜ (definition)",
        "  ~ dev.back\\slash.o'brien; -- (definition)",
        "  ~ with 'q' \"dq\".back\\slash.back\\slash (definition)",
        "objects of Hummock: 0 added, 0 removed",
        "section            rows added  rows removed  rows changed",
        "views              0           0             3",
        "workers            1           0             0",
        "hummock_sequences  1           0             4",
    ]
    assert shell.run("diff", "7", "7")[1].splitlines()[1:] == ["no row differs"]


def test_json_lines_end_with_the_summary(shell: Shell) -> None:
    """A line a difference, by name and then by row; the counts last."""
    *lines, summary = shell.lines("diff", "2", "7")
    first = ["name", "views", "changed", "dev.o'brien; --.Weiß ÄÖÜ", ["definition"]]
    assert lines[0] == dict(zip(("by", "kind", "change", "key", "columns"), first, strict=True))
    assert [item["by"] for item in lines] == ["name"] * 3 + ["row"] * 9
    rows = summary.pop("rows")
    assert summary == {"summary": True, "equal": False, "objects_added": [], "objects_removed": []}
    assert rows.pop("views") == {"added": 0, "removed": 0, "changed": 3}
    assert rows.pop("workers") == {"added": 1, "removed": 0, "changed": 0}
    assert rows == {"hummock_sequences": {"added": 1, "removed": 0, "changed": 4}}
    assert [item["equal"] for item in shell.lines("diff", "7", "7")] == [True]
    assert len(shell.lines("diff", "oldest", "2")[-1]["objects_added"]) == 18


def test_what_happened_in_the_store_is_told(shell: Shell) -> None:
    """An UPDATE, an INSERT and a DELETE since the snapshot: by name and by row, nothing else."""
    assert shell.lines("diff", "7", *STORE) == [{"summary": True, "equal": True, "rows": {}}]
    change_store(
        "UPDATE \"user\" SET can_login = 0 WHERE name = 'postgres'",
        "INSERT INTO \"user\" SELECT 77, 'new', 1, 1, 1, 1, NULL, 0",
        "DELETE FROM secret WHERE secret_id = 82",
        "UPDATE session_parameter SET value = 'full' WHERE name = 'query_mode'",
    )
    *lines, _ = shell.lines("diff", "7", *STORE)
    assert len(lines) == 8
    assert {(item["by"], item["kind"], item["change"], str(item["key"])) for item in lines} == {
        ("name", "users", "changed", "postgres"),
        ("name", "users", "added", "new"),
        ("name", "secrets", "removed", "dev.Weiß ÄÖÜ.back\\slash"),
        ("name", "session parameters", "changed", "query_mode"),
        ("row", "users", "changed", "[2]"),
        ("row", "users", "added", "[77]"),
        ("row", "secrets", "removed", "[82]"),
        ("row", "session_parameters", "changed", "['query_mode']"),
    }
    out = shell.run("diff", "7", *STORE)[1]
    assert ("  ~ query_mode: auto -> full\n" in out, "Hummock" in out) == (True, False)


def test_parameters_are_told_without_secrets(shell: Shell) -> None:
    """Old and new; of credentials only that they differ; no values if the description differs."""
    url = "minio://key:s3cr3t@other"
    change_store(
        "UPDATE system_parameter SET value = '250' WHERE name = 'barrier_interval_ms'",
        f"UPDATE system_parameter SET value = '{url}' WHERE name = 'backup_storage_url'",
        "UPDATE system_parameter SET value = 's3cr3t' WHERE name = 'license_key'",
        "UPDATE system_parameter SET description = 'x' WHERE name = 'checkpoint_frequency'",
        "DELETE FROM system_parameter WHERE name = 'data_directory'",
    )
    out = shell.run("diff", "7", *STORE)[1]
    assert out.splitlines()[:6] == [
        "system parameters:",
        "  ~ backup_storage_url: minio://****@127.0.0.1:9301/hummock001 -> minio://****@other",
        "  ~ barrier_interval_ms: 1000 -> 250",
        "  ~ checkpoint_frequency (description)",
        "  ~ license_key: (redacted) -> (redacted)",
        "  - data_directory",
    ]
    out += shell.run("diff", "7", *STORE, "--json")[1]
    assert [word for word in ("s3cr3t", "hummockadmin", "eyJ") if word in out] == []


def test_names_are_anybodys(shell: Shell) -> None:
    """One name in two schemas is two objects; control characters do not reach the terminal."""

    def rename(snapshot: MetaSnapshot) -> None:
        for row in snapshot.sections["views"]:
            row.name = "v\x1b[31m\r\n\x9b"
        if snapshot.id == 7:
            snapshot.sections["system_parameters"][1].value += "\x1b]0;x\x07"

    edit(shell.path, 2, rename)
    edit(shell.path, 7, rename)
    out = shell.run("diff", "2", "7")[1]
    assert out.splitlines()[:6] == [
        "views:",
        "  ~ dev.o'brien; --.v?[31m??? (definition)",
        "  ~ dev.back\\slash.v?[31m??? (definition)",
        "  ~ with 'q' \"dq\".back\\slash.v?[31m??? (definition)",
        "system parameters:",
        "  ~ data_directory: hummock_001 -> hummock_001?]0;x?",
    ]


def test_what_is_not_compared_is_said(shell: Shell) -> None:
    """Unknown tables and columns of the store, unknown sections of a snapshot."""
    change_store("CREATE TABLE brand_new (id integer PRIMARY KEY)")
    change_store('ALTER TABLE "user" ADD COLUMN shoe_size integer')
    edit(shell.path, 7, lambda snapshot: setattr(snapshot, "opaque", bytes(4)))
    code, out, err = shell.run("diff", "7", *STORE)
    assert (code, out) == (0, "no row differs\n")
    assert err.splitlines() == [
        "warning: not compared: 4 bytes of snapshot 7 beyond layout 3.0.1",
        "warning: not compared: unknown brand_new of the meta store",
        "warning: not compared: unknown user.shoe_size of the meta store",
    ]
    err = shell.run("export", "7", "--section", "users")[2]
    assert err == "warning: not exported: 4 bytes beyond layout 3.0.1\n"


@pytest.mark.parametrize("ids", [(), ("7",), ("1", "2", "7"), ("2", "7", *STORE), STORE])
def test_ids_are_two_or_one_and_a_store(shell: Shell, ids: tuple[str, ...]) -> None:
    """Anything else is a usage error."""
    code, out, err = shell.run("diff", *ids)
    assert (code, out, "snapshot ids\nhint: two, or one and" in err) == (2, "", True)


def test_a_configured_store_is_compared_with_one_snapshot_only(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ids stay two snapshots; one id finds the store in the file or the environment."""
    settings = Path("metasnapshot.toml")
    settings.write_text('[meta_store]\nurl = "sqlite:///meta.db"\n')
    for _ in range(2):
        assert shell.lines("diff", "2", "7")[-1]["rows"]["workers"]["added"] == 1
        assert shell.lines("diff", "7") == [{"summary": True, "equal": True, "rows": {}}]
        settings.unlink(missing_ok=True)
        monkeypatch.setenv("METASNAPSHOT_META_STORE", "sqlite:///meta.db")


def damage(data: bytes) -> bytes:
    """A letter of a late section is another."""
    return data.replace(b'"value":"default"', b'"value":"dEfault"')


@pytest.mark.parametrize("hurt", [damage, lambda data: data[:-100]])
def test_a_damaged_snapshot_is_4(shell: Shell, hurt: Callable[[bytes], bytes]) -> None:
    """A letter changed, or cut: diff compares nothing, export writes nothing in any format."""
    path = Path("backup/7.snapshot")
    path.write_bytes(hurt(path.read_bytes()))
    before = shell.files()
    assert shell.run("diff", "2", "7")[:2] == (4, "")
    assert shell.run("diff", "7", *STORE)[:2] == (4, "")
    assert shell.run("export", "7")[:2] == (4, "")
    for form in FORMATS:
        assert shell.run("export", "7", "--format", form, "--to", "out")[:2] == (4, "")
    assert shell.files() == before


def test_damage_on_the_way_is_4(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that change after the file was opened: no summary, and no file under the name."""
    path, before = Path("backup/7.snapshot"), set(shell.files())
    sound = path.read_bytes()
    place = SnapshotReader.place

    def hurting(self: SnapshotReader, section: str) -> Any:
        path.write_bytes(damage(sound))
        return place(self, section)

    monkeypatch.setattr(SnapshotReader, "place", hurting)
    commands = [("diff", "2", "7", "--json"), ("diff", "2", "7"), ("export", "7")]
    commands += [("export", "7", "--format", form, "--to", "out") for form in FORMATS]
    for command in commands:
        path.write_bytes(sound)
        code, out, err = shell.run(*command)
        assert (code, "read a second time" in err, '"summary"' in out) == (4, True, False)
    assert set(shell.files()) == before


def test_export_says_what_it_wrote(shell: Shell) -> None:
    """Each format, once with --json; a section that is given twice is written once."""
    sections = ("--section", "users", "--section", "views", "--section", "users")
    for form in FORMATS:
        found = shell.lines("export", "7", "--format", form, *sections, "--to", form)
        rows = {"users": 4, "views": 3}
        assert found == [{"snapshot_id": 7, "format": form, "path": form, "rows": rows}]
        out = shell.run("export", "7", "--format", form, *sections, "--to", f"{form}.2")[1]
        assert out == f"{form}.2: 7 rows of 2 sections of snapshot 7\n"
    assert sorted(path.name for path in Path("csv").iterdir()) == ["users.csv", "views.csv"]
    assert Path("jsonl").read_text() == shell.run("export", "7", *sections)[1]
    out = shell.run("export", "7", "--format", "csv", *sections[:2], *sections[4:])[1]
    assert out.encode() == Path("csv/users.csv").read_bytes()


def test_secrets_are_shown_if_asked_for(shell: Shell) -> None:
    """On stdout and in files; never by default."""
    for options in ((), ("--format", "csv", "--section", "system_parameters")):
        assert "hummockadmin" not in shell.run("export", "7", *options)[1]
        assert "hummockadmin" in shell.run("export", "7", *options, "--with-secrets")[1]
    for form in FORMATS:
        shell.run("export", "7", "--format", form, "--to", f"hidden.{form}")
        shell.run("export", "7", "--format", form, "--to", f"shown.{form}", "--with-secrets")
    found = {path for path, data in shell.files().items() if b"hummockadmin" in data}
    exported = {path.relative_to(shell.path).parts[0] for path in found}
    assert exported == {"backup", "meta.db", *(f"shown.{form}" for form in FORMATS)}


ERRORS = [
    (("--to", "meta.db"), 11, "meta.db exists already"),
    (("--to", "backup", "--format", "csv"), 11, "backup exists already"),
    (("--to", "missing/out"), 1, "cannot write missing/out: No such file or directory"),
    (("--to", "meta.db/out", "--format", "sqlite"), 1, "cannot write meta.db/out: Not a directory"),
    (("--section", "users", "--section", "nonsense"), 14, "no section nonsense"),
    (("--section", "nonsense", "--to", "out"), 14, "no section nonsense"),
    (("--format", "sqlite"), 2, "--format sqlite needs --to"),
    (("--format", "csv", "--section", "users", "--section", "views"), 2, "csv needs --to"),
    (("--json",), 2, "--json describes a file"),
    (("--format", "xml"), 2, "xml"),
]


@pytest.mark.parametrize(("options", "code", "text"), ERRORS)
def test_an_export_that_fails_changes_nothing(
    shell: Shell, options: tuple[str, ...], code: int, text: str
) -> None:
    """Its exit code, its words, every file as it was, and no row on stdout."""
    before = shell.files()
    found, out, err = shell.run("export", "7", *options)
    assert (found, text in err, '"row"' in out) == (code, True, False), err
    assert shell.files() == before


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("limit", ["0", "5000"])
def test_a_full_disk_leaves_nothing(shell: Shell, form: str, limit: str) -> None:
    """An error with the path, no file and no part of one."""
    before = shell.files()
    command = [sys.executable, "-c", LIMITED, limit, "export", "7", "--format", form, "--to", "o"]
    done = subprocess.run([*command, *HERE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr[:23]) == (1, "", "error: cannot write o: ")
    assert (shell.files(), list(shell.path.glob(".metasnapshot-*"))) == (before, [])


@pytest.mark.usefixtures("shell")
def test_stdout_is_utf_8_and_its_errors_are_its_own() -> None:
    """Under another encoding too; what cannot be written is not the backup store's failure."""
    command = [sys.executable, "-m", "metasnapshot", "export", "7", *HERE]
    latin = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, check=True, env=latin)
    assert any("Ünïcode" in str(json.loads(line)) for line in done.stdout.splitlines())
    with Path("/dev/full").open("wb") as full:
        failed = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert failed.returncode == 1
    assert failed.stderr == b"error: cannot write the output: No space left on device\n"
