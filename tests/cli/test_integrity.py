"""Verbs that look into references and for objects: words, JSON, exit codes, and what stays."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import goldens
import msgspec
import pytest
from contract_page import documented
from ran import Ran
from shell import BACKUPS, DIRECTORY, STATE, STORE, TARGET, Shell

from metasnapshot.catalogue.repository import Repository
from metasnapshot.store.local import LocalStore

RESTORE = ("restore", "9", *TARGET, *BACKUPS, *STATE)
FIRST = Path("state/hummock_001/1001.data")
MANIFEST = Path("backups/backup/manifest.json")


def verify(shell: Shell, *arguments: str) -> Ran:
    return shell.run("verify", *BACKUPS, *arguments)


def noted(shell: Shell) -> dict[int, str]:
    """The level at which each snapshot was found sound, as `list` tells it."""
    listed = shell.run("list", *BACKUPS, "--json").json["snapshots"]
    return {item["id"]: item["verified"]["level"] for item in listed if item["verified"]}


@pytest.fixture
def shell(backed_up: Shell) -> Shell:
    """Where there is one backup, 9, and all objects that it needs."""
    with Repository(LocalStore(Path("backups")), "backup").open(9) as reader:
        goldens.write_objects(reader, Path("state"))
    return backed_up


def _fingerprint() -> dict[str, str]:
    """A hash of every file but the objects, which are large holes; of these the size."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.suffix not in (".data", ".vector", ".hnsw_graph")
        else str(path.stat().st_size)
        for path in sorted(Path().rglob("*"))
        if path.is_file()
    }


def _edit_manifest(number: int, **fields: Any) -> None:
    manifest = msgspec.json.decode(MANIFEST.read_bytes())
    next(x for x in manifest["snapshot_metadata"] if x["id"] == number).update(fields)
    MANIFEST.write_bytes(msgspec.json.encode(manifest))


@pytest.mark.parametrize("level", ["refs", "objects"])
def test_warnings_are_told_and_no_failure(shell: Shell, level: str) -> None:
    """Exit 0, the finding on stderr and in the JSON, the level in the ledger."""
    ran = verify(shell, "--level", level)
    warning = "warning: hummock_version, table 48: SSTs have keys of it"
    secrets = [line for line in ran.err.splitlines() if ": secret " in line]
    assert (ran.code, warning in ran.err) == (0, True)
    assert len(ran.err.splitlines()) == 1 + len(secrets)  # golden rows name secrets at random
    assert f"snapshot 9: ok, level {level}" in ran.out
    (found,) = verify(shell, "--level", level, "--json").json["snapshots"]
    assert (found["ok"], found["level"], found["counts"]) == (True, level, {"warning": 7})
    assert found["findings"][-1]["row"] == "table 48"
    assert noted(shell) == {9: level}


def test_a_missing_object_is_17(shell: Shell) -> None:
    """If nothing else is wrong; the note that it was sound goes."""
    assert verify(shell, "--level", "objects").code == 0
    FIRST.unlink()
    ran = verify(shell, "--level", "objects")
    assert ran.code == 17
    assert "error: hummock_001/1001.data: object 1001 is missing\n" in ran.err
    (found,) = verify(shell, "--level", "objects", "--json").json["snapshots"]
    assert (found["ok"], found["error"]["kind"]) == (False, "ObjectMissing")
    assert found["counts"] == {"warning": 7, "error": 1}
    assert [item["missing"] for item in found["findings"]] == [False] * 7 + [True]
    assert noted(shell) == {}
    assert verify(shell, "--level", "refs").code == 0


def test_an_object_that_was_cut_is_4(shell: Shell) -> None:
    """Also beside missing ones: damage is the worse of the two."""
    FIRST.write_bytes(b"cut")
    for missing in (0, 1):
        (found,) = verify(shell, "--level", "objects", "--json").json["snapshots"]
        assert found["error"]["exit_code"] == 4
        assert sum(item["missing"] for item in found["findings"]) == missing
        Path("state/hummock_001/1002.data").unlink(missing_ok=True)
    assert verify(shell, "--level", "objects").code == 4


def test_a_reference_to_nothing_is_4(shell: Shell) -> None:
    """At level refs; level rows does not look."""
    pinned = Repository(LocalStore(Path("backups")), "backup").entry(9).ssts
    _edit_manifest(9, ssts=pinned[1:])
    assert verify(shell).code == 0
    ran = verify(shell, "--level", "refs")
    assert ran.code == 4
    assert "is needed, but the manifest does not pin it" in ran.err
    assert noted(shell) == {}


def test_exit_codes_of_several(shell: Shell) -> None:
    """3 if some fail; if all do 4 for damage, whatever failed first, and 17 for lost objects."""
    shell.run("backup", *STORE, *BACKUPS)
    path = Path("backups/backup/10.snapshot")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert verify(shell, "--level", "objects").code == 3
    assert noted(shell) == {9: "objects"}
    FIRST.unlink()
    assert verify(shell, "--level", "objects").code == 4
    assert verify(shell, "10", "9", "--level", "objects").code == 4
    path.write_bytes(whole)
    assert verify(shell, "--level", "objects").code == 17


@pytest.mark.parametrize("done", ["file", "rows", "refs", "objects"])
def test_only_a_deeper_verification_counts(shell: Shell, done: str) -> None:
    """--if-older-than skips what was verified at this level or a deeper one."""
    levels = ("file", "rows", "refs", "objects")
    for level in levels:
        assert verify(shell, "--level", done).code == 0
        ran = verify(shell, "--level", level, "--if-older-than", "1d", "--json")
        (found,) = ran.json["snapshots"]
        assert found["skipped"] == (levels.index(level) <= levels.index(done))


def test_a_store_that_cannot_be_listed_says_nothing_of_the_snapshot(shell: Shell) -> None:
    """What was found before is told, and the snapshot's note stays."""
    assert verify(shell, "--level", "rows").code == 0
    away = ("--hummock-storage-url", "s4://gone", *DIRECTORY)
    ran = verify(shell, "--level", "objects", *away, "--json")
    (found,) = ran.json["snapshots"]
    assert (ran.code, found["ok"], found["error"]["kind"]) == (2, False, "UsageError")
    assert found["counts"] == {"warning": 7}
    assert noted(shell) == {9: "rows"}


@pytest.mark.parametrize("spelling", ["hummock_001", "hummock_001/", "/hummock_001"])
def test_the_state_store_may_be_named(shell: Shell, spelling: str) -> None:
    """With the directory, however it is spelt, or without: the snapshot says it."""
    named = (*STATE, "--hummock-storage-directory", spelling)
    assert verify(shell, "--level", "objects", *named).code == 0
    assert verify(shell, "--level", "objects", *STATE).code == 0
    assert verify(shell, "--level", "objects", *named[2:]).code == 2
    assert verify(shell, "--level", "refs", *named[2:]).code == 0


def test_integrity_that_succeeds(shell: Shell) -> None:
    """Upstream's words on stdout, and the restore goes on."""
    ran = shell.run(*RESTORE, "--validate-integrity")
    assert (ran.code, "Succeed integrity validation.\n" in ran.out) == (0, True)
    assert "Fail integrity" not in ran.out + ran.err
    assert "restored snapshot 9" in ran.out


@pytest.mark.parametrize("damage", ["missing", "cut", "all"])
@pytest.mark.parametrize("mode", [(), ("--plan",), ("--json",)], ids=str)
def test_integrity_that_fails(shell: Shell, damage: str, mode: tuple[str, ...]) -> None:
    """Upstream's words on stdout, exit 17 (4 if an object is not what it was), nothing changed."""
    for path in Path("state/hummock_001").glob("*.*") if damage == "all" else (FIRST,):
        path.write_bytes(b"cut") if damage == "cut" else path.unlink()
    before = _fingerprint()
    ran = shell.run(*RESTORE, "--validate-integrity", *mode)
    assert ran.code == (4 if damage == "cut" else 17)
    assert "Succeed" not in ran.out
    if mode == ("--json",):
        assert ran.json["error"]["exit_code"] == ran.code
    else:
        assert "Fail integrity validation.\n" in ran.out
        assert "integrity validation" not in ran.err
    assert _fingerprint() == before


def test_nobody_has_to_ask_for_the_objects(shell: Shell) -> None:
    """They are the last check, with nothing of upstream's words."""
    plan = shell.run(*RESTORE, "--plan")
    assert (plan.code, "integrity validation" in plan.out) == (0, False)
    assert plan.out.splitlines()[-2].endswith(
        "hummock objects: all 18 are there, 60129575036 bytes"
    )
    FIRST.unlink()
    ran = shell.run(*RESTORE)
    assert (ran.code, "integrity validation" in ran.out) == (17, False)
    assert "--no-object-check restores without looking" in ran.err


def test_who_does_not_look_is_told_so_again(shell: Shell) -> None:
    """The rows are restored, and the closing list begins with what was not looked at."""
    FIRST.unlink()
    ran = shell.run(*RESTORE, "--no-object-check")
    assert ran.code == 0
    assert "not checked  hummock objects: --no-object-check\n" in ran.out
    _, closing = ran.out.split("before you start the cluster:\n")
    assert closing.startswith(
        "  - the objects were not looked for: `metasnapshot verify ID --level"
    )
    assert shell.run(*RESTORE, "--no-object-check", "--validate-integrity").code == 2


def test_sequences_rise_above_the_state_store(shell: Shell) -> None:
    """The largest object there is may be of a later time than every snapshot."""
    number = 9007199254750000
    Path(f"state/hummock_001/255/{number}.vector").parent.mkdir()
    Path(f"state/hummock_001/255/{number}.vector").write_bytes(b"")
    plan = shell.run(*RESTORE, "--bump-sequences", "--plan", "--json").json
    assert plan["sequences"]["sstable_object"] == number + 1
    assert shell.run(*RESTORE, "--plan", "--json").json["sequences"]["sstable_object"] < number
    assert shell.run(*RESTORE, "--bump-sequences").code == 0
    with sqlite3.connect("empty.db") as connection:
        rows = dict(connection.execute("SELECT name, seq FROM hummock_sequence").fetchall())
    connection.close()
    assert rows["sstable_object"] == number + 1


def test_raised_sequences_are_what_verify_asks_for(shell: Shell) -> None:
    """Whatever sequence it complains of, a restore with --bump-sequences mends it."""
    with sqlite3.connect("meta.db") as connection:
        connection.execute("UPDATE hummock_sequence SET seq = 2 WHERE name = 'compaction_group'")
        connection.execute("DELETE FROM hummock_sequence WHERE name = 'sstable_object'")
    connection.close()
    shell.run("backup", *STORE, *BACKUPS)
    ran = verify(shell, "10", "--level", "refs")
    assert (ran.code, "restore with --bump-sequences" in ran.err) == (4, True)
    assert "hummock_sequences, sstable_object: stands at 1, but" in ran.err
    assert "hummock_sequences, compaction_group: stands at 2, but 3 is in use" in ran.err
    assert shell.run("restore", "10", *RESTORE[2:], "--bump-sequences").code == 0
    assert shell.run("backup", *TARGET, *BACKUPS).code == 0
    assert verify(shell, "11", "--level", "refs").code == 0


def test_pins(shell: Shell) -> None:
    """Counts for a person and as JSON; --missing ends with 17 if an object is lost."""
    found = shell.run("pins", "latest", *BACKUPS, "--json").json
    assert (found["snapshot_ids"], found["objects"], found["own_objects"]) == ([9], 18, 18)
    ran = shell.run("pins", *BACKUPS)
    assert ran.out.startswith(f"snapshots 9: 18 objects, {found['bytes']} bytes\n")
    assert "no other snapshot needs 18 of them" in ran.out
    assert shell.run("pins", *BACKUPS, "--missing").code == 0
    FIRST.unlink()
    ran = shell.run("pins", *BACKUPS, "--missing")
    assert (ran.code, "1001.data: object 1001 is missing" in ran.err) == (17, True)
    ran = shell.run("pins", *BACKUPS, "--missing", "--json")
    assert (ran.code, ran.json["missing"], len(ran.json["findings"])) == (17, 1, 1)
    assert shell.run("pins", "8", *BACKUPS).code == 12


def test_epoch(shell: Shell) -> None:
    """The snapshot that serves; 12 if none does; 2 for what is no epoch."""
    _edit_manifest(9, state_table_info={"5": {"committed_epoch": 655360, "compaction_group_id": 2}})
    ran = shell.run("epoch", "5", "655361", *BACKUPS, "--json")
    assert (ran.code, ran.json["snapshot"]["id"], ran.json["epoch"]) == (0, 9, 655361)
    assert ran.json["time"] == "2021-04-01T00:00:00.010+00:00"
    assert shell.run("epoch", "5", "655360", *BACKUPS).out.startswith("snapshot 9 serves table 5")
    ran = shell.run("epoch", "6", str((1 << 64) - 1), *BACKUPS)
    assert ran.code == 12
    assert "error: backup include epoch 18446744073709486080 not found\n" in ran.err
    assert shell.run("epoch", "5", str((1 << 64) + 655360), *BACKUPS).code == 2
    assert shell.run("epoch", "5", "1", *BACKUPS, "--release", "x").code == 2


def _keys(value: Any) -> set[str]:
    """Keys of an object and of the objects in its lists."""
    if isinstance(value, list):
        return {key for item in value for key in _keys(item)}
    if not isinstance(value, dict):
        return set()
    return set(value) | _keys([item for item in value.values() if isinstance(item, list)])


def test_every_key_is_in_the_contract(shell: Shell) -> None:
    """What a script may rely on is what docs/contract.md says."""
    FIRST.unlink()
    verified = verify(shell, "--level", "objects", "--json").json
    assert _keys(verified) <= documented("verify")
    plan = shell.run(*RESTORE, "--plan", "--json").json
    assert _keys(plan) <= documented("restore --plan")
    pinned = shell.run("pins", *BACKUPS, "--missing", "--json").json
    assert _keys(pinned) <= documented("pins")
    _edit_manifest(9, state_table_info={"5": {"committed_epoch": 655360, "compaction_group_id": 2}})
    served = shell.run("epoch", "5", "655360", *BACKUPS, "--json").json
    assert _keys(served) <= documented("epoch")
