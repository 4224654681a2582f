"""The guarantees of store/port.py. Every backend runs this one suite and overrides fixtures
only."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from metasnapshot.errors import (
    ConflictError,
    DamageError,
    NoObject,
    ObjectMissing,
    StorageError,
    UsageError,
)
from metasnapshot.store.lease import LEASE_NAME
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import READ_MAX, Names, ObjectHead, Store
from metasnapshot.store.url import open_store


def beside_leases(directories: Iterable[str]) -> list[str]:
    """Directories but those of leases: some file systems keep them when they are empty."""
    return [path for path in directories if not path.endswith(LEASE_NAME)]


class StoreSuite:
    """What every store must do. `raw` looks at an object without the store under test."""

    @pytest.fixture
    def store(self) -> Store:
        raise AssertionError("a subclass says which store")

    @pytest.fixture
    def raw(self) -> Callable[[str], bytes]:
        raise AssertionError("a subclass says how to look behind the store")

    def test_what_was_put_is_there(self, store: Store, raw: Callable[[str], bytes]) -> None:
        """A put object is read, headed and listed with its bytes and size."""
        store.put_if_absent("a/b/1.snapshot", b"hello")
        assert raw("a/b/1.snapshot") == b"hello"
        assert store.read("a/b/1.snapshot").data == b"hello"
        assert store.head("a/b/1.snapshot") == ObjectHead("a/b/1.snapshot", 5)
        assert list(store.list("a/")) == [ObjectHead("a/b/1.snapshot", 5)]

    @pytest.mark.parametrize("size", [0, 1, 1000, 100_000])
    def test_a_read_is_bounded(self, store: Store, size: int) -> None:
        """An object as large as it may be is read whole; a larger one is refused with its size."""
        data = bytes(size)
        etag = store.put_if_absent("b/1", data)
        for size_max in (size, size + 1, READ_MAX):
            assert store.read("b/1", size_max).data == data
        assert store.put_if_match("b/1", data + b"x", store.read("b/1", size).etag) != etag
        for size_max in {0, size // 2, size}:
            with pytest.raises(DamageError, match=f"b/1 is damaged: it has {size + 1} bytes, more"):
                store.read("b/1", size_max)
        with pytest.raises(ObjectMissing):
            store.read("b/2", size)

    def test_a_writer_makes_an_object_at_the_end(
        self, store: Store, raw: Callable[[str], bytes]
    ) -> None:
        """While it is being written nobody sees it; then all of it is there."""
        with store.open_writer("d/x") as file:
            file.write(b"a" * 100_000)
            assert store.head("d/x") is None
            file.write(b"b")
        assert raw("d/x") == b"a" * 100_000 + b"b"

    def test_a_writer_that_fails_leaves_nothing(self, store: Store) -> None:
        """An error inside the block means no object, and the name stays free."""
        with pytest.raises(RuntimeError, match="no"), store.open_writer("d/x") as file:
            file.write(b"half")
            raise RuntimeError("no")
        assert store.head("d/x") is None
        assert list(store.list("")) == []
        store.put_if_absent("d/x", b"whole")

    def test_nothing_is_overwritten(self, store: Store) -> None:
        """Creating twice conflicts, by put and by writer, and the first bytes stay."""
        store.put_if_absent("x", b"first")
        with pytest.raises(ConflictError, match="x exists already"):
            store.put_if_absent("x", b"second")
        with pytest.raises(ConflictError), store.open_writer("x") as file:
            file.write(b"third")
        assert store.read("x").data == b"first"

    def test_a_swap_needs_the_right_etag(self, store: Store) -> None:
        """The etag of what was read lets it be replaced once; the old one no more."""
        store.put_if_absent("m", b"1")
        first = store.read("m").etag
        second = store.put_if_match("m", b"2", first)
        assert store.read("m").data == b"2"
        assert store.read("m").etag == second != first
        with pytest.raises(ConflictError, match="m changed meanwhile"):
            store.put_if_match("m", b"3", first)
        assert store.read("m").data == b"2"
        with pytest.raises(ConflictError):
            store.put_if_match("missing", b"1", first)
        assert store.head("missing") is None

    def test_deleting_is_idempotent(self, store: Store) -> None:
        """Deleted once or twice, it is gone; what was never there too."""
        store.put_if_absent("a/x", b"1")
        store.delete("a/x")
        store.delete("a/x")
        store.delete("never/there")
        assert store.head("a/x") is None
        store.put_if_absent("a/x", b"2")

    def test_missing_objects_are_told_by_name(self, store: Store) -> None:
        """Reading what is not there names it; so does reading a directory, where there are any."""
        store.put_if_absent("dir/x", b"1")
        with pytest.raises((ObjectMissing, NoObject), match="dir"):
            store.read("dir")
        for path in ("none", "dir/x/y"):
            with pytest.raises(ObjectMissing, match=path) as caught:
                store.read(path)
            assert caught.value.path == path
            with pytest.raises(ObjectMissing), store.open_reader(path):
                pass
            assert store.head(path) is None

    def test_a_reader_seeks(self, store: Store) -> None:
        """A reader is a seekable binary file."""
        store.put_if_absent("x", bytes(range(100)))
        with store.open_reader("x") as file:
            assert file.seek(0, os.SEEK_END) == 100
            file.seek(40)
            assert file.read(3) == bytes([40, 41, 42])

    def test_a_list_is_by_prefix_and_path(self, store: Store) -> None:
        """A prefix is one of text; with `/` at its end it is a directory."""
        for path in ("a/2", "a/10", "ab/1", "b/1", "a/c/1"):
            store.put_if_absent(path, b"1")
        assert [head.path for head in store.list("a/")] == ["a/10", "a/2", "a/c/1"]
        assert [head.path for head in store.list("a")] == ["a/10", "a/2", "a/c/1", "ab/1"]
        assert len(list(store.list(""))) == 5
        assert list(store.list("none/")) == []

    def test_names_are_of_one_level(self, store: Store) -> None:
        """Objects with their sizes, each directory once; nothing where there is no directory."""
        for path in ("a/2", "a/10", "a/c/1", "a/c/2", "a/c.d", "a/b/e/1", "ab/1", "top"):
            store.put_if_absent(path, b"1")
        found = store.names("a")
        assert found == store.names("/a/")
        assert found.objects == tuple(ObjectHead(path, 1) for path in ("a/10", "a/2", "a/c.d"))
        assert (beside_leases(found.directories), found.odd) == (["a/b", "a/c"], ())
        assert beside_leases(store.names("a/b").directories) == ["a/b/e"]
        top = store.names("")
        assert (top.objects, beside_leases(top.directories)) == (
            (ObjectHead("top", 1),),
            ["a", "ab"],
        )
        for nothing in ("none", "a/2", "a/1"):
            assert store.names(nothing) == Names()
        with pytest.raises(UsageError, match="not a path"):
            store.names("a/..")

    def test_slashes_mean_nothing(self, store: Store) -> None:
        """A leading or doubled slash names the same object."""
        store.put_if_absent("/a//b", b"1")
        assert store.read("a/b").data == b"1"

    @pytest.mark.parametrize("path", ["", "/", "../x", "a/../b", "a/./b"])
    def test_a_path_stays_inside(self, store: Store, path: str) -> None:
        """No path leads out of the store."""
        with pytest.raises(UsageError, match="not a path"):
            store.read(path)


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def raw(self, store: MemoryStore) -> Callable[[str], bytes]:
        return lambda path: store.read(path).data


class TestLocalStore(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path / "root")

    @pytest.fixture
    def raw(self, tmp_path: Path) -> Callable[[str], bytes]:
        return lambda path: (tmp_path / "root" / path).read_bytes()

    def test_no_temporary_file_stays(self, store: LocalStore, tmp_path: Path) -> None:
        """After writes that end well and badly only objects and the lock are in the directory."""
        store.put_if_absent("d/m", b"1")
        store.put_if_match("d/m", b"2", store.read("d/m").etag)
        with pytest.raises(ConflictError):
            store.put_if_absent("d/m", b"3")
        names = {path.name for path in (tmp_path / "root" / "d").iterdir()}
        assert names == {"m", ".metasnapshot.lock"}

    def test_a_directory_that_cannot_be_written(self, tmp_path: Path) -> None:
        """The system's refusal becomes a storage error with the path."""
        (tmp_path / "file").write_text("not a directory")
        store = LocalStore(tmp_path / "file")
        with pytest.raises(StorageError, match="file") as caught:
            store.put_if_absent("x", b"1")
        assert caught.value.exit_code == 17

    def test_many_processes_lose_no_update(self, store: LocalStore, tmp_path: Path) -> None:
        """Four processes that count up one object by compare-and-swap reach the sum."""
        store.put_if_absent("n", b"0")
        context = multiprocessing.get_context("spawn")
        workers = [
            context.Process(target=_count_up, args=(tmp_path / "root", 50)) for _ in range(4)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in workers] == [0] * 4
        assert store.read("n").data == b"200"


def _count_up(root: Path, times: int) -> None:
    store = LocalStore(root)
    done = 0
    while done < times:
        found = store.read("n")
        try:
            store.put_if_match("n", b"%d" % (int(found.data) + 1), found.etag)
        except ConflictError:
            continue
        done += 1


@pytest.mark.parametrize("url", ["fs:///tmp/x", "hummock+fs:///tmp/x"])
def test_fs_urls(url: str) -> None:
    """fs:// is a local directory, with and without hummock+."""
    assert open_store(url).url == "fs:///tmp/x"


def test_memory_is_one_store_per_process() -> None:
    """As upstream since 2.5."""
    assert open_store("memory") is open_store("memory-shared")


@pytest.mark.parametrize("url", ["s4://bucket", "fs://", "", "/tmp/x", "fs:/tmp/x"])
def test_an_unknown_url_lists_the_known_forms(url: str) -> None:
    """A URL that no backend takes is a usage error that says which there are."""
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert "fs://ROOT" in caught.value.hint
