"""manifest.json: what it says, and how it is written back without losing anything.

Dialects: 0.1.15 to 2.0 have max_committed_epoch and safe_epoch; format_version came in 1.4, remarks
in 1.6, state_table_info and rw_version in 1.10. state_table_info has camelCase names and text
numbers in 1.10 to 2.0, snake_case and numbers since. Upstream >= 2.1 reads the old names as zeros
and writes the zeros back; here an entry that nobody changes keeps its bytes, unknown fields
included. Source: src/storage/backup/src/lib.rs of each release.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import msgspec

from metasnapshot.errors import ConflictError, DamageError

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
        raw: the entry's bytes in the manifest.
    """

    id: int
    hummock_version_id: int
    format_version: int
    remarks: str | None
    state_table_info: dict[int, StateTableInfo] = field(repr=False)
    rw_version: str | None
    max_committed_epoch: int | None
    safe_epoch: int | None
    raw: bytes = field(repr=False, compare=False)

    @property
    def object_count(self) -> int:
        """How many objects it needs; up to 0.1.17 an id may stand there more than once."""
        return len(set(self.ssts)) if self.format_version < 2 else len(self.ssts)  # noqa: PLR2004

    @property
    def ssts(self) -> tuple[int, ...]:
        """Ids of all objects that it needs, decoded whenever they are asked for: as numbers of
        Python those of a large manifest take many times its size.
        """
        return _ids_decoder.decode(self.raw).ssts


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

    def with_entry(self, entry: ManifestEntry) -> Manifest:
        """The manifest after a snapshot was added; this one if it has that very entry already.

        Raises:
            ConflictError: it has another snapshot of that id.
        """
        for known in self.entries:
            if known.id == entry.id:
                if known.raw != entry.raw:
                    raise ConflictError(f"the manifest has another snapshot {entry.id}")
                return self
        return replace(self, manifest_id=self.manifest_id + 1, entries=(*self.entries, entry))

    def without(self, ids: set[int]) -> Manifest:
        """The manifest after snapshots were deleted; its id grows even if there are none of them,
        as upstream's does.
        """
        kept = tuple(entry for entry in self.entries if entry.id not in ids)
        return replace(self, manifest_id=self.manifest_id + 1, entries=kept)


SequenceId = Annotated[int, msgspec.Meta(ge=0, lt=(1 << 63) - 1)]
"""Ids, of objects too, come from a sequence that is an i64."""


class _Entry(msgspec.Struct):
    """An entry as JSON, all dialects at once."""

    id: SequenceId
    hummock_version_id: int
    ssts: list[SequenceId]
    format_version: int = 0
    remarks: str | None = None
    state_table_info: dict[int, dict[str, Any]] = {}
    rw_version: str | None = None
    max_committed_epoch: int | None = None
    safe_epoch: int | None = None


class _Ids(msgspec.Struct):
    """The ids of an entry's objects, and nothing else of it."""

    ssts: tuple[int, ...]


_HEAD = re.compile(rb'\s*{\s*"manifest_id"\s*:\s*(\d{1,18})\s*[,}]')
_FAILURES = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, TypeError)
_raw_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_entries_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_entry_decoder = msgspec.json.Decoder(_Entry)
_ids_decoder = msgspec.json.Decoder(_Ids)
_id_decoder = msgspec.json.Decoder(int)


def claimed_id(data: bytes) -> int:
    """The manifest_id that a manifest begins with, however damaged the rest of it is; 0 if none."""
    found = _HEAD.match(data)
    return int(found[1]) if found else 0


def parse(data: bytes) -> Manifest:
    """Read manifest.json of any release.

    Raises:
        DamageError: it is not a manifest.
    """
    try:
        fields = _raw_decoder.decode(data)
        manifest_id = _id_decoder.decode(fields.pop("manifest_id"))
        raws = _entries_decoder.decode(fields.pop("snapshot_metadata"))
        entries = tuple(_parse_entry(bytes(raw)) for raw in raws)
    except KeyError as error:
        raise DamageError(f"{MANIFEST_NAME} is damaged: missing field {error}") from error
    except _FAILURES as error:
        raise DamageError(f"{MANIFEST_NAME} is damaged: {error}") from error
    extra = tuple((name, bytes(raw)) for name, raw in fields.items())
    return Manifest(manifest_id, entries, extra)


def render(manifest: Manifest) -> bytes:
    """The bytes of manifest.json, compact, with each entry as it was read."""
    entries = b",".join(entry.raw for entry in manifest.entries)
    extra = b"".join(b",%b:%b" % (msgspec.json.encode(name), raw) for name, raw in manifest.extra)
    return b'{"manifest_id":%d,"snapshot_metadata":[%b]%b}' % (manifest.manifest_id, entries, extra)


def _parse_entry(raw: bytes) -> ManifestEntry:
    entry = _entry_decoder.decode(raw)
    return ManifestEntry(
        id=entry.id,
        hummock_version_id=entry.hummock_version_id,
        format_version=entry.format_version,
        remarks=entry.remarks,
        state_table_info={
            table_id: _parse_info(info) for table_id, info in entry.state_table_info.items()
        },
        rw_version=entry.rw_version,
        max_committed_epoch=entry.max_committed_epoch,
        safe_epoch=entry.safe_epoch,
        raw=raw,
    )


def _parse_info(info: dict[str, Any]) -> StateTableInfo:
    """Both spellings; pbjson leaves zeros out and writes 64-bit numbers as text."""
    safe = info.get("safe_epoch", info.get("safeEpoch"))
    return StateTableInfo(
        int(info.get("committed_epoch", info.get("committedEpoch", 0))),
        int(info.get("compaction_group_id", info.get("compactionGroupId", 0))),
        None if safe is None else int(safe),
    )
