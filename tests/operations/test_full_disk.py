"""A disk that fills up under backup and restore: an error with its code, nothing half-written, and
the same command succeeds when there is room again.

Once by a limit on the size of files (EFBIG), once by a small file system (ENOSPC).
"""

from __future__ import annotations

import math
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import forked
import goldens
import pytest

from metasnapshot.catalogue.repository import Repository
from metasnapshot.cli.app import main
from metasnapshot.operations.verify import verify
from metasnapshot.store.local import LocalStore

TAG = goldens.SHIPPED / "v3.0.3"
LONG_REMARKS = "x" * 200_000
"""Makes the manifest larger than a snapshot, so that a limit can hit it and spare the snapshot."""
PAGE = 4096
VOLUME_SIZE = 256 * PAGE


@dataclass(frozen=True)
class Failed:
    """What a command said that ended with an error."""

    code: int
    error: str
    hint: str


class World:
    """A cluster, an empty schema to restore into, a place for backups, and TMPDIR."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = goldens.copy_store(TAG, path / "meta.db")
        self.target = path / "target.db"
        self.backups, self.state, self.tmp = path / "backups", path / "state", path / "tmp"
        for folder in (self.backups, self.state, self.tmp):
            folder.mkdir()
        url = f"hummock+fs://{self.state}"
        with closing(sqlite3.connect(self.store)) as connection, connection:
            connection.execute(
                "UPDATE system_parameter SET value = ? WHERE name = 'state_store'", (url,)
            )

    def prepare(self, remarks: str = "") -> World:
        """Write the checkpoint, the empty schema and backup 9, wherever their folders are now."""
        goldens.write_state(TAG, self.state)
        schema = (TAG / "schema.sqlite.sql").read_text(encoding="utf-8")
        with closing(sqlite3.connect(self.target)) as connection:
            connection.executescript(schema)
        assert main([*self.backup, "--remarks", remarks]) == 0
        return self

    @property
    def backup(self) -> list[str]:
        meta_store = f"sqlite:///{self.store}"
        return [
            "backup",
            "--meta-store",
            meta_store,
            "--backup-storage-url",
            f"fs://{self.backups}",
        ]

    @property
    def restore(self) -> list[str]:
        options = {
            "--meta-store": f"sqlite:///{self.target}",
            "--backup-storage-url": f"fs://{self.backups}",
            "--hummock-storage-url": f"fs://{self.state}",
        }
        words = [word for option in options.items() for word in option]
        return ["restore", "9", "--no-object-check", *words]

    @property
    def repository(self) -> Repository:
        return Repository(LocalStore(self.backups), "backup")

    @property
    def snapshot_size(self) -> int:
        return (self.backups / "backup" / "9.snapshot").stat().st_size

    @property
    def manifest(self) -> bytes:
        return (self.backups / "backup" / "manifest.json").read_bytes()

    @property
    def checkpoint(self) -> bytes:
        return (self.state / "hummock_001" / "checkpoint" / "0").read_bytes()

    def content(self) -> list[str]:
        """The target's schema and rows; its pages are sound."""
        with closing(sqlite3.connect(self.target)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return list(connection.iterdump())

    def limit_files(self, size: int | None) -> None:
        """In a process of its own: temporary files here, and no file larger than that."""
        os.environ["TMPDIR"] = str(self.tmp)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))

    def fail(self, command: list[str], limit: int | None = None) -> Failed:
        """Run a command that must fail, as a process, and look for what it left behind."""
        before = self.manifest
        shown = forked.run(*command, prepare=lambda: self.limit_files(limit))
        found = re.fullmatch(r"error: (.+)\n(?:hint: (.+)\n)?", shown.err)
        assert found, f"exit code {shown.code}: {shown.err}"
        for left_over in (".metasnapshot-*", "*.reserved", "metasnapshot-*", "*-journal"):
            assert list(self.path.rglob(left_over)) == []
        assert self.manifest == before
        assert [verify(self.repository, n).error for n in self.repository.manifest().ids] == [None]
        return Failed(shown.code, found[1], found[2] or "")

    def assert_backup_succeeds(self) -> None:
        assert main(self.backup) == 0
        made = max(self.repository.manifest().ids)
        assert made in (10, 11)  # 11 if the file 10 was complete before the manifest failed
        assert verify(self.repository, made).error is None

    def assert_restore_succeeds(self) -> None:
        assert main(self.restore) == 0
        with closing(sqlite3.connect(self.target)) as connection:
            assert connection.execute('SELECT count(*) FROM "user"').fetchone() == (4,)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("10.reserved", lambda _: 1),
        ("10.snapshot", lambda _: PAGE),
        ("10.snapshot", lambda _: 1 << 16),
        ("10.snapshot", lambda size: size // 2),
        ("10.snapshot", lambda size: size - 1),
        ("manifest.json", lambda size: size),
        ("manifest.json", lambda _: len(LONG_REMARKS) + 500),
    ],
)
def test_a_backup_that_finds_no_room_for_a_file(
    world: World, name: str, limit: Callable[[int], int]
) -> None:
    """In the middle of the snapshot or at the manifest: exit 17, and nothing new is named."""
    world.prepare(LONG_REMARKS)
    with closing(sqlite3.connect(world.store)) as node:  # WAL: nothing is copied to TMPDIR
        node.execute("PRAGMA journal_mode = wal")
        node.execute("SELECT count(*) FROM cluster").fetchall()
        failed = world.fail(world.backup, limit(world.snapshot_size))
        assert failed.code == 17
        assert re.fullmatch(rf"backup/{name}.*: File too large", failed.error)
        world.assert_backup_succeeds()


@pytest.mark.parametrize("pages", [1, 80])
def test_a_backup_that_finds_no_room_for_its_copy(world: World, pages: int) -> None:
    """The copy of a store that is not in WAL mode fails: exit 18, and no file of a snapshot."""
    world.prepare()
    assert world.fail(world.backup, pages * PAGE).code == 18
    assert not (world.backups / "backup" / "10.snapshot").exists()
    world.assert_backup_succeeds()


@pytest.mark.parametrize(
    ("mode", "pages"),
    [*(("delete", pages) for pages in (-60, 0, 2, 4)), *(("wal", pages) for pages in (10, 25, 40))],
)
def test_a_restore_that_finds_no_room_for_a_file(world: World, mode: str, pages: int) -> None:
    """At the copy, or in the commit while the file or the WAL grows: exit 18, the target is as
    empty as before, and so is the checkpoint."""
    world.prepare()
    with closing(sqlite3.connect(world.target)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
    size = world.target.stat().st_size if mode == "delete" else 0
    before, checkpoint = world.content(), world.checkpoint
    assert world.fail(world.restore, size + pages * PAGE).code == 18
    assert (world.content() == before, world.checkpoint == checkpoint) == (True, True)
    world.assert_restore_succeeds()


@dataclass(frozen=True)
class Volume:
    """A small file system of its own."""

    path: Path

    def fill(self, pages_left: int) -> None:
        free = os.statvfs(self.path).f_bavail * os.statvfs(self.path).f_frsize
        with (self.path / "filler").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - pages_left * PAGE)
        assert os.statvfs(self.path).f_bavail == pages_left

    def empty(self) -> None:
        (self.path / "filler").unlink()


@pytest.fixture
def mount() -> Generator[Callable[[Path], Volume]]:
    """Mounts a tmpfs on a directory, or skips the test where that is not allowed."""
    mounted: list[Path] = []
    commands = {name: shutil.which(name) for name in ("mount", "umount")}

    def mount_at(path: Path) -> Volume:
        if commands["mount"] is None or commands["umount"] is None:
            pytest.skip("no small file system can be made here: there is no mount command")
        options = ["-t", "tmpfs", "-o", f"size={VOLUME_SIZE},huge=never", "tmpfs", str(path)]
        done = subprocess.run(
            [commands["mount"], *options], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"no small file system can be made here: {done.stderr.strip()}")
        mounted.append(path)
        return Volume(path)

    yield mount_at
    for path in mounted:
        subprocess.run([str(commands["umount"]), str(path)], check=True)


@pytest.mark.parametrize(
    ("name", "pages_left"),
    [
        ("10.reserved", lambda _: 0),
        ("10.snapshot", lambda _: 1),
        ("10.snapshot", lambda pages: pages // 2),
        ("10.snapshot", lambda pages: pages),
        ("manifest.json", lambda pages: pages + 1),
        ("manifest.json", lambda pages: pages + 2),
    ],
)
def test_a_backup_onto_a_full_disk(
    world: World, mount: Callable[[Path], Volume], name: str, pages_left: Callable[[int], int]
) -> None:
    """At the snapshot, or at the manifest beside it: exit 17 and what to do."""
    volume = mount(world.backups)
    world.prepare()
    volume.fill(pages_left(math.ceil(world.snapshot_size / PAGE)))
    failed = world.fail(world.backup)
    assert (failed.code, failed.hint) == (17, "free some space")
    assert re.fullmatch(rf"(.*/)?backup/{name}.*: No space left on device", failed.error)
    volume.empty()
    world.assert_backup_succeeds()


def test_a_copy_onto_a_full_disk(world: World, mount: Callable[[Path], Volume]) -> None:
    """No room in TMPDIR for the copy of the meta store: exit 18, and the hint names TMPDIR."""
    volume = mount(world.tmp)
    world.prepare()
    volume.fill(10)
    failed = world.fail(world.backup)
    assert (failed.code, "TMPDIR" in failed.hint) == (18, True)
    volume.empty()
    world.assert_backup_succeeds()


@pytest.mark.parametrize("pages_left", [0, 20, 60])
def test_a_restore_onto_a_full_disk(
    world: World, mount: Callable[[Path], Volume], pages_left: int
) -> None:
    """No room for the journal or for new pages: exit 18, and the target is as empty as before."""
    (world.path / "db").mkdir()
    volume = mount(world.path / "db")
    world.target = world.path / "db" / "target.db"
    world.prepare()
    before, checkpoint = world.content(), world.checkpoint
    volume.fill(pages_left)
    assert world.fail(world.restore).code == 18
    assert sorted(path.name for path in volume.path.iterdir()) == ["filler", "target.db"]
    assert (world.content() == before, world.checkpoint == checkpoint) == (True, True)
    volume.empty()
    world.assert_restore_succeeds()


def test_no_room_for_the_checkpoint_that_is_replaced(
    world: World, mount: Callable[[Path], Volume]
) -> None:
    """It is kept beside the backups; if it cannot be, exit 17, and nothing is restored."""
    volume = mount(world.backups)
    world.prepare()
    before, checkpoint = world.content(), world.checkpoint
    volume.fill(0)
    failed = world.fail(world.restore)
    assert (failed.code, failed.hint) == (17, "free some space")
    assert (world.content() == before, world.checkpoint == checkpoint) == (True, True)
    volume.empty()
    world.assert_restore_succeeds()


def test_no_room_for_the_checkpoint(world: World, mount: Callable[[Path], Volume]) -> None:
    """The rows are there, the old checkpoint too: exit 17, and the same restore goes on."""
    volume = mount(world.state)
    world.prepare()
    before, checkpoint = world.content(), world.checkpoint
    volume.fill(0)
    failed = world.fail(world.restore)
    assert (failed.code, "run the same restore again" in failed.hint) == (17, True)
    assert (world.content() == before, world.checkpoint == checkpoint) == (False, True)
    volume.empty()
    world.assert_restore_succeeds()
