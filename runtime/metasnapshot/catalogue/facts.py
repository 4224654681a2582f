"""What is known of a snapshot beyond its manifest entry: of which cluster it is, and when it was
taken.

`{directory}/metasnapshot.facts.json` lies beside the ledger, whose form 0.1.0 fixed; that release
names it as foreign and leaves it alone. A row belongs to the bytes of one snapshot, by size and
XXH64, so that another snapshot of the same id inherits nothing. Keys that a later release adds stay
when this one writes. Without the file no snapshot is less of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import msgspec

from metasnapshot.catalogue.ids import parse_id
from metasnapshot.errors import DamageError, ObjectMissing, UnknownFormat
from metasnapshot.format.checksum import read_checksum
from metasnapshot.format.layout import CLUSTERS_SECTION
from metasnapshot.store.document import (
    LEDGER_SIZE_MAX,
    damage,
    decode_document,
    read_document,
)
from metasnapshot.store.port import Store, join
from metasnapshot.store.swap import change_object

if TYPE_CHECKING:
    from metasnapshot.format.reader import SnapshotReader

FACTS_NAME = "metasnapshot.facts.json"
FORMAT = 1
CLOCK, FILE, EPOCH = "clock", "file", "epoch"
HINT = "move it away: no snapshot needs it, and what it says is then taken from the snapshots"
V1_CLUSTER_MEMBER = "cluster_id"

Time = Annotated[datetime, msgspec.Meta(tz=True)]


class DrillNote(msgspec.Struct, frozen=True):
    """The last rehearsal of a restore.

    Attributes:
        at: when it ended (UTC, ISO 8601).
        seconds: how long it took.
        ok: whether every row came back.
        rows: that were compared.
        engine: of the scratch database: sqlite, postgresql or mysql.
        error: what ended it, by its kind, such as ChecksumMismatch; None if it ran to its end.
    """

    at: str
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    ok: bool
    rows: Annotated[int, msgspec.Meta(ge=0)]
    engine: str = ""
    error: str | None = None


class Facts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was recorded of a snapshot.

    Attributes:
        checksum: XXH64 of its file, 16 digits.
        size: bytes of its file.
        cluster_id: the cluster that it is of; before 0.19 clusters had none.
        layout: the layout of its file.
        releases: the releases that may have written it.
        taken: when its rows were read from the meta store; None where nobody knows.
        taken_by: what says so: the clock of the host that took it, or the time of its file.
        drill: when a restore of it was rehearsed last, and what came of it.
        kept_as_base: the ledger has it among the kept ones for its deltas, not for the operator.
    """

    checksum: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
    size: Annotated[int, msgspec.Meta(ge=0)]
    cluster_id: str | None = None
    layout: str = ""
    releases: tuple[str, ...] = ()
    taken: Time | None = None
    taken_by: Literal["clock", "file"] = CLOCK
    drill: DrillNote | None = None
    kept_as_base: bool = False


class _Document(msgspec.Struct):
    """The file: its format, rows by snapshot id, and what a later release may have added."""

    format: int = FORMAT
    snapshots: dict[str, msgspec.Raw] = {}


_decoder = msgspec.json.Decoder(_Document)
_raw_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_row_decoder = msgspec.json.Decoder(Facts)


def facts_in(reader: SnapshotReader, taken: datetime | None = None, by: str = CLOCK) -> Facts:
    """What an open snapshot says of itself, and when it was taken, where that is known."""
    return Facts(
        checksum=f"{reader.checksum:016x}",
        size=reader.size,
        cluster_id=cluster_in(reader),
        layout=reader.layout,
        releases=reader.releases,
        taken=taken,
        taken_by=FILE if by == FILE else CLOCK,
    )


def cluster_in(reader: SnapshotReader) -> str | None:
    """The cluster that an open snapshot is of; None if it does not say."""
    if reader.is_v1:
        found = [str(text) for text in reader.rows(V1_CLUSTER_MEMBER) if text]
    else:
        found = [str(row.cluster_id) for row in reader.rows(CLUSTERS_SECTION)]
    return min(found, default=None)


def read_facts(store: Store, directory: str) -> dict[int, Facts]:
    """What is recorded in a directory, by snapshot id; it may be of other snapshots of these ids.

    Raises:
        DamageError: the file is not in our format.
        UnknownFormat: a later release wrote it.
    """
    path = join(directory, FACTS_NAME)
    try:
        data = read_document(store, path, LEDGER_SIZE_MAX).data
    except ObjectMissing:
        return {}
    rows = _parse(path, data)[1]
    return {number: _facts(path, number, raw) for number, raw in rows.items()}


def record_facts(store: Store, directory: str, snapshot_id: int, facts: Facts) -> None:
    """Record what is known of a snapshot, in the place of what was recorded of that id.

    Raises:
        DamageError, UnknownFormat: the file is not in our format; it stays as it is.
    """
    _change(store, directory, {snapshot_id: facts})


def drop_facts(store: Store, directory: str, ids: Iterable[int]) -> None:
    """Drop what is recorded of snapshots that were deleted."""
    gone = set(ids)
    if not gone.isdisjoint(read_facts(store, directory)):
        _change(store, directory, dict.fromkeys(gone))


def is_of(facts: Facts, file: BinaryIO, size: int) -> bool:
    """Whether facts are those of an open snapshot file of this size, by the checksum in it."""
    return size == facts.size and read_checksum(file, size) == facts.checksum


def _change(store: Store, directory: str, changes: dict[int, Facts | None]) -> None:
    path = join(directory, FACTS_NAME)

    def apply(data: bytes | None) -> bytes:
        fields, rows = _parse(path, data or b"{}")
        for number, facts in changes.items():
            rows.pop(number, None)
            if facts is not None:
                rows[number] = msgspec.Raw(msgspec.json.encode(facts))
        snapshots = {str(number): rows[number] for number in sorted(rows)}
        fields = {"format": FORMAT, **fields, "snapshots": snapshots}
        return msgspec.json.encode(fields)

    change_object(store, path, apply, LEDGER_SIZE_MAX)


def _parse(path: str, data: bytes) -> tuple[dict[str, msgspec.Raw], dict[int, msgspec.Raw]]:
    """All fields but the rows, and the rows."""
    document = decode_document(path, data, _decoder, HINT)
    if document.format != FORMAT:
        raise UnknownFormat(
            f"{path} has format {document.format}, this release knows {FORMAT}",
            hint="a later release of metasnapshot wrote it",
        )
    fields = _raw_decoder.decode(data)
    fields.pop("snapshots", None)
    rows: dict[int, msgspec.Raw] = {}
    for key, raw in document.snapshots.items():
        number = parse_id(key)
        if number is None:
            raise DamageError(f"{path} is damaged: {key!r:.60} is no snapshot id", hint=HINT)
        rows[number] = raw
    return fields, rows


def _facts(path: str, snapshot_id: int, raw: msgspec.Raw) -> Facts:
    try:
        return _row_decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise damage(f"{path}, snapshot {snapshot_id},", error, HINT) from error
