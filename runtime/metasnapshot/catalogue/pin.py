"""`{token}.pin`: a full backup by way of the meta node is at work, or was killed.

A snapshot that the meta node makes pins its objects until it is deleted there. Who has one made
for the time of a copy says so here first; the token stands in the remarks of the snapshot too. So
what a killed process left pinned is known by its token alone, even where the process never heard of
the snapshot, and nobody else's snapshot is ever taken for it. The file beats as a marker does.
"""

from __future__ import annotations

import re
from uuid import uuid4

import msgspec

from metasnapshot.catalogue.marker import Beating, Marker
from metasnapshot.errors import DamageError, ObjectMissing
from metasnapshot.store.document import decode_document, read_document
from metasnapshot.store.lock import this_holder
from metasnapshot.store.port import Names, Store, join

PIN = "pin"
PIN_NAME = re.compile(rf"(?P<token>[0-9a-f]{{32}})\.{PIN}")
_REMARK = re.compile(r"\[metasnapshot pin (?P<token>[0-9a-f]{32})\]")


class Pin(Marker, frozen=True):
    """A marker; and whether the meta node shall keep the snapshot once the backup is complete."""

    is_kept: bool = False


_decoder = msgspec.json.Decoder(Pin)


def new_token() -> str:
    """A token that nobody else has."""
    return uuid4().hex


def pin_path(directory: str, token: str) -> str:
    """Where a pin lies in a backup directory."""
    return join(directory, f"{token}.{PIN}")


def beating_pin(store: Store, directory: str, token: str, *, is_kept: bool) -> Beating:
    """The pin of this process, which is not there yet."""
    return Beating(store, pin_path(directory, token), Pin(this_holder(), is_kept=is_kept))


def read_pin(store: Store, directory: str, token: str) -> Pin | None:
    """A pin; None if it is gone, or says nothing."""
    path = pin_path(directory, token)
    try:
        return decode_document(path, read_document(store, path).data, _decoder)
    except (ObjectMissing, DamageError):
        return None


def tokens_among(found: Names) -> list[str]:
    """Tokens of the pins among the objects of a directory."""
    names = (head.path.rpartition("/")[2] for head in found.objects)
    return [match["token"] for name in names if (match := PIN_NAME.fullmatch(name)) is not None]


def with_token(remarks: str | None, token: str) -> str:
    """Remarks of a snapshot that is pinned for the time of a copy."""
    mark = f"[metasnapshot pin {token}]"
    return f"{remarks} {mark}" if remarks else mark


def token_in(remarks: str | None) -> str | None:
    """The token in the remarks of a snapshot; None if it is not made for a copy."""
    found = list(_REMARK.finditer(remarks or ""))
    return found[-1]["token"] if found else None
