"""A long manifest as any release since 2.1 writes it, read as a whole: nearly all of it are the ids
of objects, which are looked at where they stand and cut out before the rest is decoded.

The answer is that every entry is plainly right, or none: whatever is unusual (spaces, a field of
another release or twice, a number that is long) is for manifest.parse to judge, which also says
what is wrong with which. Entries keep no copy of their text: they point into the manifest's.
"""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from metasnapshot.catalogue.ids import ID_MAX
from metasnapshot.catalogue.manifest import U32_MAX, Id, Manifest, ManifestEntry, StateTableInfo

IDS_KEY = b'"ssts":['
PIECE = 1 << 17
"""Bytes of a list that are looked at together."""
TABLES_KEY = b'"state_table_info":'
_POINTED = re.compile(rb":[ \t\r\n]*+-?[0-9]++[.eE]")
"""A number that some decoders take for an integer."""
_COMMA, _ZERO = ord(","), ord("0")
_FOUR_DIGITS = 0x01010101
"""Of flags, one for each of four bytes."""

U32 = Annotated[int, msgspec.Meta(ge=0, le=U32_MAX)]
U63 = Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]


class _Info(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    committed_epoch: U63
    compaction_group_id: U63


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    id: Id
    hummock_version_id: U63
    ssts: msgspec.Raw
    format_version: U32
    remarks: str | None
    state_table_info: msgspec.Raw
    rw_version: str | None


class _Manifest(msgspec.Struct, forbid_unknown_fields=True):
    manifest_id: U63
    snapshot_metadata: list[msgspec.Raw]


class _Ids(NamedTuple):
    """Where the ids of an entry stand, without their brackets, and how many they are."""

    start: int
    end: int
    number: int


_manifest_decoder = msgspec.json.Decoder(_Manifest)
_entry_decoder = msgspec.json.Decoder(_Entry)
_infos_decoder = msgspec.json.Decoder(dict[U32, _Info])


class Tables(Mapping[int, StateTableInfo]):
    """What an entry says of its state tables, decoded whenever it is asked for."""

    def __init__(self, text: memoryview) -> None:
        self._text = text

    def __getitem__(self, table_id: int) -> StateTableInfo:
        return self._decoded()[table_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    def __eq__(self, other: object) -> bool:
        return self._decoded() == other

    __hash__ = None

    def items(self) -> ItemsView[int, StateTableInfo]:
        """As of a dict."""
        return self._decoded().items()

    def values(self) -> ValuesView[StateTableInfo]:
        """As of a dict."""
        return self._decoded().values()

    def _decoded(self) -> dict[int, StateTableInfo]:
        infos = _infos_decoder.decode(self._text)
        return {
            table_id: StateTableInfo(info.committed_epoch, info.compaction_group_id)
            for table_id, info in infos.items()
        }


def parse_long(data: bytes) -> Manifest | None:
    """Read a manifest whose every entry is plainly right; None if one may not be."""
    found = list(_all_ids(data, _Counter()))
    if not found or None in found:
        return None
    lists = [ids for ids in found if ids is not None]
    rest = _without(data, lists)
    try:
        if not rest.isascii():
            rest.decode()
        return _parse(data, rest, lists)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _all_ids(data: bytes, counter: _Counter) -> Iterator[_Ids | None]:
    """Every list of ids; None for one that is not plainly such."""
    at = data.find(IDS_KEY)
    while at >= 0:
        start = at + len(IDS_KEY)
        end = data.find(b"]", start)
        count = -1 if end < 0 else counter.count(data, start, end)
        if count < 0:
            yield None
            return
        yield _Ids(start, end, count)
        at = data.find(IDS_KEY, end)


class _Counter:
    """Counts ids, in memory that it keeps: to take some anew for each piece costs as much as to
    look at the piece.
    """

    def __init__(self) -> None:
        self._numbers = np.empty(PIECE, np.uint8)
        self._digits, self._others = np.empty(PIECE, np.bool_), np.empty(PIECE, np.bool_)
        self._fours, self._more = (np.empty(PIECE // 4, np.bool_) for _ in range(2))

    def count(self, data: bytes, start: int, end: int) -> int:
        """How many ids a list has, some at a time; -1 unless all of them plainly are ids."""
        if start == end:
            return 0
        count = 0
        while start < end:
            cut = end if end - start <= PIECE else data.rfind(b",", start, start + PIECE)
            if cut <= start:
                return -1
            found = self._count(np.frombuffer(data, np.uint8, cut - start, start))
            if found < 0:
                return -1
            count += found
            start = cut + 1
        return count if start == end + 1 else -1  # no comma was last

    def _count(self, text: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> int:
        """The same of a piece, all at once: digits, not too many and not beginning with a zero,
        with one comma between two.
        """
        size = len(text)
        number, digit, other = self._numbers[:size], self._digits[:size], self._others[:size]
        np.subtract(text, _ZERO, out=number)
        np.less(number, 10, out=digit)
        np.equal(text, _COMMA, out=other)
        commas = int(np.count_nonzero(other))
        if commas + int(np.count_nonzero(digit)) != size:
            return -1
        np.subtract(number, 1, out=number)
        np.less(number, 9, out=other)  # what a number may begin with
        np.logical_or(other[1:], digit[:-1], out=other[1:])  # or it stands behind a digit
        if not (digit[-1] and other.all()):
            return -1
        return -1 if self._has_long(digit) else commas + 1

    def _has_long(self, digit: np.ndarray[tuple[int], np.dtype[np.bool]]) -> bool:
        """Whether 19 digits follow each other. Four whole words of four bytes lie in any that do,
        and seldom in others.
        """
        words = len(digit) // 4
        four, more = self._fours[:words], self._more[:words]
        np.equal(digit[: 4 * words].view(np.uint32), _FOUR_DIGITS, out=four)
        np.logical_and(four[1:], four[:-1], out=more[1:])
        if not np.logical_and(more[3:], more[1:-2], out=four[3:]).any():
            return False
        long = digit  # a run of 1, 2, 4, 8, 16, 18, 19 digits begins here
        for step in (1, 2, 4, 8, 2, 1):
            long = long[step:] & long[:-step]
        return bool(long.any())


def _next(data: bytes, text: bytes, at: int) -> int:
    """Where a text stands next, which mostly is right there; to search takes longer."""
    return at if data.startswith(text, at) else data.index(text, at - 1)


def _without(data: bytes, lists: list[_Ids]) -> bytes:
    """The manifest with the number of each list in its place."""
    parts: list[bytes] = []
    position = 0
    for number, ids in enumerate(lists):
        parts += (data[position : ids.start], b"%d" % number)
        position = ids.end
    parts.append(data[position:])
    return b"".join(parts)


def _parse(data: bytes, rest: bytes, lists: list[_Ids]) -> Manifest | None:
    manifest = _manifest_decoder.decode(rest)
    raws = manifest.snapshot_metadata
    if len(raws) != len(lists) or _POINTED.search(rest):
        return None
    view = memoryview(data)
    entries: dict[int, ManifestEntry] = {}
    keys = 2
    position = cut = 0
    for number, (raw, ids) in enumerate(zip(raws, lists, strict=True)):
        text = bytes(raw)
        entry = _entry_decoder.decode(text)
        mark = b"[%d]" % number
        infos = bytes(entry.state_table_info)
        tables = _infos_decoder.decode(infos)
        keys += len(_Entry.__struct_fields__) + 3 * len(tables)
        position = _next(rest, text, position + 1)
        start = position + cut
        cut += ids.end - ids.start - (len(mark) - 2)
        position += len(text)
        if bytes(entry.ssts) != mark or not start < ids.start <= ids.end < position + cut:
            return None
        at = data.find(TABLES_KEY, ids.end, position + cut) + len(TABLES_KEY)
        if not data.startswith(infos, at):
            at = data.rindex(infos, start, position + cut)
        entries[entry.id] = ManifestEntry(
            id=entry.id,
            hummock_version_id=entry.hummock_version_id,
            format_version=entry.format_version,
            remarks=entry.remarks,
            state_table_info=Tables(view[at : at + len(infos)]),
            rw_version=entry.rw_version,
            max_committed_epoch=None,
            safe_epoch=None,
            text=view[start : position + cut],
            id_count=ids.number,
        )
    # A key that stands twice is one of these, and not among what was decoded.
    if len(entries) != len(lists) or rest.count(b'":') != keys:
        return None
    return Manifest(manifest.manifest_id, tuple(entries.values()))


__all__ = ["Tables", "parse_long"]
