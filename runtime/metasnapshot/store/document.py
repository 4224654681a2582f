"""Small documents in JSON: manifest, ledger, reservations and their like, read in one place.

Somebody else may have written what lies there, so its size is bounded before it is read, and its
text before its meaning: UTF-8, no deeper than RisingWave's own reader goes, no key twice. serde
refuses a key twice, others take the first or the last: a document that says two things says none.
"""

from __future__ import annotations

import codecs
import re
from typing import TypeVar

import msgspec

from metasnapshot.errors import DamageError
from metasnapshot.store.port import StoredObject
from metasnapshot.store.through import ReadableStore

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SIZE_MAX = 64 * KIB
"""Of a document that holds a few names and numbers."""
LEDGER_SIZE_MAX = 64 * MIB
"""Of one that grows with every snapshot."""
MANIFEST_SIZE_MAX = GIB
"""Of a manifest: it names every object of every snapshot."""
DEPTH_MAX = 127
"""Brackets within brackets; serde_json refuses what is deeper."""
CHUNK_SIZE = MIB

T = TypeVar("T")

_TOKEN = re.compile(
    rb"""
    (?P<string>"(?:[^"\\]|\\.)*+")(?P<colon>[ \t\r\n]*+:)?
    | (?P<flat>\[[-+.0-9eE, \t\r\n]*+\])
    | (?P<open>[{\[])
    | (?P<close>[}\]])
    | (?P<cut>")
    """,
    re.VERBOSE | re.DOTALL,
)
"""What decides about keys and depth; a list of numbers, which can be very long, is one token."""
FAILURES = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, TypeError)
"""What decoding raises for bytes that are no such document; two of them are no MsgspecError."""


def read_document(store: ReadableStore, path: str, size_max: int = SIZE_MAX) -> StoredObject:
    """Read a document that is no larger than it may be.

    Raises:
        ObjectMissing: there is none.
        DamageError: it is larger; no more of it than that was read.
    """
    return store.read(path, size_max)


def decode_document(path: str, data: bytes, decoder: msgspec.json.Decoder[T], hint: str = "") -> T:
    """What a document says.

    Args:
        path: where it lies, for the error.
        data: its bytes.
        decoder: of its type.
        hint: what to do about a damaged one.

    Raises:
        DamageError: it is damaged, or says two things.
    """
    try:
        check_text(data)
        return decoder.decode(data)
    except FAILURES as error:
        raise damage(path, error, hint) from error


def damage(path: str, error: Exception, hint: str = "") -> DamageError:
    """The error of a document that does not decode, with the place."""
    what = "too deeply nested" if isinstance(error, RecursionError) else str(error)
    return DamageError(f"{path} is damaged: {what}", hint=hint)


def check_text(data: bytes) -> None:
    """See to what decoders of JSON do not: UTF-8, depth, and keys that stand twice in an object.
    Whether it is JSON at all is theirs to say.

    Raises:
        ValueError: with the byte.
    """
    if not data.isascii():
        _check_utf8(data)
    keys: list[set[str] | None] = []
    for token in _TOKEN.finditer(data):
        kind = token.lastgroup
        if kind == "open":
            keys.append(set() if token[0] == b"{" else None)
            if len(keys) > DEPTH_MAX:
                raise ValueError(f"more than {DEPTH_MAX} brackets deep (byte {token.start()})")
        elif kind == "close":
            if keys:
                keys.pop()
        elif kind == "colon" and keys and (known := keys[-1]) is not None:
            key = _plain(token["string"])
            if key in known:
                raise ValueError(f"key {key!r:.60} stands twice (byte {token.start()})")
            known.add(key)
        elif kind == "cut":
            raise ValueError(f"a text without an end (byte {token.start()})")


def _plain(key: bytes) -> str:
    """A key without its escapes: it may be spelled in more than one way."""
    if b"\\" not in key:
        return key[1:-1].decode()
    import json  # noqa: PLC0415 - nearly never

    return str(json.loads(key))


def _check_utf8(data: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), CHUNK_SIZE):
        end = start + CHUNK_SIZE
        try:
            decoder.decode(data[start:end], final=end >= len(data))
        except UnicodeDecodeError as error:
            held = len(error.object) - len(data[start:end])
            raise ValueError(f"no UTF-8 (byte {start - held + error.start})") from error
