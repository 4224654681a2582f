"""manifest.json: what it says, and how it is written back without losing anything.

Dialects: 0.1.15 to 2.0 have max_committed_epoch and safe_epoch; format_version came in 1.4, remarks
in 1.6, state_table_info and rw_version in 1.10. state_table_info has camelCase names and text
numbers in 1.10 to 2.0, snake_case and numbers since. Upstream >= 2.1 reads the old names as zeros
and writes the zeros back; here an entry that nobody changes keeps its bytes, unknown fields
included. Source: src/storage/backup/src/lib.rs of each release.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import msgspec

from metasnapshot.catalogue.ids import ID_MAX
from metasnapshot.errors import ConflictError, DamageError
from metasnapshot.format.framing import V2
from metasnapshot.format.scalars import U64_MAX
from metasnapshot.store.document import FAILURES, check_text, damage

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class StateTableInfo:
    """What a manifest says of a state table when a snapshot was taken; epochs as RisingWave's."""

    committed_epoch: int
    compaction_group_id: int
    safe_epoch: int | None = None


@dataclass(frozen=True)
class ManifestEntry:
    """One snapshot in a manifest.

    Attributes:
        id: the snapshot's id.
        hummock_version_id: id of the Hummock version in it.
        format_version: 1 or 2; 0 where a release before 1.4 wrote none, which means V1.
        remarks: a note, or None.
        state_table_info: by table id; empty before 1.10.
        rw_version: version of the meta node that wrote it, or None.
        max_committed_epoch: up to 2.0.
        safe_epoch: up to 2.0.
        text: the entry's bytes, or where they stand in the manifest's.
        id_count: how many ids stand there, if that was counted.
    """

    id: int
    hummock_version_id: int
    format_version: int
    remarks: str | None
    state_table_info: Mapping[int, StateTableInfo] = field(repr=False)
    rw_version: str | None
    max_committed_epoch: int | None
    safe_epoch: int | None
    text: bytes | memoryview = field(repr=False, compare=False)
    id_count: int | None = field(default=None, repr=False, compare=False)

    @property
    def raw(self) -> bytes:
        """The entry's bytes in the manifest."""
        return bytes(self.text)

    @property
    def newest_epoch(self) -> int:
        """The largest epoch that it names; 0 for none, as of a cluster without tables."""
        epochs = [info.committed_epoch for info in self.state_table_info.values()]
        return max([*epochs, self.max_committed_epoch or 0])

    @property
    def object_count(self) -> int:
        """How many objects it needs; up to 0.1.17 an id may stand there more than once."""
        if self.id_count is not None and self.format_version >= V2:
            return self.id_count
        text = self._ids_text
        if not text.strip():
            return 0
        if self.format_version < V2:
            import numpy as np  # noqa: PLC0415 - takes longer to load than most lists to be said

            return int(np.unique(self.id_array).size)
        return text.count(b",") + 1

    @property
    def id_array(self) -> Any:
        """The same ids as an array of i64, in their order there."""
        import numpy as np  # noqa: PLC0415 - see object_count

        text = self._ids_text
        return np.fromstring(text if text.strip() else b"", dtype=np.int64, sep=",")

    @property
    def _ids_text(self) -> bytes:
        return bytes(_text_decoder.decode(self.text).ssts)[1:-1]

    @property
    def ssts(self) -> tuple[int, ...]:
        """Ids of all objects that it needs, decoded whenever they are asked for: as numbers of
        Python those of a large manifest take many times its size.
        """
        return _ids_decoder.decode(self.text).ssts


@dataclass(frozen=True)
class Manifest:
    """A manifest: its id, which grows by one with every change, and its entries, oldest first."""

    manifest_id: int = 0
    entries: tuple[ManifestEntry, ...] = ()
    extra: tuple[tuple[str, bytes], ...] = ()
    """Unknown fields and their raw JSON."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of its snapshots, in its order."""
        return tuple(entry.id for entry in self.entries)

    @property
    def next_id(self) -> int:
        """The id after a change.

        Raises:
            DamageError: this one's is the largest that there is.
        """
        if self.manifest_id >= U64_MAX:
            raise DamageError(
                f"{MANIFEST_NAME} cannot change any more: manifest_id {self.manifest_id} is the "
                "largest that there is",
                hint="no cluster reaches such ids: repair it by hand, with the meta node stopped",
            )
        return self.manifest_id + 1

    def with_entry(self, entry: ManifestEntry) -> Manifest:
        """The manifest after a snapshot was added; this one if it has that very entry already.

        Raises:
            ConflictError: it has another snapshot of that id.
        """
        for known in self.entries:
            if known.id == entry.id:
                if known.text != entry.text:
                    raise ConflictError(f"the manifest has another snapshot {entry.id}")
                return self
        return replace(self, manifest_id=self.next_id, entries=(*self.entries, entry))

    def without(self, ids: set[int]) -> Manifest:
        """The manifest after snapshots were deleted; its id grows even if there are none of them,
        as upstream's does.
        """
        kept = tuple(entry for entry in self.entries if entry.id not in ids)
        return replace(self, manifest_id=self.next_id, entries=kept)


Id = Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]
"""Ids, of objects too, come from a sequence that is an i64."""
U32_MAX = (1 << 32) - 1
LONG = 1 << 22
"""Bytes of a manifest from which on numpy, which takes a while to load, reads it faster."""


class _Entry(msgspec.Struct):
    """An entry as JSON, all dialects at once. The ids of its objects stay text: as numbers of
    Python they would take many times its size.
    """

    id: Id
    hummock_version_id: int
    ssts: msgspec.Raw
    format_version: int = 0
    remarks: str | None = None
    state_table_info: dict[int, dict[str, Any]] = {}
    rw_version: str | None = None
    max_committed_epoch: int | None = None
    safe_epoch: int | None = None


class _Text(msgspec.Struct):
    """The ids of an entry's objects as text, and nothing else of it."""

    ssts: msgspec.Raw


class _Ids(msgspec.Struct):
    """The same as numbers."""

    ssts: tuple[int, ...]


_HEAD = re.compile(rb'\s*{\s*"manifest_id"\s*:\s*([0-9]{1,20})\s*[,}]')
_SHORT_IDS = re.compile(rb"[, \t\r\n]*+(?:[0-9]{1,18}+(?:[, \t\r\n]++|\Z))*+")
"""Numbers that are ids at a glance, however many: each is looked at once."""
_NO_ID = re.compile(rb"[^0-9, \t\r\n]")
_LONG_ID = re.compile(rb"[0-9]{19,}")
_raw_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_entries_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_entry_decoder = msgspec.json.Decoder(_Entry)
_text_decoder = msgspec.json.Decoder(_Text)
_ids_decoder = msgspec.json.Decoder(_Ids)
_id_decoder = msgspec.json.Decoder(int)


def claimed_id(data: bytes) -> int:
    """The manifest_id that a manifest begins with, however damaged the rest of it is; 0 if none."""
    found = _HEAD.match(data)
    number = int(found[1]) if found else 0
    return number if number < U64_MAX else 0


def parse(data: bytes, path: str = MANIFEST_NAME) -> Manifest:
    """Read manifest.json of any release.

    Raises:
        DamageError: it is not a manifest, or says two things.
    """
    if len(data) >= LONG:
        from metasnapshot.catalogue.long_manifest import parse_long  # noqa: PLC0415 - loads numpy

        if found := parse_long(data):
            return found
    try:
        check_text(data)
        fields = _raw_decoder.decode(data)
        manifest_id = _within("manifest_id", _id_decoder.decode(fields.pop("manifest_id")))
        raws = _entries_decoder.decode(fields.pop("snapshot_metadata"))
    except KeyError as error:
        raise damage(path, ValueError(f"missing field {error}")) from error
    except FAILURES as error:
        raise damage(path, error) from error
    entries: dict[int, ManifestEntry] = {}
    for number, raw in enumerate(raws):
        try:
            entry = parse_entry(bytes(raw))
            if entry.id in entries:
                raise ValueError(f"snapshot {entry.id} stands twice")
        except FAILURES as error:
            raise damage(path, ValueError(f"entry {number}: {error}")) from error
        entries[entry.id] = entry
    extra = tuple((name, bytes(raw)) for name, raw in fields.items())
    return Manifest(manifest_id, tuple(entries.values()), extra)


def render(manifest: Manifest) -> bytes:
    """The bytes of manifest.json, compact, with each entry as it was read."""
    entries = b",".join(entry.text for entry in manifest.entries)
    extra = b"".join(b",%b:%b" % (msgspec.json.encode(name), raw) for name, raw in manifest.extra)
    return b'{"manifest_id":%d,"snapshot_metadata":[%b]%b}' % (manifest.manifest_id, entries, extra)


def parse_entry(raw: bytes) -> ManifestEntry:
    """Read one entry; raises FAILURES."""
    entry = _entry_decoder.decode(raw)
    _check_ids(memoryview(entry.ssts))
    for name in ("max_committed_epoch", "safe_epoch"):
        _within(name, getattr(entry, name) or 0)
    return ManifestEntry(
        id=entry.id,
        hummock_version_id=_within("hummock_version_id", entry.hummock_version_id),
        format_version=_within("format_version", entry.format_version, U32_MAX),
        remarks=entry.remarks,
        state_table_info={
            _within("state_table_info", table_id, U32_MAX): _parse_info(info)
            for table_id, info in entry.state_table_info.items()
        },
        rw_version=entry.rw_version,
        max_committed_epoch=entry.max_committed_epoch,
        safe_epoch=entry.safe_epoch,
        text=raw,
    )


def _check_ids(text: memoryview) -> None:
    """A list of numbers, each an id; that it is JSON the decoder has seen."""
    if bytes(text[:1]) != b"[":
        raise ValueError("ssts: no list")
    if _SHORT_IDS.fullmatch(text[1:-1]):
        return
    # One of them is long, or no number: which one, and whether that is wrong, is said here.
    if wrong := _NO_ID.search(text[1:-1]):
        raise ValueError(f"ssts: {wrong[0]!r} in an id (byte {wrong.start() + 1} of them)")
    for found in _LONG_ID.finditer(text):
        _within("ssts", int(found[0]) if len(found[0]) <= len(str(ID_MAX)) else ID_MAX + 1, ID_MAX)


def _within(name: str, number: int, largest: int = U64_MAX) -> int:
    if not 0 <= number <= largest:
        raise ValueError(f"{name}: {number} is not within 0 and {largest}")
    return number


def _parse_info(info: dict[str, Any]) -> StateTableInfo:
    """Both spellings; pbjson leaves zeros out and writes 64-bit numbers as text."""
    safe = info.get("safe_epoch", info.get("safeEpoch"))
    return StateTableInfo(
        _number("committed_epoch", info.get("committed_epoch", info.get("committedEpoch", 0))),
        _number(
            "compaction_group_id", info.get("compaction_group_id", info.get("compactionGroupId", 0))
        ),
        None if safe is None else _number("safe_epoch", safe),
    )


def _number(name: str, value: Any) -> int:
    """A number, or one as text."""
    if isinstance(value, str):
        if re.fullmatch(r"[0-9]{1,20}", value) is None:
            raise ValueError(f"{name}: {value!r:.60} is not a number")
        value = int(value)
    if type(value) is not int:
        raise TypeError(f"{name}: {value!r:.60} is not a number")
    return _within(name, value)
