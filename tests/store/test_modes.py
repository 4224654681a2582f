"""Who may read what is made, and what is left of whoever was killed."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from metasnapshot.store import scratch
from metasnapshot.store.local import LocalStore
from metasnapshot.store.scratch import ALIVE, remove_dead, scratch_directory


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _file_mode() -> Generator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


OURS = [
    "backup/metasnapshot.json",
    "backup/metasnapshot.facts.json",
    "backup/metasnapshot.watch",
    "backup/7.reserved",
    "backup/7.checkpoint",
    "backup/checkpoint.2.bin",
    "x",
    "a/b/c.json",
]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("old", [None, 0o644])
def test_what_only_we_read_is_ours(name: str, old: int | None, tmp_path: Path) -> None:
    """0600, whatever the umask, the manifest and the file that is replaced have."""
    store = LocalStore(tmp_path)
    etag = store.put_if_absent(name, b"1")
    store.put_if_absent(f"{name.rpartition('/')[0]}/manifest.json".lstrip("/"), b"{}")
    (tmp_path / name).parent.joinpath("manifest.json").chmod(0o664)
    if old is not None:
        (tmp_path / name).chmod(old)
    store.put_if_match(name, b"2", etag)
    assert mode(tmp_path / name) == 0o600


@pytest.mark.parametrize("asked", [0o600, 0o640, 0o644, 0o660])
def test_a_new_directory_has_the_mode_that_is_asked_for(asked: int, tmp_path: Path) -> None:
    """Manifest and snapshots."""
    store = LocalStore(tmp_path, file_mode=asked)
    for name in ("backup/7.snapshot", "backup/manifest.json", "backup/8.snapshot"):
        store.put_if_absent(name, b"1")
        assert mode(tmp_path / name) == asked


@pytest.mark.parametrize("found", [0o600, 0o640, 0o644, 0o664, 0o666])
def test_what_risingwave_reads_is_as_its_manifest(found: int, tmp_path: Path) -> None:
    """Mode and group, when a snapshot is made and when the manifest is replaced."""
    store = LocalStore(tmp_path)
    etag = store.put_if_absent("backup/manifest.json", b"1")
    manifest = tmp_path / "backup" / "manifest.json"
    group = 4242 if os.geteuid() == 0 else os.getgid()
    os.chown(manifest, -1, group)
    manifest.chmod(found)
    store.put_if_absent("backup/7.snapshot", b"1")
    store.put_if_match("backup/manifest.json", b"2", etag)
    for name in ("7.snapshot", "manifest.json"):
        path = tmp_path / "backup" / name
        assert (mode(path), path.stat().st_gid) == (found, group)


def test_a_state_store_keeps_its_modes(tmp_path: Path) -> None:
    """The checkpoint that a restore replaces is read by the meta node."""
    store = LocalStore(tmp_path)
    etag = store.put_if_absent("h/checkpoint/0", b"1")
    path = tmp_path / "h" / "checkpoint" / "0"
    assert mode(path) == 0o644
    path.chmod(0o660)
    store.put_if_match("h/checkpoint/0", b"2", etag)
    assert mode(path) == 0o660


KILLED = """
import os, signal, sys, tempfile
from pathlib import Path
from metasnapshot.store.scratch import scratch_directory
parent = Path(sys.argv[2]) if sys.argv[2:] else None
with scratch_directory(sys.argv[1], parent) as made:
    (made / "meta.db").write_bytes(b"secret")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TMPDIR, of this process and of those that it starts."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return place


def test_what_a_killed_process_left_is_removed_by_the_next(temporary: Path) -> None:
    """And nothing else: not what lives, is somebody's, a file, a link, or has no lock."""
    subprocess.run([sys.executable, "-c", KILLED, "meta"], check=False)
    (dead,) = temporary.iterdir()
    assert (dead / "meta.db").read_bytes() == b"secret"
    (temporary / "metasnapshot-file").touch()
    (temporary / "metasnapshot-without").mkdir()
    (temporary / "y-other").mkdir()
    (temporary / "y-other" / ALIVE).touch()
    (temporary / "metasnapshot-link").symlink_to(temporary / "y-other")
    (temporary / "metasnapshot-linked").mkdir()
    (temporary / "metasnapshot-linked" / ALIVE).symlink_to(temporary / "y-other" / ALIVE)
    left = sorted(path.name for path in temporary.iterdir() if path != dead)
    with scratch_directory("meta") as living:
        assert not dead.exists()
        (living / "meta.db").touch()
        with scratch_directory("meta") as second:
            assert (living / "meta.db").exists()
            assert (mode(second), second == living) == (0o700, False)
        assert (living.exists(), second.exists()) == (True, False)
    assert sorted(path.name for path in temporary.iterdir()) == left


@pytest.mark.parametrize("next_one", ["meta", "drill", "export"])
def test_whatever_it_was_for(temporary: Path, tmp_path: Path, next_one: str) -> None:
    """Each kind is cleared by each: from TMPDIR, and from beside what is being written."""
    beside = tmp_path / "exports"
    beside.mkdir()
    subprocess.run([sys.executable, "-c", KILLED, "export", str(beside)], check=False)
    for name in ("metasnapshot-meta-1", "metasnapshot-drill-2", ".metasnapshot-export-3"):
        (temporary / name).mkdir()
        (temporary / name / ALIVE).touch()
    assert len(list(beside.iterdir())) == 1
    with scratch_directory(next_one, beside if next_one == "export" else None):
        pass
    assert list(temporary.iterdir()) == []
    assert (list(beside.iterdir()) == []) == (next_one == "export")


def test_clearing_up_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run removes a few, looks at so many names, and the next ones go on."""
    for number in range(7):
        (tmp_path / f"metasnapshot-{number}").mkdir()
        (tmp_path / f"metasnapshot-{number}" / ALIVE).touch()
    monkeypatch.setattr(scratch, "REMOVED_MAX", 3)
    for left in (4, 1, 0):
        remove_dead(tmp_path)
        assert len(list(tmp_path.iterdir())) == left
    (tmp_path / "metasnapshot-9").mkdir()
    (tmp_path / "metasnapshot-9" / ALIVE).touch()
    monkeypatch.setattr(scratch, "LOOKED_AT_MAX", 0)
    remove_dead(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_one_whose_making_was_cut_short_goes_when_it_is_old(tmp_path: Path) -> None:
    """With or without its lock, and never with anything else in it."""
    for name, holds in (("a", None), ("b", ALIVE), ("c", "meta.db"), ("young", ALIVE)):
        made = tmp_path / f".metasnapshot-new-{name}"
        made.mkdir()
        if holds:
            (made / holds).touch()
        if name != "young":
            os.utime(made, (1.0, 1.0))
    remove_dead(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".metasnapshot-new-c", ".metasnapshot-new-young"]


def test_another_users_directory_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is that user's business."""
    dead = tmp_path / "metasnapshot-1"
    dead.mkdir()
    (dead / ALIVE).touch()
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    remove_dead(tmp_path)
    assert dead.exists()
    monkeypatch.undo()
    remove_dead(tmp_path)
    assert not dead.exists()


def test_a_directory_in_the_making_is_not_taken_for_dead(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run that looks between its making and its lock leaves it alone."""
    taken = fcntl.flock

    def late(descriptor: int, flags: int) -> None:
        monkeypatch.undo()
        remove_dead(temporary)
        assert len(list(temporary.iterdir())) == 1
        taken(descriptor, flags)

    monkeypatch.setattr(fcntl, "flock", late)
    with scratch_directory("x") as made:
        assert made.exists()
