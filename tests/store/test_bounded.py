"""Reads that are bounded: what is larger than it may be takes no memory, whatever its size is said
to be.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import obstore
import pytest

from metasnapshot.errors import DamageError, NoObject, ObjectMissing
from metasnapshot.store import webhdfs
from metasnapshot.store.content import read_content
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import CHUNK_SIZE, read_file
from metasnapshot.store.remote import RemoteStore

BOUND = 3 * CHUNK_SIZE + 1


class Answer:
    """What a bucket answers to a GET: its head is there, its bytes are still on the line."""

    def __init__(self, size: int) -> None:
        self.meta: dict[str, Any] = {"size": size, "e_tag": "1"}
        self.taken = 0

    def bytes(self) -> bytes:
        self.taken = self.meta["size"]
        return bytes(self.taken)


@pytest.mark.parametrize("more", [0, 1, 1 << 40])
def test_a_bucket_is_asked_once(monkeypatch: pytest.MonkeyPatch, more: int) -> None:
    """One GET tells the size; of what is too large no byte is taken."""
    answer, asked = Answer(BOUND + more), list[str]()

    def get(_client: object, key: str) -> Answer:
        asked.append(key)
        return answer

    monkeypatch.setattr(obstore, "get", get)
    store = RemoteStore(lambda *_, **__: None, "s3://x")
    for read in (lambda: store.read("d/x", BOUND).data, lambda: read_content(store, "d/x", BOUND)):
        if more:
            with pytest.raises(DamageError, match=rf"d/x is damaged: it has {BOUND + more} bytes"):
                read()
            assert answer.taken == 0
        else:
            assert len(read()) == BOUND
    assert asked == ["d/x"] * 2


@pytest.mark.parametrize("store", [LocalStore, MemoryStore], ids=["files", "memory"])
@pytest.mark.parametrize("size", [0, 1, 1000, BOUND])
def test_the_content_of_an_object(tmp_path: Path, store: Any, size: int) -> None:
    """All of it if it has no more bytes than it may; else an error, as of a read; and what a read
    says of what is no object.
    """
    place = LocalStore(tmp_path) if store is LocalStore else MemoryStore()
    place.put_if_absent("d/x", b"x" * size)
    assert read_content(place, "d/x", size) == b"x" * size
    assert read_content(place, "d/x", size + 1) == b"x" * size
    with pytest.raises(ObjectMissing, match="d/y"):
        read_content(place, "d/y", size)
    if size:
        with pytest.raises(DamageError, match=f"d/x is damaged: it has {size} bytes"):
            read_content(place, "d/x", size - 1)


def test_content_of_what_is_no_file(tmp_path: Path) -> None:
    """A pipe is not waited for, a directory and a link to nothing are named for what they are."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("nothing")
    for name, what in (("pipe", "a pipe"), ("directory", "a directory"), ("link", "a link to")):
        with pytest.raises(NoObject, match=what):
            read_content(LocalStore(tmp_path), name, 100)


class Endless(BytesIO):
    """A file that grows while it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 <= size <= BOUND
        self.given += size
        return bytes(size)


@pytest.mark.parametrize("said", [0, 1, CHUNK_SIZE, BOUND])
def test_a_file_that_grows_is_bounded(said: int) -> None:
    """One byte beyond the bound is read, and that is the end of it."""
    file = Endless()
    with pytest.raises(DamageError, match="x is damaged"):
        read_file(file, "x", said, BOUND)
    assert file.given == BOUND + 1


@pytest.mark.parametrize("said", [0, 1, 1000, 1001, BOUND])
def test_a_file_is_read_to_its_end(said: int) -> None:
    """Whatever size was seen before: it may have grown or shrunk since."""
    assert read_file(BytesIO(b"x" * 1000), "x", said, BOUND) == b"x" * 1000


class Node:
    """A WebHDFS server whose files have any length, said or not."""

    url = "http://node/webhdfs/v1"

    def __init__(self, size: int, *, says: bool) -> None:
        self.session, self.size, self.given = self, size, 0
        self.headers = {"content-length": str(size)} if says else {}

    def get(self, url: str, *, params: dict[str, str], stream: bool) -> Any:
        assert (url, params, stream) == (f"{self.url}/r/x", {"op": "OPEN"}, True)
        return nullcontext(self)

    def iter_content(self, size: int) -> Iterator[bytes]:
        while self.given < self.size:
            part = min(size, self.size - self.given)
            self.given += part
            yield bytes(part)


@pytest.mark.parametrize("says", [True, False])
@pytest.mark.parametrize("more", [0, 1, 1 << 40])
def test_webhdfs_is_bounded(more: int, *, says: bool) -> None:
    """By the length that the server says, and by the bytes that come."""
    node = Node(BOUND + more, says=says)
    if not more:
        assert len(webhdfs.read(node, "/r/x", "x", BOUND)) == BOUND
        return
    with pytest.raises(DamageError, match="x is damaged"):
        webhdfs.read(node, "/r/x", "x", BOUND)
    assert node.given <= (0 if says else BOUND + CHUNK_SIZE)
