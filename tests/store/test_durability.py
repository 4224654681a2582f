"""What a local store has told the disk to keep, and when: first the bytes, then the name."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from metasnapshot.store.local import LocalStore

OLD, NEW = b"old", b"new"


class Disk:
    """Notes each fsync: of what, and what stands under the object's name at that moment.

    A file is noted with its size as others see it, so that bytes in a buffer do not count.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.synced: list[tuple[str | int, bytes | None]] = []

    def fsync(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        what = Path(f"/proc/self/fd/{descriptor}").readlink()
        named = self.target.read_bytes() if self.target.exists() else None
        is_directory = stat.S_ISDIR(found.st_mode)
        self.synced.append((what.name if is_directory else found.st_size, named))


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "d").mkdir()
    return LocalStore(tmp_path)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk(tmp_path / "d" / "x")
    monkeypatch.setattr(os, "fsync", found.fsync)
    return found


def write(store: LocalStore) -> None:
    with store.open_writer("d/x") as file:
        file.write(NEW[:-1])
        file.write(NEW[-1:])


CREATE: dict[str, Callable[[LocalStore], object]] = {
    "put": lambda store: store.put_if_absent("d/x", NEW),
    "writer": write,
}


@pytest.mark.parametrize("links", ["with links", "without links"])
@pytest.mark.parametrize("way", CREATE)
def test_a_new_object_is_on_the_disk_before_it_is_done(
    store: LocalStore, disk: Disk, monkeypatch: pytest.MonkeyPatch, way: str, links: str
) -> None:
    """All its bytes before it has its name, and the directory once it has it, whatever the file
    system gives names by."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    if links == "without links":
        monkeypatch.setattr(os, "link", refuse)
    CREATE[way](store)
    assert disk.synced == [(len(NEW), None), ("d", NEW)]


def test_directories_are_on_the_disk_before_what_is_put_into_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store's first object makes its directories, and each is synced into the one above it: a
    synced file in a directory that is lost is lost. Those that are there are left alone."""
    disk = Disk(tmp_path / "root" / "a" / "b" / "x")
    monkeypatch.setattr(os, "fsync", disk.fsync)
    store = LocalStore(tmp_path / "root")
    store.put_if_absent("a/b/x", NEW)
    made = [(name, None) for name in (tmp_path.name, "root", "a")]
    assert disk.synced == [*made, (len(NEW), None), ("b", NEW)]
    disk.synced.clear()
    store.put_if_absent("a/b/y", NEW)
    assert [what for what, _ in disk.synced] == [len(NEW), "b"]


def test_what_replaces_an_object_is_on_the_disk_before_it_is_done(
    store: LocalStore, disk: Disk
) -> None:
    """All its bytes while the old ones still have the name, and the directory once it has it."""
    etag = store.put_if_absent("d/x", OLD)
    disk.synced.clear()
    store.put_if_match("d/x", NEW, etag)
    assert disk.synced == [(len(NEW), OLD), ("d", NEW)]


def test_a_deleted_object_is_gone_from_the_disk(store: LocalStore, disk: Disk) -> None:
    """The directory is synced without the name, so that what was deleted does not come back."""
    store.put_if_absent("d/x", OLD)
    disk.synced.clear()
    store.delete("d/x")
    assert disk.synced == [("d", None)]
