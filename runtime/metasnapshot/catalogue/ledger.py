"""What metasnapshot remembers about snapshots beside the manifest: verified when, and kept or not.

`{directory}/metasnapshot.json` is ours alone; RisingWave ignores it, and without it nothing is lost
but these notes. It changes by compare-and-swap, as the manifest does.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from metasnapshot.errors import ConflictError, DamageError, ObjectMissing
from metasnapshot.store.port import Store, join

LEDGER_NAME = "metasnapshot.json"
SWAP_ATTEMPTS_MAX = 100


class Verified(msgspec.Struct, frozen=True):
    """The last verification that found a snapshot sound: when (UTC, ISO 8601), level, XXH64."""

    at: str
    level: str
    checksum: str


class Ledger(msgspec.Struct, forbid_unknown_fields=True):
    """Notes by snapshot id."""

    kept: list[int] = []
    verified: dict[int, Verified] = {}


def read_ledger(store: Store, directory: str) -> Ledger:
    """The ledger of a directory, empty if there is none.

    Raises:
        DamageError: it is none of ours.
    """
    return _read(store, join(directory, LEDGER_NAME))[0]


def change_ledger(store: Store, directory: str, change: Callable[[Ledger], None]) -> Ledger:
    """Change the ledger; if it changed meanwhile, change what is there now."""
    path = join(directory, LEDGER_NAME)
    for _ in range(SWAP_ATTEMPTS_MAX):
        ledger, etag = _read(store, path)
        change(ledger)
        data = msgspec.json.encode(ledger)
        try:
            if etag is None:
                store.put_if_absent(path, data)
            else:
                store.put_if_match(path, data, etag)
        except ConflictError:
            continue
        return ledger
    raise ConflictError(f"{path} changed {SWAP_ATTEMPTS_MAX} times meanwhile", hint="try again")


def _read(store: Store, path: str) -> tuple[Ledger, str | None]:
    try:
        found = store.read(path)
        return msgspec.json.decode(found.data, type=Ledger), found.etag
    except ObjectMissing:
        return Ledger(kept=[], verified={}), None
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise DamageError(
            f"{path} is damaged: {error}", hint="delete it: it holds notes only"
        ) from error
