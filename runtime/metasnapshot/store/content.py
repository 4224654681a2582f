"""The bytes of an object whose size is known, read and created with nothing else: no etag, no copy
in memory that a store can do without.

A full backup moves a million objects so. A store that has no quicker way is asked as ever.
"""

from __future__ import annotations

from collections.abc import Callable

from metasnapshot.store.port import Store

Buffer = bytes | memoryview


def read_content(store: Store, path: str, size_max: int) -> Buffer:
    """All bytes of an object.

    Args:
        store: where it is.
        path: its path there.
        size_max: how many bytes it may have; of a larger one no more is held in memory.

    Raises:
        ObjectMissing: there is none.
        DamageError: it is larger.
    """
    inner = getattr(store, "untried", store)  # no condition is asked for
    content: Callable[[str, int], Buffer] | None = getattr(inner, "content", None)
    return store.read(path, size_max).data if content is None else content(path, size_max)


def create(store: Store, path: str, data: Buffer) -> None:
    """Create an object.

    Raises:
        ConflictError: it exists.
    """
    quick: Callable[[str, Buffer], None] | None = getattr(store, "create", None)
    if quick is None:
        store.put_if_absent(path, data if isinstance(data, bytes) else bytes(data))
    else:
        quick(path, data)
