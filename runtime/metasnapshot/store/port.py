"""What metasnapshot asks of an object store, by guarantee. tests/store has one suite that every
backend passes.

- A path is relative to the store's root, `/` between its parts. A leading or doubled `/` means
  nothing, as upstream.
- A read sees all of an object or fails; it never sees part of one. It is bounded: by what its
  caller knows of the object, else by READ_MAX.
- What a write returned from is durable, and every later read, head and list sees it.
- An object appears complete or not at all, whatever happens to the writer.
- `put_if_absent` and a writer never overwrite; `put_if_match` overwrites only what has that etag.
  Of two that race, one wins and the other gets ConflictError.
- Deleting what is not there succeeds.

Errors are ObjectMissing, ConflictError and StorageError, and DamageError of an object that is
larger than it may be; a library's own error never gets out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol

import msgspec
import xxhash

from metasnapshot.errors import DamageError, UsageError

logger = logging.getLogger(__name__)
NAMED_MAX = 3
"""How many odd keys a list names; then it counts them."""
CHUNK_SIZE = 1 << 20
READ_MAX = 1 << 30
"""Bytes that a read takes where nobody says of less."""
_ODD = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class ObjectHead:
    """An object's path, size in bytes, and when it was written last, where the store says so."""

    path: str
    size: int
    modified: datetime | None = field(default=None, compare=False)


class StoredObject(msgspec.Struct, frozen=True):
    """A small object, read whole. Its etag changes whenever its bytes do."""

    data: bytes
    etag: str


class Names(msgspec.Struct, frozen=True):
    """What lies right in a directory, whatever lies below.

    Attributes:
        objects: by path.
        directories: their paths, without a slash at the end, by path.
        odd: keys that no path means (see `is_odd`), as the store has them; of several that begin
            alike their beginning.
    """

    objects: tuple[ObjectHead, ...] = ()
    directories: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()


class Store(Protocol):
    """An object store, rooted somewhere. `url` names it without credentials."""

    @property
    def url(self) -> str:
        """What the store is, for messages."""
        ...

    def head(self, path: str) -> ObjectHead | None:
        """The size of an object, or None if there is none."""
        ...

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        """A whole object; for small ones, by one request where the service tells a size with it.

        Args:
            path: where it is.
            size_max: how many bytes it may have; of a larger one no more is held in memory.

        Raises:
            ObjectMissing: there is none.
            DamageError: it is larger.
        """
        ...

    def open_reader(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A seekable file over one object.

        Raises:
            ObjectMissing: there is none.
        """
        ...

    def open_writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file that becomes a new object when its block ends well, and nothing when it does not.

        Raises:
            ConflictError: at the end, if there is such an object by then.
        """
        ...

    def put_if_absent(self, path: str, data: bytes) -> str:
        """Create a small object; returns its etag.

        Raises:
            ConflictError: it exists.
        """
        ...

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        """Replace a small object that still has this etag; returns the new one.

        Raises:
            ConflictError: it has another etag, or is gone.
        """
        ...

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        """The objects whose path starts with prefix, by path. Odd keys are passed over, with a
        warning.
        """
        ...

    def names(self, directory: str) -> Names:
        """What lies right in a directory, by one request a page, however much lies below; nothing
        if there is no such directory.
        """
        ...

    def leftovers(self, directory: str) -> Iterator[ObjectHead]:
        """What writers in a directory left that died, and no list shows; `delete` takes it away.
        A store that cleans up by itself has none.
        """
        ...

    def delete(self, path: str) -> None:
        """Delete an object.

        Raises:
            Retained: the service keeps it for a time.
            Denied: the key may not.
        """
        ...

    def exclusive(self, path: str) -> AbstractContextManager[None]:
        """Keep others who ask for the same away while a small object is read, changed and written.

        A courtesy that saves them vain attempts: only put_if_match makes a change safe. A store
        that has no locks lets everybody in.

        Raises:
            ConflictError: another holds it, and goes on doing so; the message says who.
        """
        ...


def etag_of(data: bytes) -> str:
    """An etag for stores that have none of their own: a hash of the bytes, and how many."""
    return f"{xxhash.xxh3_128_hexdigest(data)}-{len(data)}"


def require_size(path: str, size: int, size_max: int) -> None:
    """Refuse an object that is larger than one of its kind may be.

    Raises:
        DamageError: it is.
    """
    if size > size_max:
        raise DamageError(
            f"{path} is damaged: it has {size} bytes, more than the {size_max} that such a "
            "document has"
        )


def read_file(file: BinaryIO, path: str, size: int, size_max: int) -> bytes:
    """All bytes of a file, which may have grown since it had `size`.

    Raises:
        DamageError: they are more than they may be.
    """
    require_size(path, size, size_max)
    data = file.read(size)
    while len(data) <= size_max and (more := file.read(min(CHUNK_SIZE, size_max + 1 - len(data)))):
        data += more
    require_size(path, len(data), size_max)
    return data


def clean(path: str) -> str:
    """The path without empty parts; it may be empty itself."""
    return "/".join(part for part in path.split("/") if part)


def is_odd(key: str) -> bool:
    """Whether no path means a key that others may have written: it has an empty part, `.` or `..`,
    or a character that no text has.
    """
    return _ODD.search(key) is not None


def pass_over(url: str, heads: Iterable[ObjectHead]) -> Iterator[ObjectHead]:
    """What a list has, without odd keys; they are warned of by name, if they are few."""
    count = 0
    for head in heads:
        if not is_odd(head.path):
            yield head
            continue
        count += 1
        if count <= NAMED_MAX:
            logger.warning("%s: key %r is no path: passed over", url, head.path)
    if count > NAMED_MAX:
        logger.warning("%s: %d keys are no paths: passed over", url, count)


def sorted_names(objects: Iterable[ObjectHead], directories: Iterable[str]) -> Names:
    """Names, the odd ones apart."""
    found, below = list(objects), list(directories)
    odd = [head.path for head in found if is_odd(head.path)]
    odd += [f"{path}/" for path in below if is_odd(path)]
    return Names(
        tuple(sorted((head for head in found if not is_odd(head.path)), key=path_of)),
        tuple(sorted(path for path in below if not is_odd(path))),
        tuple(sorted(odd)),
    )


def path_of(head: ObjectHead) -> str:
    """Its path."""
    return head.path


def folder(directory: str) -> str:
    """The path of a directory, which may be the root: "".

    Raises:
        UsageError: it has a part `.` or `..`.
    """
    return normalise(directory) if directory.strip("/") else ""


def normalise(path: str) -> str:
    """The path without empty parts.

    Raises:
        UsageError: it has a part `.` or `..`, or is empty.
    """
    parts = [part for part in path.split("/") if part]
    if not parts or "." in parts or ".." in parts:
        raise UsageError(f"not a path in an object store: {path!r}", hint="no . or .. in it")
    return "/".join(parts)


def join(directory: str, name: str) -> str:
    """A path in a directory; the directory "" is the root."""
    return normalise(f"{directory}/{name}")
