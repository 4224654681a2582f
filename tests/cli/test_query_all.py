"""`query --all`: the sections of snapshots of many releases and of both formats."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import goldens
import pytest
from asking import lines
from shell import BACKUPS, Shell

import metasnapshot
from metasnapshot import MetaSnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.store.local import LocalStore

V2 = [goldens.SHIPPED / tag / "backup" / "2.snapshot" for tag in ("v2.2.0", "v2.6.0", "v3.0.3")]
PATHS = [*goldens.V1_SNAPSHOTS[:1], V2[0], *goldens.V1_SNAPSHOTS[-1:], *V2[1:]]
NUMBERS = range(1, len(PATHS) + 1)


@pytest.fixture
def snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, MetaSnapshot]:
    """What lies in one directory, by id."""
    monkeypatch.chdir(tmp_path)
    found: dict[int, MetaSnapshot] = {}
    for number, path in zip(NUMBERS, PATHS, strict=True):
        snapshot = metasnapshot.loads(path.read_bytes())
        snapshot.id = number
        changes.create(Repository(LocalStore(tmp_path / "backups"), "backup"), snapshot)
        found[number] = snapshot
    return found


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def damage(number: int) -> None:
    """One bit in the middle of a file."""
    path = Path(f"backups/backup/{number}.snapshot")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def count_all(snapshots: dict[int, MetaSnapshot]) -> tuple[str, Counter[tuple[str, int]]]:
    """A query that counts the rows of each section and snapshot, and what it must give."""
    expected = Counter[tuple[str, int]]()
    for number, snapshot in snapshots.items():
        expected[HUMMOCK_VERSION, number] = 1
        for section, rows in snapshot.sections.items():
            expected[section, number] = len(rows)
    parts = (
        f"SELECT '{section}' AS section, snapshot_id AS id, count(*) AS n "
        f'FROM meta."{section}" GROUP BY ALL'
        for section in sorted({section for section, _ in expected})
    )
    return " UNION ALL ".join(parts), +expected


def counted(out: str) -> Counter[tuple[str, int]]:
    return Counter({(row["section"], row["id"]): row["n"] for row in lines(out)})


def test_every_row_of_every_snapshot(snapshots: dict[int, MetaSnapshot], shell: Shell) -> None:
    """Each section has the rows of all snapshots that have it, of either format."""
    text, expected = count_all(snapshots)
    assert len({number for _, number in expected}) == len(PATHS)
    code, out, err = shell.run("query", "--all", text, *BACKUPS)
    found = counted(out)
    assert (code, found - expected, expected - found) == (0, {}, {}), err


def test_a_damaged_one_is_left_out(snapshots: dict[int, MetaSnapshot], shell: Shell) -> None:
    """One in the middle whose bytes rotted, and one whose file is gone: each is named, the rows of
    all others are there, exit 3; a file says so in its summary.
    """
    damage(3)
    Path("backups/backup/5.snapshot").unlink()
    for number in (3, 5):
        del snapshots[number]
    text, expected = count_all(snapshots)
    code, out, err = shell.run("query", "--all", text, *BACKUPS)
    found = counted(out)
    assert (code, found - expected, expected - found) == (3, {}, {})
    assert all(f"snapshot {number} is not asked: " in err for number in (3, 5))
    code, found = shell.answer("query", "--all", text, *BACKUPS, "--to", "found.csv")
    assert (code, found["rows"]) == (3, len(expected))
    assert [item["id"] for item in found["failed"]] == [3, 5]
    assert "checksum" in found["failed"][0]["error"]


def test_nothing_but_damage(snapshots: dict[int, MetaSnapshot], shell: Shell) -> None:
    """Where no snapshot can be read there is nothing to ask: exit 4, and no file."""
    for number in snapshots:
        damage(number)
    text = 'SELECT * FROM meta."tables"'
    code, out, _ = shell.run("query", "--all", text, *BACKUPS, "--to", "found.csv")
    assert (code, out, Path("found.csv").exists()) == (4, "", False)


def test_what_older_ones_lack_is_null(snapshots: dict[int, MetaSnapshot], shell: Shell) -> None:
    """A column of later releases is NULL in earlier snapshots, and has its values in later ones; no
    value of a column that all have is another for it.
    """
    text = "SELECT snapshot_id AS id, name, barrier_interval_ms AS b FROM meta.databases"
    found = lines(shell.run("query", "--all", text, *BACKUPS).out)
    expected: list[dict[str, Any]] = [
        {"id": number, "name": row.name, "b": getattr(row, "barrier_interval_ms", None) or None}
        for number, snapshot in snapshots.items()
        for row in snapshot.sections.get("databases", ())
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert {row["id"] for row in expected} == {2, 4, 5}
