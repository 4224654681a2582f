"""Deltas as they are typed: backup and watch make them, and each verb takes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import BACKUPS, STATE, STORE, Shell

FILES = Path("backups/backup")
BACKUP = ("backup", *STORE, *BACKUPS, *STATE, "--as-delta")


@pytest.fixture
def made(shell: Shell) -> tuple[int, int, int]:
    """A plain snapshot and two deltas of it."""
    base, one, two = (shell.run(*BACKUP, "--json").json["snapshot"]["id"] for _ in range(3))
    return base, one, two


def test_backup_says_what_it_made(shell: Shell) -> None:
    """In words and in JSON: of which base, and how many bytes."""
    base = shell.run(*BACKUP, "--json").json
    assert ("snapshot", None, base["bytes"]) == (base["kind"], base["base"], base["bytes_stored"])
    said = shell.run(*BACKUP).out
    assert f"kept as a delta of snapshot {base['snapshot']['id']}" in said
    found = shell.run(*BACKUP, "--json").json
    assert ("delta", base["snapshot"]["id"]) == (found["kind"], found["base"])
    assert found["bytes_stored"] < found["bytes"] // 10


def test_list_says_the_kind(shell: Shell, made: tuple[int, int, int]) -> None:
    """A column for people, two keys for scripts."""
    base, *heirs = made
    assert f"delta of {base}" in shell.run("list", *BACKUPS).out
    found = shell.run("list", *BACKUPS, "--json").json["snapshots"]
    told = [(item["id"], item["kind"], item["base"], item["kept"]) for item in found]
    of_heirs = [(number, "delta", base, False) for number in heirs]
    assert [(base, "snapshot", None, False), *of_heirs] == told


@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("cat", "clusters"),
        ("tables",),
        ("verify", "--level", "refs"),
        ("query", "select count(*) from meta.clusters"),
        ("drill",),
    ],
    ids=str,
)
def test_each_verb_takes_a_delta(
    shell: Shell, made: tuple[int, int, int], words: tuple[str, ...]
) -> None:
    """As it takes a plain snapshot: what it prints of the one it prints of the other."""
    verb, *rest = words
    ran = shell.run(verb, str(made[1]), *rest, *BACKUPS)
    assert ran.code == 0, ran.err


def test_diff_and_report_and_check(shell: Shell, made: tuple[int, int, int]) -> None:
    """Verbs about several of them."""
    assert shell.run("diff", str(made[0]), str(made[2]), *BACKUPS).code == 0
    assert shell.run("check", *BACKUPS, "--min-count", "3").code == 0
    assert shell.run("report", "--all", "--to", "page.html", *BACKUPS).code == 0
    assert shell.run("gc", *BACKUPS, "--grace", "0s", "--json").json["found"] == []


def test_check_names_what_a_lost_base_takes_along(shell: Shell, made: tuple[int, int, int]) -> None:
    """Red at once, though the newest plain one is another."""
    shell.run("backup", *STORE, *BACKUPS, *STATE)
    (FILES / f"{made[0]}.snapshot").unlink()
    ran = shell.run("check", *BACKUPS)
    assert ran.code == 5
    assert f"the base {made[0]} is gone; lost: {made[1]}, {made[2]}" in ran.out + ran.err


def test_full_every_below_1_is_a_usage_error(shell: Shell) -> None:
    """2, and nothing is written."""
    assert shell.run(*BACKUP, "--full-every", "0").code == 2
    assert not FILES.exists()


def test_a_meta_node_makes_no_deltas(shell: Shell) -> None:
    """2: the node writes its own files."""
    ran = shell.run("backup", "--via-meta", "http://127.0.0.1:1", "--as-delta")
    assert ran.code == 2
    assert "--as-delta" in ran.err


def test_watch_makes_deltas(shell: Shell) -> None:
    """Round after round, with a plain one at first and whenever it is due."""
    ran = shell.run(
        "watch", "--every", "1ms", "--rounds", "4", "--as-delta", "--full-every", "3",
        *STORE, *BACKUPS, *STATE,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    found = shell.run("list", *BACKUPS, "--json").json["snapshots"]
    assert [item["kind"] for item in found] == ["snapshot", "delta", "delta", "snapshot"]


def test_a_damaged_delta_is_4(shell: Shell, made: tuple[int, int, int]) -> None:
    """verify of it ends with 4, of all with 3, and names it; the others are sound."""
    path = FILES / f"{made[1]}.delta"
    path.write_bytes(path.read_bytes()[:-3])
    assert shell.run("verify", str(made[1]), *BACKUPS).code == 4
    ran = shell.run("verify", *BACKUPS, "--json")
    assert ran.code == 3
    assert f"{made[1]}.delta" in ran.out + ran.err
    assert shell.run("verify", str(made[2]), *BACKUPS).code == 0
