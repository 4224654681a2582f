"""--json of every verb: the keys that docs/contract.md promises, on success and on failure."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import goldens
import pytest
from shell import BACKUPS, STATE, STORE, TARGET, UNLOOKED, Shell

TAG = goldens.SHIPPED / "v3.0.3"
SNAPSHOT_KEYS = {
    "id",
    "format_version",
    "hummock_version_id",
    "objects",
    "state_tables",
    "rw_version",
    "remarks",
}


def test_backup(backed_up: Shell) -> None:
    """The next snapshot, rehearsed and made."""
    code, found = backed_up.answer("backup", *STORE, *BACKUPS, "--dry-run")
    assert (code, found["dry_run"], found["snapshot"]["id"]) == (0, True, 10)
    code, found = backed_up.answer("backup", *STORE, *BACKUPS, "--remarks", "x")
    assert code == 0
    assert set(found) == {
        "dry_run",
        "snapshot",
        "layout",
        "releases",
        "rows",
        "bytes",
        "kind",
        "base",
        "bytes_stored",
        "checksum",
        "checkpoint_version",
        "deltas",
        "pinned",
        "omitted",
        "warnings",
    }
    assert set(found["snapshot"]) == SNAPSHOT_KEYS
    assert (found["rows"]["users"], found["pinned"], found["snapshot"]["remarks"]) == (
        4,
        False,
        "x",
    )


LISTED = {
    "kind",
    "base",
    "kept",
    "drill",
    "verified",
    "taken_at",
    "taken_by",
    "bytes",
    "cluster_id",
    "releases",
} | {
    "completeness",
    "full",
}


def test_list_verify_and_keep(backed_up: Shell) -> None:
    """What verify and keep note is in the list."""
    code, found = backed_up.answer("list", *BACKUPS)
    (item,) = found["snapshots"]
    assert (code, found["manifest_id"], item["kept"], item["verified"]) == (0, 1, False, None)
    assert set(item) == SNAPSHOT_KEYS | LISTED
    code, found = backed_up.answer("verify", "9", *BACKUPS)
    (result,) = found["snapshots"]
    assert (code, result["ok"], result["rows"], result["skipped"]) == (0, True, 317, False)
    assert backed_up.answer("keep", "latest", *BACKUPS) == (0, {"kept": [9]})
    (item,) = backed_up.answer("list", *BACKUPS)[1]["snapshots"]
    assert (item["kept"], item["verified"]["level"]) == (True, "rows")
    assert item["verified"]["checksum"] == result["checksum"]
    code, found = backed_up.answer("verify", "--all", *BACKUPS, "--if-older-than", "7d")
    assert (code, found["snapshots"][0]["skipped"]) == (0, True)


def test_damage(backed_up: Shell) -> None:
    """A damaged snapshot has its error in its place."""
    path = Path("backups/backup/9.snapshot")
    path.write_bytes(path.read_bytes()[:-1])
    code, found = backed_up.answer("verify", *BACKUPS)
    (result,) = found["snapshots"]
    assert (code, result["ok"], result["error"]["kind"]) == (4, False, "ChecksumMismatch")
    assert result["error"]["exit_code"] == 4


def test_restore(backed_up: Shell) -> None:
    """The plan, and what was done."""
    code, plan = backed_up.answer("restore", "9", *TARGET, *BACKUPS, *STATE, UNLOOKED, "--plan")
    results = {check["result"] for check in plan["checks"]}
    assert (code, plan["ok"], results) == (0, True, {"ok", "not checked"})
    code, found = backed_up.answer("restore", "9", *TARGET, *BACKUPS, *STATE, UNLOOKED)
    assert (code, found["snapshot_id"], found["rows"]["user"]) == (0, 9, 4)
    assert found["checkpoint"] == "hummock_001/checkpoint/0"
    for document in (plan, found["plan"]):  # values are looked at as they are sent
        for check in document["checks"]:
            if check["name"] == "values":
                assert check.pop("reason")
    assert found["plan"] == plan
    assert found["replaced_checkpoint"].startswith("backup/checkpoint.")
    assert found["auto_increment"]["user_default_privilege"] == 31
    code, plan = backed_up.answer("restore", "9", *STORE, *BACKUPS, *STATE, UNLOOKED, "--dry-run")
    assert (code, plan["ok"]) == (13, False)


def test_show_and_drill(backed_up: Shell) -> None:
    """The summary's names and the drill's verdict."""
    code, found = backed_up.answer("show", "9", *BACKUPS)
    assert (code, found["names"]["databases"]) == (0, ["dev", "with 'q' \"dq\"", "Ünïcode db"])
    assert found["parameters"]["license_key"] == "(redacted)"
    assert found["committed_epochs"][0]["time"] == "2024-12-12T19:14:36.555+00:00"
    code, found = backed_up.answer("drill", "9", *BACKUPS)
    assert (code, found["ok"], found["rows"], found["differences"]) == (0, True, 312, [])


def test_coverage(backed_up: Shell) -> None:
    """Covered and unknown."""
    with sqlite3.connect("meta.db") as connection:
        connection.execute("CREATE TABLE brand_new (id integer PRIMARY KEY)")
    connection.close()
    code, found = backed_up.answer("coverage", *STORE)
    assert (code, found["unknown"], found["missing"]) == (14, ["brand_new"], [])
    assert found["excluded"]["hummock_version_delta"] == "replayed"
    assert "user.name" in found["covered"]


def test_delete_asks(backed_up: Shell) -> None:
    """Without --yes nobody is there to ask; kept is 16; with --yes it is gone."""
    code, found = backed_up.answer("delete", "9", *BACKUPS)
    assert (code, "--yes" in found["error"]["hint"]) == (2, True)
    backed_up.answer("keep", "9", *BACKUPS)
    assert backed_up.answer("delete", "9", *BACKUPS, "--yes")[0] == 16
    backed_up.answer("keep", "9", *BACKUPS, "--release")
    code, found = backed_up.answer("delete", "9", *BACKUPS, "--yes")
    assert (code, [item["id"] for item in found["deleted"]]) == (0, [9])
    assert not Path("backups/backup/9.snapshot").exists()
    assert backed_up.answer("delete", "9", *BACKUPS, "--yes")[0] == 12
    assert backed_up.answer("delete", *BACKUPS)[0] == 2


def test_errors(backed_up: Shell) -> None:
    """A failed command prints its error as JSON, with the same exit code."""
    code, found = backed_up.answer("show", "77", *BACKUPS)
    assert (code, found) == (
        12,
        {
            "error": {
                "kind": "SnapshotNotFound",
                "message": "snapshot id 77 not found",
                "hint": "the manifest has 9",
                "exit_code": 12,
            }
        },
    )


@pytest.mark.usefixtures("backed_up")
def test_cat_stops_when_nobody_reads() -> None:
    """A reader that goes away, as `head` does, is no bug."""
    command = [sys.executable, "-m", "metasnapshot", "cat", "9", "tables", *BACKUPS]
    shown = subprocess.run(
        ["/bin/sh", "-c", '"$@" | head -c 10; exit 0', "sh", *command],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (len(shown.stdout), shown.stderr) == (10, "")
