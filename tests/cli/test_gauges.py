"""Gauges of what is there: what a run looked at is said, and nothing else is."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from contract_page import PAGE
from object_world import ObjectWorld
from prom import gauges
from shell import BACKUPS, STORE, UNLOOKED, Shell

from metasnapshot.cli.metrics import HELP

FILE = ("--metrics-file", "m.prom")
BACKUP = ("backup", *STORE, *BACKUPS, *FILE)
NEWEST = (
    "metasnapshot_newest_timestamp_seconds",
    "metasnapshot_newest_bytes",
    "metasnapshot_newest_duration_seconds",
)
LEVEL = "metasnapshot_newest_verified_level"
VERIFIED = "metasnapshot_newest_verified_timestamp_seconds"
MISSING = 'metasnapshot_objects_missing{verb="%s"}'
DRILL = (
    "metasnapshot_drill_timestamp_seconds",
    "metasnapshot_drill_duration_seconds",
    "metasnapshot_drill_success",
)


@pytest.fixture
def full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[ObjectWorld, Shell]:
    """The command in the directory of a cluster that has its objects."""
    monkeypatch.chdir(tmp_path)
    return ObjectWorld(tmp_path), Shell(tmp_path, capsys)


def now(shell: Shell) -> dict[str, float]:
    """What the file says, without the labels of directory and cluster."""
    return gauges(shell.path / "m.prom")


def test_a_backup_tells_of_the_newest(shell: Shell) -> None:
    """Its time, size and duration, that it is partial and unverified, and how many there are."""
    before = time.time()
    for _ in range(2):
        assert shell.run(*BACKUP).code == 0
    found = now(shell)
    listed = shell.answer("list", *BACKUPS)[1]["snapshots"][-1]
    taken, size, took = (found[name] for name in NEWEST)
    assert before - 1 <= taken <= time.time()
    assert size == listed["bytes"]
    assert 0 < took <= found['metasnapshot_last_run_duration_seconds{verb="backup"}']
    assert (found["metasnapshot_newest_full"], found[LEVEL], found[VERIFIED]) == (0, 0, 0)
    assert found["metasnapshot_snapshots"] == 2
    assert not any(name.startswith("metasnapshot_drill") for name in found)
    assert MISSING % "backup" not in found


@pytest.mark.parametrize(("level", "number"), [("file", 1), ("rows", 2), ("refs", 3)])
def test_a_verification_of_the_newest(shell: Shell, level: str, number: int) -> None:
    """Which level and when; of an older one nothing is said of the newest."""
    for _ in range(2):
        assert shell.run(*BACKUP).code == 0
    assert shell.run("verify", "oldest", "--level", level, *BACKUPS, *FILE).code == 0
    assert now(shell)[LEVEL] == 0
    assert shell.run("verify", "--all", "--level", level, *BACKUPS, *FILE).code == 0
    found = now(shell)
    assert found[LEVEL] == number
    assert found[VERIFIED] == pytest.approx(time.time(), abs=60)
    assert shell.run(*BACKUP).code == 0
    assert (now(shell)[LEVEL], now(shell)[VERIFIED]) == (0, 0)


def test_damage_of_the_newest_takes_its_verification_away(shell: Shell) -> None:
    """What was sound once says nothing of it now."""
    assert shell.run(*BACKUP).code == 0
    assert shell.run("verify", *BACKUPS, *FILE).code == 0
    (path,) = (shell.path / "backups" / "backup").glob("*.snapshot")
    path.write_bytes(path.read_bytes()[:-1])
    assert shell.run("verify", *BACKUPS, *FILE).code == 4
    assert (now(shell)[LEVEL], now(shell)[VERIFIED]) == (0, 0)


def test_check_tells_what_is_noted(shell: Shell) -> None:
    """A file that is new gets the verification and the drill that other runs noted; a drill of a
    snapshot that is gone is none.
    """
    assert shell.run(*BACKUP).code == 0
    assert shell.run("verify", "--level", "refs", *BACKUPS).code == 0
    (shell.path / "m.prom").unlink()
    assert shell.run("check", *BACKUPS, *FILE).code == 0
    assert now(shell)[LEVEL] == 3
    assert DRILL[0] not in now(shell)
    assert shell.run("drill", *BACKUPS).code == 0
    assert shell.run("check", *BACKUPS, *FILE).code == 0
    noted = shell.answer("list", *BACKUPS)[1]["snapshots"][0]["drill"]
    assert now(shell)[DRILL[1]] == noted["seconds"]
    assert now(shell)[DRILL[2]] == 1
    facts = shell.path / "backups" / "backup" / "metasnapshot.facts.json"
    document = json.loads(facts.read_text())
    document["snapshots"]["9"]["size"] += 1  # of another snapshot with this id
    facts.write_text(json.dumps(document))
    (shell.path / "m.prom").unlink()
    assert shell.run("check", *BACKUPS, *FILE).code == 0
    assert DRILL[0] not in now(shell)


def test_objects_that_are_missing(full: tuple[ObjectWorld, Shell]) -> None:
    """By the verb that missed them: what another did not look at does not clear the alarm."""
    world, shell = full
    assert shell.run(*BACKUP, "--with-objects", "--meta-node-stopped").code == 0
    assert now(shell)["metasnapshot_newest_full"] == 1
    assert now(shell)[MISSING % "backup"] == 0
    objects = ("verify", "--level", "objects", *BACKUPS, *FILE)
    assert shell.run(*objects).code == 0
    assert (now(shell)[MISSING % "verify"], now(shell)[LEVEL]) == (0, 4)
    for item in list(world.needed)[:2]:
        world.place(item.id).unlink()
    assert shell.run(*objects).code == 17
    assert now(shell)[MISSING % "verify"] == 2
    assert shell.run("verify", "--level", "rows", *BACKUPS, *FILE).code == 0
    assert shell.run("pins", "latest", *BACKUPS, *FILE).code == 0
    assert now(shell)[MISSING % "verify"] == 2
    assert MISSING % "pins" not in now(shell)
    assert shell.run("pins", "--missing", *BACKUPS, *FILE).code == 17
    assert now(shell)[MISSING % "pins"] == 2


def test_a_store_that_is_away_says_nothing_of_objects(shell: Shell) -> None:
    """Nobody looked, so that what was known stays."""
    assert shell.run(*BACKUP).code == 0
    away = ("--hummock-storage-url", "minio://u:p@127.0.0.1:1/b", "--storage-retries", "0")
    verify = ("verify", "--level", "objects", *BACKUPS, *FILE)
    assert shell.run(*verify, *away).code == 17
    assert MISSING % "verify" not in now(shell)


def test_a_sample_calls_nothing_whole(full: tuple[ObjectWorld, Shell]) -> None:
    """What it does not see it does not count as there; all objects of the backup read, it does."""
    _, shell = full
    assert shell.run(*BACKUP, "--with-objects", "--meta-node-stopped").code == 0
    content = ("verify", "--content", "hashes", "--in", "area", *BACKUPS, *FILE)
    assert shell.run(*content, "--sample", "1%").code == 0
    assert MISSING % "verify" not in now(shell)
    assert shell.run(*content).code == 0
    assert now(shell)[MISSING % "verify"] == 0


def test_bytes_that_are_pinned(shell: Shell) -> None:
    """Of all snapshots together; what some of them pin is another number."""
    for _ in range(2):
        assert shell.run(*BACKUP).code == 0
    assert shell.run("pins", "latest", *BACKUPS, *FILE).code == 0
    assert "metasnapshot_pinned_bytes" not in now(shell)
    pinned = shell.answer("pins", *BACKUPS, *FILE)[1]["bytes"]
    assert now(shell)["metasnapshot_pinned_bytes"] == pinned > 0


def test_a_dry_run_makes_no_newest(shell: Shell) -> None:
    """Nothing is there that was not there before."""
    assert shell.run(*BACKUP, "--dry-run").code == 0
    assert not any("newest" in name or "snapshots" in name for name in now(shell))


def test_watch_tells_all_of_it(shell: Shell) -> None:
    """Each round: the newest, verified at its level, and how many are left."""
    watch = ("watch", "--every", "1s", "--rounds", "2", "--keep-last", "1", *BACKUP[1:])
    assert shell.run(*watch, "--level", "refs").code == 0
    found = now(shell)
    assert (found["metasnapshot_snapshots"], found[LEVEL]) == (1, 3)
    assert found[NEWEST[2]] < found['metasnapshot_last_run_duration_seconds{verb="backup"}']


def test_what_others_write_between_rounds_stays(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round says again only what it found itself: one that fails at once says nothing of them."""
    file = shell.path / "m.prom"

    def pause(_: float) -> None:
        (shell.path / "state" / "hummock_001" / "checkpoint" / "0").unlink()
        text = re.sub(
            r"^(metasnapshot_snapshots\{.*) 1$", r"\1 7", file.read_text(), flags=re.MULTILINE
        )
        file.write_text(text)

    monkeypatch.setattr("metasnapshot.cli.verbs.watch.time.sleep", pause)
    assert shell.run("watch", "--every", "1s", "--rounds", "2", *BACKUP[1:]).code == 17
    assert now(shell)["metasnapshot_snapshots"] == 7


def test_every_metric_is_documented() -> None:
    """docs/contract.md lists what HELP has, and nothing else; a unit is in each name, as there."""
    table = PAGE.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)(?:\{[\w,]+\})?` \| ([^|]+) \|", table, re.MULTILINE)
    assert [name for name, _ in rows] == list(HELP)
    for name, unit in rows:
        assert ("_timestamp_seconds" in name) == (unit == "time")
        assert ("_bytes" in name) == (unit == "bytes")


def test_restores_leave_the_gauges_alone(shell: Shell) -> None:
    """A plan has looked at nothing that they say."""
    assert shell.run(*BACKUP).code == 0
    before = {name: it for name, it in now(shell).items() if "last_" not in name}
    target = ("--meta-store", "sqlite:///empty.db")
    assert shell.run("restore", "latest", "--plan", *target, *BACKUPS, *FILE, UNLOOKED).code == 0
    assert {name: it for name, it in now(shell).items() if "last_" not in name} == before
