"""Deltas with objects: full backups like others, whatever becomes of their bases."""

from __future__ import annotations

from pathlib import Path

import pytest
from object_restores import OVERWRITE
from object_world import ObjectWorld
from shell import BACKUPS, STORE, TARGET, Shell

BACKUP = ("backup", *STORE, *BACKUPS, "--meta-node-stopped", "--with-objects", "--as-delta")


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.path, capsys)


@pytest.fixture
def ids(shell: Shell) -> list[int]:
    """A plain full backup and two deltas, full too."""
    found = [shell.answer(*BACKUP) for _ in range(3)]
    assert [(code, made["complete"]) for code, made in found] == [(0, True)] * 3
    assert [made["kind"] for _, made in found] == ["snapshot", "delta", "delta"]
    return [made["snapshot"]["id"] for _, made in found]


def completeness(shell: Shell) -> dict[int, str]:
    _, found = shell.answer("list", *BACKUPS)
    return {item["id"]: item["completeness"] for item in found["snapshots"]}


def test_deltas_are_full(shell: Shell, ids: list[int]) -> None:
    """Their side files are of them, and check counts them."""
    assert dict.fromkeys(ids, "full") == completeness(shell)
    assert shell.run("check", *BACKUPS, "--full", "--min-count", "3").code == 0
    assert shell.run("verify", *BACKUPS, "--content", "hashes").code == 0
    assert shell.run("gc", *BACKUPS, "--objects", "--grace", "0s", "--commit").code == 0
    assert dict.fromkeys(ids, "full") == completeness(shell)


def test_heirs_stay_full_when_their_base_goes(shell: Shell, ids: list[int]) -> None:
    """The oldest as a plain snapshot, the other as a delta of it; none of their objects goes."""
    base, *heirs = ids
    assert shell.run("delete", str(base), *BACKUPS, "--yes").code == 0
    assert shell.run("gc", *BACKUPS, "--objects", "--grace", "0s", "--commit").code == 0
    assert dict.fromkeys(heirs, "full") == completeness(shell)
    assert shell.run("verify", *BACKUPS, "--content", "hashes").code == 0


def test_a_delta_restores_with_its_objects(shell: Shell, ids: list[int]) -> None:
    """Into another data directory, objects first."""
    place = ("--hummock-storage-url", "fs://other")
    command = ("restore", str(ids[-1]), *TARGET, *BACKUPS, "--with-objects", *OVERWRITE, *place)
    ran = shell.run(*command)
    assert ran.code == 0, ran.err
    assert any(Path("other").rglob("*.data"))


def test_a_deleted_delta_takes_its_side_file_along(shell: Shell, ids: list[int]) -> None:
    """As a plain one does."""
    assert shell.run("delete", str(ids[-1]), *BACKUPS, "--yes").code == 0
    assert not list(Path("backups").rglob(f"{ids[-1]}.*"))


def test_copies_are_full_too(shell: Shell, ids: list[int]) -> None:
    """As deltas, and as the plain files that RisingWave reads."""
    for number, words in enumerate(((), ("--materialise",))):
        to = f"fs://safe{number}"
        assert shell.run("copy", *BACKUPS, "--to", to, "--with-objects", *words).code == 0
        _, found = shell.answer("list", "--backup-storage-url", to)
        assert [(n, "full") for n in ids] == [
            (item["id"], item["completeness"]) for item in found["snapshots"]
        ]
