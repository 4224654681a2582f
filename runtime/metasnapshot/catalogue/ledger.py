"""What metasnapshot remembers about snapshots beside the manifest: verified when, kept or not, and
the largest id that was ever deleted, because an id is never given twice.

`{directory}/metasnapshot.json` is ours alone; RisingWave ignores it, and without it nothing is lost
but these notes. It changes by compare-and-swap, as the manifest does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import msgspec

from metasnapshot.catalogue.manifest import Id
from metasnapshot.errors import ObjectMissing, RetentionLocked
from metasnapshot.store.document import LEDGER_SIZE_MAX, decode_document, read_document
from metasnapshot.store.port import Store, join
from metasnapshot.store.swap import change_object

LEDGER_NAME = "metasnapshot.json"
HINT = "move it away: it holds keep marks and notes of verifications, no snapshot needs it"


class ContentNote(msgspec.Struct, frozen=True):
    """The last look at the bytes of a snapshot's objects that found them sound: when, where (area
    or state), and at which share of them.
    """

    at: str
    where: str
    share: float


class Verified(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last verification that found a snapshot sound: when (UTC, ISO 8601), level, XXH64; and
    of its objects. 0.1.0 forgets the latter when it writes.
    """

    at: str
    level: str
    checksum: str
    content: ContentNote | None = None


class Ledger(msgspec.Struct, forbid_unknown_fields=True):
    """Notes by snapshot id; `made` are those that were entered here and not deleted here, and
    `versions` their Hummock versions, by which another snapshot of the same id is told.
    """

    kept: list[Id] = []
    verified: dict[Id, Verified] = {}
    last_deleted: Id = 0
    made: list[Id] = []
    versions: dict[Id, int] = {}


_decoder = msgspec.json.Decoder(Ledger)


def read_ledger(store: Store, directory: str) -> Ledger:
    """The ledger of a directory, empty if there is none.

    Raises:
        DamageError: it is not in our format.
    """
    path = join(directory, LEDGER_NAME)
    try:
        return _parse(path, read_document(store, path, LEDGER_SIZE_MAX).data)
    except ObjectMissing:
        return _empty()


def change_ledger(store: Store, directory: str, change: Callable[[Ledger], None]) -> Ledger:
    """Change the ledger; if it changed meanwhile, change what is there now.

    Raises:
        DamageError: it is not in our format; it stays as it is.
    """
    path = join(directory, LEDGER_NAME)
    ledger = Ledger()

    def apply(data: bytes | None) -> bytes:
        nonlocal ledger
        ledger = _empty() if data is None else _parse(path, data)
        change(ledger)
        return msgspec.json.encode(ledger)

    change_object(store, path, apply, LEDGER_SIZE_MAX)
    return ledger


def remember(
    store: Store, directory: str, snapshot_id: int, version_id: int, *, was_delta: bool = False
) -> None:
    """Note that a snapshot was entered in the manifest here; not if somebody deleted it since.

    Args:
        store: where.
        directory: where.
        snapshot_id: which one.
        version_id: of its Hummock version.
        was_delta: whether it was a delta before, which counts as deleted for older releases.
    """

    def change(ledger: Ledger) -> None:
        if was_delta or snapshot_id > ledger.last_deleted:
            ledger.made = sorted({*ledger.made, snapshot_id})
            ledger.versions[snapshot_id] = version_id

    change_ledger(store, directory, change)


def require_unkept(kept: Collection[int], ids: Iterable[int]) -> None:
    """Refuse to delete what is marked.

    Raises:
        RetentionLocked: one of them is kept.
    """
    locked = [number for number in ids if number in kept]
    if locked:
        raise RetentionLocked(
            f"kept: {', '.join(map(str, locked))}",
            hint=f"`metasnapshot keep {locked[0]} --release` unmarks it",
        )


def announce_delete(store: Store, directory: str, ids: Iterable[int]) -> None:
    """Note that ids are about to be deleted: none is given again, and nobody misses them.

    Raises:
        RetentionLocked: one of them is kept; nothing is noted.
    """
    gone = set(ids)

    def change(ledger: Ledger) -> None:
        require_unkept(ledger.kept, sorted(gone))
        ledger.made = [number for number in ledger.made if number not in gone]
        for number in gone:
            ledger.versions.pop(number, None)
        ledger.last_deleted = max(ledger.last_deleted, *gone)

    if gone:
        change_ledger(store, directory, change)


def forget(store: Store, directory: str, ids: Iterable[int]) -> None:
    """Drop marks and verifications of ids."""
    gone = set(ids)
    known = read_ledger(store, directory)
    if gone.isdisjoint([*known.kept, *known.verified]):
        return

    def change(ledger: Ledger) -> None:
        ledger.kept = [number for number in ledger.kept if number not in gone]
        for number in gone:
            ledger.verified.pop(number, None)

    change_ledger(store, directory, change)


def _empty() -> Ledger:
    return Ledger(kept=[], verified={}, made=[], versions={})


def _parse(path: str, data: bytes) -> Ledger:
    return decode_document(path, data, _decoder, HINT)
