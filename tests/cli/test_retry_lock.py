"""--retry-lock: how long a command waits for another that is changing the same directory."""

from __future__ import annotations

import fcntl
import threading
import time
from pathlib import Path

import goldens
import msgspec
import pytest
from clock import Clock
from store.test_trial import OverwritingStore

from metasnapshot.cli.app import main
from metasnapshot.store import lease
from metasnapshot.store.lease import LEASE_NAME, Claim
from metasnapshot.store.lock import LOCK_NAME, Holder

TAG = goldens.SHIPPED / "v3.0.3"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    goldens.copy_backups(TAG, tmp_path)
    return tmp_path / "backup"


def keep(directory: Path, *options: str) -> int:
    return main(["keep", "1", "--backup-storage-url", f"fs://{directory.parent}", *options])


def test_a_lock_that_is_held_too_long(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 11, who holds it, and how to wait longer; nothing changed."""
    with (directory / LOCK_NAME).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert keep(directory, "--retry-lock", "100ms") == 11
    shown = capsys.readouterr().err
    assert "is locked by" in shown
    assert "--retry-lock 10m" in shown
    assert not (directory / "metasnapshot.json").exists()


def test_a_lock_that_is_let_go_in_time(directory: Path) -> None:
    """The command waits, then does its work."""
    with (directory / LOCK_NAME).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        start = time.monotonic()
        threading.Timer(0.5, lambda: fcntl.flock(file, fcntl.LOCK_UN)).start()
        assert keep(directory, "--retry-lock", "1m") == 0
    assert time.monotonic() - start >= 0.5


def test_a_lease_that_is_held_too_long(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a bucket that has no conditional writes it is the same: exit 11 after that time."""
    bucket = OverwritingStore()
    for path in directory.iterdir():
        bucket.put(f"backup/{path.name}", path.read_bytes())
    claim = Claim(1, Holder(4711, "elsewhere", "2026-01-01T00:00:00+00:00"))
    bucket.put(f"backup/{LEASE_NAME}/other", msgspec.json.encode(claim))
    monkeypatch.setattr("metasnapshot.store.remote.RemoteStore", lambda *_: bucket)
    url = ("--backup-storage-url", "minio://k:s@host:9000/bucket")
    clock = Clock()
    monkeypatch.setattr(lease, "time", clock)
    assert main(["keep", "1", *url, "--retry-lock", "3s"]) == 11
    assert 3 <= sum(clock.pauses) <= 3 + 2 * lease.POLL_S
    shown = capsys.readouterr().err
    assert "is leased by process 4711 on elsewhere" in shown
    assert "--retry-lock 10m" in shown
    assert bucket.head("backup/metasnapshot.json") is None


@pytest.mark.parametrize("text", ["soon", "10", "-1s"])
def test_what_is_no_duration(
    directory: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Exit 2 with the form that it has."""
    assert keep(directory, f"--retry-lock={text}") == 2
    assert "a number and one of ms, s, m, h, d, w" in capsys.readouterr().err
