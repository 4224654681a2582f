"""Stores around another one: what they do not do themselves, it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from metasnapshot.store.port import READ_MAX, Names, ObjectHead, Store, StoredObject


class ReadableStore(Protocol):
    """The part of a store that knows no conditions."""

    @property
    def url(self) -> str:
        """See Store."""
        ...

    def head(self, path: str) -> ObjectHead | None:
        """See Store."""
        ...

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        """See Store."""
        ...

    def open_reader(self, path: str) -> AbstractContextManager[BinaryIO]:
        """See Store."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        """See Store."""
        ...

    def names(self, directory: str) -> Names:
        """See Store."""
        ...

    def leftovers(self, directory: str) -> Iterator[ObjectHead]:
        """See Store."""
        ...

    def delete(self, path: str) -> None:
        """See Store."""
        ...


class ReadThrough:
    """A store that leaves reads, lists and deletes to another."""

    def __init__(self, inner: ReadableStore) -> None:
        self._reads = inner

    @property
    def url(self) -> str:
        """See Store."""
        return self._reads.url

    def head(self, path: str) -> ObjectHead | None:
        """See Store."""
        return self._reads.head(path)

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        """See Store."""
        return self._reads.read(path, size_max)

    def open_reader(self, path: str) -> AbstractContextManager[BinaryIO]:
        """See Store."""
        return self._reads.open_reader(path)

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        """See Store."""
        return self._reads.list(prefix)

    def names(self, directory: str) -> Names:
        """See Store."""
        return self._reads.names(directory)

    def top(self) -> tuple[ReadableStore, str]:
        """All that the service has in one place, such as a bucket, and where in it this is."""
        found: Callable[[], tuple[ReadableStore, str]] | None = getattr(self._reads, "top", None)
        return (self._reads, "") if found is None else found()

    def leftovers(self, directory: str) -> Iterator[ObjectHead]:
        """See Store."""
        return self._reads.leftovers(directory)

    def delete(self, path: str) -> None:
        """See Store."""
        self._reads.delete(path)


class Through(ReadThrough):
    """A store that leaves everything to another."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._writes = inner

    def open_writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        """See Store."""
        return self._writes.open_writer(path)

    def put_if_absent(self, path: str, data: bytes) -> str:
        """See Store."""
        return self._writes.put_if_absent(path, data)

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        """See Store."""
        return self._writes.put_if_match(path, data, etag)

    def exclusive(self, path: str) -> AbstractContextManager[None]:
        """See Store."""
        return self._writes.exclusive(path)
