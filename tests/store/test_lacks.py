"""File systems that lack something: what is only nice to have is done without, with a warning."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from metasnapshot.errors import ConflictError, MetasnapshotError, StorageError
from metasnapshot.store import lease, local
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


@pytest.fixture
def _quick_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "POLL_S", 0.005)
    monkeypatch.setattr(local, "_told", set[str]())


NO_LOCKS = [errno.ENOLCK, *UNKNOWN]


@pytest.mark.usefixtures("_quick_lease")
@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("number", NO_LOCKS, ids=errno.errorcode.get)
def test_a_file_system_without_locks_gets_a_lease(
    number: int,
    links: bool,  # noqa: FBT001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All that is written is, with one warning a directory, and no claim is left."""
    refuse(monkeypatch, "flock", number, fcntl)
    if not links:
        refuse(monkeypatch, "link", errno.EOPNOTSUPP)
    store = LocalStore(tmp_path / "root")
    work(store)
    with store.exclusive("d/x"):
        assert len(store.names("d/metasnapshot.lease").objects) == 1
        store.put_if_match("d/x", b"3", store.read("d/x").etag)
        with pytest.raises(ConflictError, match="changed meanwhile"):
            store.put_if_match("d/x", b"4", "stale")
    assert store.names("d/metasnapshot.lease").objects == ()
    assert caplog.text.count("has no locks") == 1
    assert "under a lease" in caplog.text


@pytest.mark.usefixtures("_quick_lease")
def test_whoever_holds_the_lease_keeps_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread is refused (11) with the holder's name while it is held, and not after; of
    many that count at once none loses a step.
    """
    refuse(monkeypatch, "flock", errno.EOPNOTSUPP, fcntl)
    store = LocalStore(tmp_path / "root", lock_wait_s=0.05)
    store.put_if_absent("d/n", b"0")
    with ThreadPoolExecutor(4) as threads:
        with store.exclusive("d/n"):
            with pytest.raises(ConflictError, match="is leased by process") as caught:
                threads.submit(store.put_if_match, "d/n", b"1", store.read("d/n").etag).result()
            assert caught.value.exit_code == 11
        patient = LocalStore(tmp_path / "root", lock_wait_s=60)

        def count() -> None:
            for _ in range(5):
                with patient.exclusive("d/n"):
                    found = patient.read("d/n")
                    patient.put_if_match("d/n", b"%d" % (int(found.data) + 1), found.etag)

        for done in [threads.submit(count) for _ in range(4)]:
            done.result()
    assert store.read("d/n").data == b"20"


@pytest.mark.usefixtures("_quick_lease")
def test_a_lease_that_is_too_old_lets_nothing_be_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the fence another may hold it: 17, and the name stays free."""
    refuse(monkeypatch, "flock", errno.EOPNOTSUPP, fcntl)
    refuse(monkeypatch, "link", errno.EOPNOTSUPP)
    store = LocalStore(tmp_path / "root")
    with store.exclusive("d/x"):
        monkeypatch.setattr(lease, "CLAIM_LIFE_S", 0.0)
        with pytest.raises(StorageError, match="too old"):
            store.put_if_absent("d/x", b"1")
    assert store.head("d/x") is None


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
