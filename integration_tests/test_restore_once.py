"""What a restore into a server reads of the snapshot's file, counted."""

from __future__ import annotations

from pathlib import Path

import pytest
import worlds
from meter import Meter
from servers import Server

from metasnapshot.catalogue import changes
from metasnapshot.cli.app import main
from metasnapshot.operations.restore import source

TAG = worlds.TAGS[-1]
HOW = ["empty", "create-schema", "other rows", "the same rows"]


@pytest.mark.parametrize("how", HOW)
def test_a_server_costs_no_third_look(
    how: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor where its tables are made outside the transaction, or as many rows are there already."""
    opened, hashed = _restored(how, server, tmp_path, monkeypatch)
    assert opened == 1
    assert 1 < hashed <= 2


@pytest.mark.parametrize("how", ["create-schema", "other rows"])
def test_what_memory_does_not_hold_is_looked_at_once_more(
    how: str, mariadb_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, and not for the plan and for the load; the restore reads all of it back."""
    monkeypatch.setattr(source, "LOOKED_AT_MAX", 0)
    opened, hashed = _restored(how, mariadb_server, tmp_path, monkeypatch)
    assert opened == 1
    assert 2 < hashed <= 3


def _restored(
    how: str, server: Server, path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, float]:
    """How often the file was opened, and how many times its bytes were hashed."""
    backups = worlds.Backups(TAG, path)
    changes.delete(backups.repository, [7])  # the newest snapshot's file is another one
    url = server.create("once", "" if how == "create-schema" else worlds.schema(TAG, server))
    options = {"create-schema": ["--create-schema"], "other rows": ["--clean", "--yes"]}
    if how in ("other rows", "the same rows"):
        backups.restore(url, cut_timestamps=True)
    if how == "other rows":
        server.run("once", "UPDATE object SET created_at = '2001-01-01 00:00:00'")
    where = ["--backup-storage-url", f"fs://{path}", "--meta-store", url, "--no-object-check"]
    where += ["--hummock-storage-url", f"fs://{backups.state}", "--cut-timestamps"]
    size = (path / "backup" / "2.snapshot").stat().st_size
    meter = Meter(monkeypatch)
    assert main(["restore", "2", *where, *options.get(how, ())]) == 0
    return meter.opened["backup/2.snapshot"], meter.total / size
