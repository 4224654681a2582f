"""File systems that lack something: what is only nice to have is done without, with a warning."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from metasnapshot.errors import ConflictError, MetasnapshotError, StorageError
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.tidying import tidied

UNKNOWN = [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS]


def refuse(
    monkeypatch: pytest.MonkeyPatch, name: str, number: int, module: object = os
) -> list[str]:
    """Let a call of the system fail from now on; returns a list that grows by each call."""
    calls = list[str]()

    def call(*_: object, **__: object) -> None:
        calls.append(name)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, name, call)
    return calls


def work(store: LocalStore) -> None:
    """All that is written."""
    store.put_if_absent("d/x", b"1")
    store.put_if_match("d/x", b"2", store.read("d/x").etag)
    with store.open_writer("d/y") as file:
        file.write(b"3")
    with pytest.raises(ConflictError):
        store.put_if_absent("d/x", b"4")
    store.delete("d/y")
    assert [(head.path, head.size) for head in store.list("")] == [("d/x", 1)]
    assert store.read("d/x").data == b"2"


@pytest.mark.parametrize("number", UNKNOWN, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["fsync", "fchmod", "link"])
def test_a_call_that_a_file_system_does_not_know_is_done_without(
    call: str,
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """CIFS syncs no directories, FAT has no modes, neither has links; warnings say what is lost."""
    calls = refuse(monkeypatch, call, number)
    work(LocalStore(tmp_path / "root"))
    assert calls
    said = {"fsync": "on the disk", "fchmod": "the mode", "link": ""}[call]
    assert said in caplog.text


@pytest.mark.parametrize(
    "number", [errno.EMLINK, errno.EXDEV, errno.EPERM], ids=errno.errorcode.get
)
def test_a_link_that_cannot_be_is_a_rename(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the lock, after a look."""
    refuse(monkeypatch, "link", number)
    work(LocalStore(tmp_path / "root"))


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_sync_that_fails_is_an_error(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk said no; nothing has the name then."""
    refuse(monkeypatch, "fsync", number)
    store = LocalStore(tmp_path / "root")
    with pytest.raises(StorageError):
        store.put_if_absent("d/x", b"1")
    monkeypatch.undo()
    assert list(store.list("")) == []
    assert list(store.leftovers("d")) == []


def test_a_directory_that_cannot_be_opened_is_not_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be written to and not read, as drop boxes are."""
    opened: Callable[..., int] = os.open

    def refuse_directories(path: object, flags: int, *more: int, **options: int) -> int:
        if Path(str(path)).is_dir():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", refuse_directories)
    work(LocalStore(tmp_path / "root"))


@pytest.mark.parametrize("number", [errno.ENOLCK, *UNKNOWN], ids=errno.errorcode.get)
def test_a_file_system_without_locks_is_refused_by_name(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swap rests on them: 17, with what to do, and nothing is changed."""
    store = LocalStore(tmp_path / "root")
    etag = store.put_if_absent("d/x", b"1")
    refuse(monkeypatch, "flock", number, fcntl)
    with pytest.raises(StorageError, match="has no locks") as caught:
        store.put_if_match("d/x", b"2", etag)
    assert "locks" in caught.value.hint
    assert store.read("d/x").data == b"1"


@pytest.mark.parametrize("error", [StorageError("second"), OSError("second")])
def test_the_first_error_is_told(error: Exception) -> None:
    """Not the one of the cleaning up after it."""

    def fail() -> None:
        raise error

    def both() -> None:
        with tidied(fail):
            raise ConflictError("first")

    with pytest.raises(ConflictError, match="first"):
        both()


def test_an_error_of_the_cleaning_up_alone_is_told() -> None:
    """There is no other."""
    store = MemoryStore()

    def fail() -> None:
        raise StorageError("second")

    with pytest.raises(MetasnapshotError, match="second"), tidied(fail):
        store.put_if_absent("x", b"1")
