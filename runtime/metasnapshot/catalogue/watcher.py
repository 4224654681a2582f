"""`metasnapshot.watch`: which process watches a backup directory, so that there is only one.

The object names its holder and changes with every round. A second watcher leaves; it takes over
only from one that has missed its time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from metasnapshot.errors import DamageError, ObjectMissing, WatchedByOthers
from metasnapshot.store.document import decode_document, read_document
from metasnapshot.store.lock import Holder, this_holder
from metasnapshot.store.port import Store, join
from metasnapshot.store.swap import change_object

WATCHER_NAME = "metasnapshot.watch"


class Watch(msgspec.Struct, frozen=True):
    """Who watches, and until when it is sure to be heard of again (UTC, ISO 8601)."""

    holder: Holder
    token: str
    until: str


_decoder = msgspec.json.Decoder(Watch)


class Watcher:
    """The right of one process to watch a directory.

    Args:
        store: where the directory is.
        directory: which one.
        token: what tells this process from all others.
    """

    def __init__(self, store: Store, directory: str, token: str) -> None:
        self._store = store
        self._path = join(directory, WATCHER_NAME)
        self._token = token

    def renew(self, life: timedelta) -> None:
        """Take the right, or keep it for some more time.

        Raises:
            WatchedByOthers: another process has it, and was heard of in time.
        """

        def change(data: bytes | None) -> bytes:
            now = datetime.now(UTC)
            known = _parse(data)
            is_other = known is not None and known.token != self._token
            if known and is_other and not known.holder.is_gone and _until(known) > now:
                raise WatchedByOthers(
                    f"{self._path}: {known.holder} watches already",
                    hint=f"its next report is due by {known.until}",
                )
            until = (now + life).isoformat(timespec="seconds")
            return msgspec.json.encode(Watch(this_holder(), self._token, until))

        change_object(self._store, self._path, change)

    def leave(self) -> None:
        """Give the right back, if it is still ours."""
        try:
            known = _parse(read_document(self._store, self._path).data)
        except ObjectMissing:
            return
        if known is not None and known.token == self._token:
            self._store.delete(self._path)


def _until(watch: Watch) -> datetime:
    found = datetime.fromisoformat(watch.until)
    if found.tzinfo is None:
        raise ValueError(f"{watch.until} has no time zone")
    return found


def _parse(data: bytes | None) -> Watch | None:
    """The watch that an object names; None if it names none."""
    if data is None:
        return None
    try:
        found = decode_document(WATCHER_NAME, data, _decoder)
        _until(found)
    except (DamageError, ValueError):
        return None
    return found
