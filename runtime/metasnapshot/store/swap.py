"""Change a small object by compare-and-swap: one that meets another is made again on top of it."""

from __future__ import annotations

from collections.abc import Callable

from metasnapshot.errors import ConflictError, ObjectMissing
from metasnapshot.store.document import SIZE_MAX, read_document
from metasnapshot.store.port import Store

ATTEMPTS_MAX = 100
"""How often a change is tried on top of others before it gives up."""


def change_object(
    store: Store,
    path: str,
    change: Callable[[bytes | None], bytes],
    size_max: int = SIZE_MAX,
) -> None:
    """Replace an object by what `change` makes of its bytes, or create it out of None.

    `change` may be called several times; the last call is the one that holds.

    Raises:
        DamageError: it is larger than size_max, and stays as it is.
        ConflictError: others changed it again and again.
    """
    with store.exclusive(path):
        for _ in range(ATTEMPTS_MAX):
            try:
                found = read_document(store, path, size_max)
            except ObjectMissing:
                found = None
            data = change(None if found is None else found.data)
            try:
                if found is None:
                    store.put_if_absent(path, data)
                else:
                    store.put_if_match(path, data, found.etag)
            except ConflictError:
                continue
            return
    raise ConflictError(
        f"{path} changed {ATTEMPTS_MAX} times while it was being changed", hint="try again"
    )
