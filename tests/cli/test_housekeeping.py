"""expire, gc, rebuild-manifest, copy, check, storage test and create-schema, as they are typed."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from contract_page import documented
from ran import Ran
from shell import BACKUPS, STATE, STORE, Shell

from metasnapshot.cli.app import main

NEW = ("--meta-store", "sqlite:///new.db")
SAFE = ("--to", "fs://safe")
EXPIRE = ("expire", *BACKUPS, "--keep-last", "1")
GC = ("gc", *BACKUPS, "--grace", "1h")
REBUILD = ("rebuild-manifest", *BACKUPS)
COPY = ("copy", *BACKUPS, *SAFE)
CHECK = ("check", *BACKUPS)
CREATE = ("create-schema", *NEW)
FILES = Path("backups/backup")
GUIDE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")


Run = Callable[..., Ran]


@pytest.fixture
def run(shell: Shell) -> Run:
    """Runs the command where there are backups 9, 10 and 11."""
    for _ in range(3):
        assert shell.run("backup", *STORE, *BACKUPS).code == 0
    return shell.run


def fingerprint() -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path().rglob("*")
        if path.is_file()
    }


def ids(run: Run, *where: str) -> list[int]:
    found = run("list", *(where or BACKUPS), "--json")
    return [item["id"] for item in found.json["snapshots"]]


def damage(number: int) -> None:
    path = FILES / f"{number}.snapshot"
    path.write_bytes(path.read_bytes()[:-1])


def stray(name: str) -> Path:
    """A file of a day ago."""
    path = FILES / name
    path.write_bytes(b"x")
    yesterday = path.stat().st_mtime - 86400
    os.utime(path, (yesterday, yesterday))
    return path


def test_dry_runs_change_nothing(run: Run) -> None:
    """Without --commit, whatever there is to do; not even in words."""
    stray("77.reserved")
    (FILES / "manifest.json").write_bytes((FILES / "manifest.json.previous").read_bytes())
    before = fingerprint()
    for command in (EXPIRE, GC, REBUILD):
        ran = run(*command)
        assert (ran.code, ran.out.endswith("nothing was changed; --commit does it\n")) == (0, True)
        assert run(*command, "--json").json["committed"] is False
    assert fingerprint() == before


def test_expire(run: Run) -> None:
    """A line a snapshot with its fate and why; with --commit it is so."""
    run("keep", "9", *BACKUPS)
    lines = run(*EXPIRE).out.splitlines()
    assert lines[1].endswith("  keep    last 1, at least 1, the newest that verifies")
    assert (lines[2].split()[-1], lines[3].endswith("  marked as kept")) == ("delete", True)
    assert run(*EXPIRE, "--commit").out.splitlines()[-1] == "deleted 1 snapshot"
    assert ids(run) == [9, 11]
    assert run(*EXPIRE, "--commit", "--json").json["deleted"] == []


def test_expire_wants_a_policy(run: Run) -> None:
    """A mistyped or empty one is 2, and nothing is deleted."""
    before = fingerprint()
    for options, hint in (
        ((), "--keep-last 7"),
        (("--min-count", "3"), "--keep-last 7"),
        (("--keep-daily", "-1"), "below zero"),
        (("--keep-within", "soon"), "a number and one of"),
    ):
        ran = run("expire", *BACKUPS, *options, "--commit")
        assert (ran.code, ran.out, hint in ran.err) == (2, "", True), ran.err
    assert fingerprint() == before


def test_each_rule_is_heard(run: Run) -> None:
    """Each option keeps by its own name; all backups here are of one time."""
    for kind in ("last", "minutely", "hourly", "daily", "weekly", "monthly"):
        judged = run("expire", *BACKUPS, f"--keep-{kind}", "1", "--min-count", "0", "--json").json
        (kept,) = (item for item in judged["snapshots"] if item["reasons"])
        assert (kept["id"], kept["reasons"][0].split()[0]) == (11, kind)
    judged = run("expire", *BACKUPS, "--keep-within", "7d", "--json").json
    assert all("within 7 days" in item["reasons"] for item in judged["snapshots"])


def test_gc(run: Run) -> None:
    """Orphans and leftovers go, what is young and what is foreign stays."""
    old, temporary, foreign = stray("77.snapshot"), stray(".metasnapshot-ab"), stray("notes")
    young = FILES / "78.snapshot"
    young.write_bytes(b"x")
    lines = [re.split(r"  +", line) for line in run(*GC).out.splitlines()]
    assert {(words[0], words[1], words[-1]) for words in lines[1:-1]} == {
        ("orphan", "backup/77.snapshot", "goes"),
        ("orphan", "backup/78.snapshot", "too young"),
        ("leftover", "backup/.metasnapshot-ab", "goes"),
        ("foreign", "backup/notes", "left alone"),
    }
    ran = run(*GC, "--commit", "--json")
    assert (ran.code, ran.json["committed"]) == (0, True)
    assert set(ran.json["deleted"]) == {f"backup/{old.name}", f"backup/{temporary.name}"}
    assert [path.exists() for path in (old, temporary, foreign, young)] == [0, 0, 1, 1]


def test_lost_files_are_3(run: Run) -> None:
    """Each is told, with what to do; the entries stay."""
    (FILES / "10.snapshot").unlink()
    ran = run(*GC, "--commit", "--json")
    assert (ran.code, ran.json["lost"], ids(run)) == (3, [10], [9, 10, 11])
    assert "error: snapshot 10 is in the manifest" in ran.err
    assert "hint: `metasnapshot rebuild-manifest`" in ran.err


def test_rebuild_manifest(run: Run) -> None:
    """A lost one comes back; then it says it all."""
    before = ids(run)
    (FILES / "manifest.json").unlink()
    assert run("list", *BACKUPS).code == 10
    ran = run(*REBUILD)
    assert (ran.code, ran.out.splitlines()[0]) == (0, "added: 9, 10, 11")
    assert not (FILES / "manifest.json").exists()
    ran = run(*REBUILD, "--commit")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "wrote manifest 4")
    assert ids(run) == before
    assert run("verify", "--all", *BACKUPS).code == 0
    assert run(*REBUILD, "--commit").out.splitlines()[-1] == "the manifest says it all"


def test_a_damaged_file_is_3(run: Run) -> None:
    """It is told on stderr; the others are entered."""
    damage(10)
    (FILES / "manifest.json").write_bytes(b"{")
    ran = run(*REBUILD, "--commit")
    assert (ran.code, "error: snapshot 10 gets no entry: " in ran.err) == (3, True)
    assert ids(run) == [9, 11]


def test_copy(run: Run) -> None:
    """Named ones, words for ids, all if none is named; what is there is said."""
    ran = run(*COPY, "latest", "9")
    size = (FILES / "11.snapshot").stat().st_size
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"snapshot 11: {size}")
    assert ids(run, "--backup-storage-url", "fs://safe") == [11, 9]
    ran = run(*COPY)
    assert ran.out.splitlines()[0] == "snapshot 9: was there"
    assert sorted(ids(run, "--backup-storage-url", "fs://safe")) == [9, 10, 11]
    assert run("verify", "--all", "--backup-storage-url", "fs://safe").code == 0
    assert run(*COPY, "--to-directory", "deep/er", "--json").json["copied"][0]["was_there"] is False
    assert Path("safe/deep/er/9.snapshot").exists()
    Path("safe/backup/9.snapshot").write_bytes((FILES / "10.snapshot").read_bytes())
    assert run(*COPY, "9").code == 11


def test_check(run: Run) -> None:
    """0 and a line if all is well; 5 if not, with all there is to say."""
    ran = run(*CHECK)
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(r"3 snapshots, newest 11, taken 2\d{3}-[-\d]+ [:\d]+\+00:00\n", ran.out)
    assert datetime.now(UTC) - datetime.fromisoformat(ran.out[-26:-1]) < timedelta(days=1)
    assert run(*CHECK, "--max-age", "9999w").code == 0
    ran = run(*CHECK, "--max-age", "0s", "--min-count", "4")
    assert (ran.code, ran.out) == (5, "")
    assert re.match(r"error: 3 snapshots, not 4; the newest is .* old, more than ", ran.err)
    damage(11)
    ran = run(*CHECK, "--json")
    assert (ran.code, ran.json["ok"], ran.json["newest_id"]) == (5, False, 10)


def test_nagios(run: Run) -> None:
    """One line on stdout, its own exit codes, nothing on stderr."""
    for options, code, word in (
        ((), 0, "OK"),
        (("--max-age", "0s"), 2, "CRITICAL"),
        (("--min-count", "4"), 2, "CRITICAL"),
        (("--max-age", "soon"), 3, "UNKNOWN"),
        (("--backup-storage-directory", "../x"), 3, "UNKNOWN"),
        (("--min-count", "many"), 3, "UNKNOWN"),
        (("--min-count=-3",), 3, "UNKNOWN"),
        (("--json",), 3, "UNKNOWN"),
    ):
        ran = run(*CHECK, "--nagios", *options)
        assert (ran.code, ran.out.count("\n"), ran.err) == (code, 1, "")
        assert ran.out.startswith(f"METASNAPSHOT {word} - ")
        counted = re.search(r"\| snapshots=3 age=\d+s\n$", ran.out)
        assert (counted is not None) is (code != 3)
    Path("backups/backup/manifest.json").unlink()
    lost = run(*CHECK, "--nagios")
    assert (lost.code, lost.out[:23]) == (2, "METASNAPSHOT CRITICAL -")


def test_storage(run: Run) -> None:
    """Each promise by its name; what was tried leaves nothing."""
    before = fingerprint()
    ran = run("storage", "test", *BACKUPS)
    assert (ran.code, ran.err, len(ran.out.splitlines())) == (0, "", 8)
    assert all(line.startswith("ok  ") for line in ran.out.splitlines())
    found = run("storage", "test", *BACKUPS, "--json").json
    assert (found["url"], found["lease"]) == ("fs://backups", False)
    assert fingerprint() == before
    Path("file").write_bytes(b"")
    assert run("storage", "test", "--backup-storage-url", "fs://file").code == 17


def test_create_schema(run: Run) -> None:
    """A new store that a restore of that release fills; the second time all is there."""
    for command in (
        (*CREATE, "--release", "v3.0.3"),
        (*CREATE, "--for-snapshot", "latest", *BACKUPS),
        ("ctl", "meta", "create-meta-store-schema", "--release", "3.0.3", *NEW),
    ):
        Path("new.db").unlink(missing_ok=True)
        ran = run(*command)
        assert (ran.code, ran.err) == (0, "")
        assert re.fullmatch(r"made \d+ tables of 3\.0\.3, with its \d+ migrations .*\n", ran.out)
        assert run(*command).out == "the tables of 3.0.3 are there already, empty\n"
    assert run("restore", "9", *NEW, *BACKUPS, *STATE, "--no-object-check").code == 0
    assert run(*command).code == 13


def test_create_schema_prints(run: Run) -> None:
    """SQL that makes the same tables, and touches nothing; in each engine's words."""
    before = fingerprint()
    script = run(*CREATE, "--release", "2.8.0", "--print").out
    assert fingerprint() == before
    for url in ("postgresql://host/db", "mysql://host/db"):
        other = run("create-schema", "--meta-store", url, "--release", "2.8.0", "--print")
        assert (other.code, "CREATE TABLE" in other.out, other.out != script) == (0, True, True)
    run(*CREATE, "--release", "2.8.0")
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    with sqlite3.connect("new.db") as made, sqlite3.connect(":memory:") as printed:
        printed.executescript(script)
        for query in (tables, "SELECT version FROM seaql_migrations ORDER BY version"):
            assert printed.execute(query).fetchall() == made.execute(query).fetchall() != []
    made.close()
    printed.close()


def test_create_schema_wants_a_release(run: Run) -> None:
    """One that is known, said in one way; nothing is made otherwise."""
    for options, code, text in (
        ((), 2, "give either --release or --for-snapshot"),
        (("--release", "2.8.0", "--for-snapshot", "9", *BACKUPS), 2, "give either"),
        (("--for-snapshot", "9"), 2, "needs --backup-storage-url"),
        (("--release", "9.9.9"), 14, "unknown release 9.9.9"),
        (("--release", "9.9.9", "--print"), 14, "hint: known: "),
    ):
        ran = run(*CREATE, *options)
        assert (ran.code, ran.out, text in ran.err) == (code, "", True), ran.err
        assert not Path("new.db").exists()


def _keys(document: dict[str, Any]) -> set[str]:
    """Keys of an object and of the objects in its lists."""
    lists = [value for value in document.values() if isinstance(value, list)]
    items = [item for found in lists for item in found if isinstance(item, dict)]
    return set(document).union(*items)


def test_every_key_is_in_the_contract(run: Run) -> None:
    """What a script may rely on is what docs/contract.md says."""
    stray("77.snapshot")
    commands = (EXPIRE, GC, REBUILD, COPY, CHECK)
    found = {command[0]: _keys(run(*command, "--json").json) for command in commands}
    found["storage test"] = _keys(run("storage", "test", *BACKUPS, "--json").json)
    create = (*CREATE, "--release", "3.0.3", "--json")
    found["create-schema"] = _keys(run(*create).json) | _keys(run(*create, "--print").json)
    assert {
        name: keys - documented(name) for name, keys in found.items() if keys - documented(name)
    } == {}


def test_the_guide_shows_commands_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Each flag of the guide is the verb's; the CronJob is YAML that runs one."""
    typed = re.findall(r"metasnapshot (expire|gc|check|verify|rebuild-manifest)( [^`&\n]*)", GUIDE)
    assert len(typed) >= 5
    for verb, words in typed:
        main([verb, "--help"])
        shown = capsys.readouterr().out
        assert [flag for flag in re.findall(r"--[a-z-]+", words) if flag not in shown] == []
