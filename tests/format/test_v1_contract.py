"""What damaged bytes of V1 files do: a typed error, whatever the damage, and no memory for what a
length claims."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import xxhash

import metasnapshot
from metasnapshot import Blob, HummockVersion, MetaSnapshot
from metasnapshot.errors import ChecksumMismatch, DamageError, RowError, Truncated, UnknownFormat
from metasnapshot.format.framing import FrameWriter
from metasnapshot.format.places import SectionPlace, raw_rows
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.v1 import Pair
from metasnapshot_models.v1 import V1_LAYOUTS

GROWTH_KIB_MAX = 64 * 1024
READING_KIB_MAX = 24 * 1024
SCRIPT = """
import sys
import metasnapshot

def peak():
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
    return int(line.split()[1])

def read(path):
    rows = {}
    with metasnapshot.open(path) as reader:
        for name in reader.section_names:
            if name != "hummock_version":
                rows[name] = sum(1 for _ in reader.rows(name))
        assert reader.hummock_version.id == 321
    return rows

read(sys.argv[2])  # loads what reads it: code and descriptors are no growth
before = peak()
rows = read(sys.argv[1])
print(rows["default_cf"], rows["view"], rows["table"], peak() - before)
"""


def resealed(body: bytes) -> bytes:
    """A body with a right checksum, so that what is inside gets looked at."""
    return body + struct.pack("<Q", xxhash.xxh64_intdigest(body))


def snapshot(layout: str, snapshot_id: int = 1) -> MetaSnapshot:
    """A row or two in every member of a layout. Id 1 of 0.1.15 looks like a format_version."""
    found = V1_LAYOUTS[layout]
    rows: dict[str, list[Any]] = {}
    for member in found.members:
        single = {"message": [Blob(b"\x08\x07")], "text": ["a cluster"]}
        rows[member.name] = single.get(member.form, [Blob(b"\x08\x01"), Blob(b"")])
    rows["default_cf"] = [Pair(b"key", b"\1\2\3"), Pair(b"", b"\xff")]
    rows["database"] = [Blob(b"\x08\x01\x12\x03dev")]
    rows["system_param"] = [Blob(b"")]
    rows = {name: rows[name] for name in rows if name in {member.name for member in found.members}}
    del rows["hummock_version"]
    version = HummockVersion("message", [b"\x08\xc1\x02"], found.eras[0])
    return MetaSnapshot(1, snapshot_id, layout, found.releases, rows, version)


@pytest.fixture(scope="module", params=list(V1_LAYOUTS))
def data(request: pytest.FixtureRequest) -> bytes:
    """A file of each layout, of some two hundred bytes."""
    return metasnapshot.dumps(snapshot(request.param))


def lists(data: bytes) -> Iterator[SectionPlace]:
    """The places of every list and message: the keys and the values of default_cf, then the
    others."""
    for place in SnapshotReader(BytesIO(data)).places:
        yield place
        if place.values is not None:
            yield place.values


def counts(data: bytes) -> Iterator[int]:
    """Offsets of every count."""
    return (place.start for place in lists(data) if place.frame == "messages")


def lengths(data: bytes) -> Iterator[int]:
    """Offsets of every message's length."""
    file = BytesIO(data)
    return (offset for place in lists(data) for offset, _ in raw_rows(file, place))


def row_offset(data: bytes, section: str, row: int = 0) -> int:
    """Where a row's bytes start."""
    return list(SnapshotReader(BytesIO(data)).raw_rows(section))[row][0] + 4


def test_cut_at_every_byte(data: bytes) -> None:
    """A file that lacks any number of its last bytes is damage: truncation or a checksum."""
    for size in range(len(data)):
        with pytest.raises((Truncated, ChecksumMismatch)):
            metasnapshot.loads(data[:size])


def test_a_cut_file_with_a_right_checksum_is_damage(data: bytes) -> None:
    """Members that are missing at the end are missed: only at an end of another layout, whose
    members are the same up to there, is the rest a file."""
    ends: dict[int, str] = {}
    for size in range(12, len(data) - 8):
        try:
            ends[size] = metasnapshot.loads(resealed(data[:size])).layout
        except (Truncated, RowError):
            continue
    expected = {}
    whole = metasnapshot.loads(data)
    if whole.layout in {"v1-1.8", "v1-2.0"}:
        shorter = [name for name in ("v1-0.19", "v1-1.8") if name < whole.layout]
        last = {"v1-0.19": "cluster_id", "v1-1.8": "subscription"}
        reader = SnapshotReader(BytesIO(data))
        expected = {reader.place(last[name]).end: name for name in shorter}
    assert expected == ends


def test_a_truncated_row_names_its_section(data: bytes) -> None:
    """Where the bytes ran out is told: section, row and offset."""
    offset = row_offset(data, "database")
    with pytest.raises(Truncated) as caught:
        metasnapshot.loads(resealed(data[: offset + 3]))
    error = caught.value
    assert (error.section, error.row, error.offset) == ("database", 0, offset)


def test_flip_any_bit(data: bytes) -> None:
    """A single flipped bit, wherever it is, is a checksum mismatch."""
    flipped = bytearray(data)
    for place in range(len(data)):
        for bit in range(8):
            flipped[place] ^= 1 << bit
            with pytest.raises(ChecksumMismatch):
                SnapshotReader(BytesIO(flipped))
            flipped[place] ^= 1 << bit


def test_flip_a_bit_under_a_right_checksum(data: bytes) -> None:
    """With the checksum made to fit, a flipped bit gives a typed error or a snapshot that encodes
    to itself; both happen."""
    body = bytearray(data[:-8])
    outcomes: set[str] = set()
    for place in range(len(body)):
        for bit in {place % 8, (place * 5 + 3) % 8}:
            body[place] ^= 1 << bit
            changed = resealed(bytes(body))
            try:
                assert changed == metasnapshot.dumps(metasnapshot.loads(changed))
                outcomes.add("itself")
            except (DamageError, UnknownFormat) as error:
                outcomes.add(type(error).__name__)
            body[place] ^= 1 << bit
    assert {"itself", "RowError", "Truncated"} <= outcomes


@pytest.mark.parametrize("offsets", [counts, lengths])
def test_claims_are_checked_before_memory_is_taken(
    data: bytes, offsets: Callable[[bytes], Iterator[int]]
) -> None:
    """Counts and lengths of 2^32-1 and just more than is left: truncation, at once and without
    memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for offset in offsets(data):
        for claim in (0xFFFFFFFF, 0x80000000, len(data) - 8 - offset - 3):
            body = data[:offset] + struct.pack("<I", claim) + data[offset + 4 : -8]
            with pytest.raises(Truncated, match="claimed"):
                metasnapshot.loads(resealed(body))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH_KIB_MAX


@pytest.mark.parametrize("section", ["version_stats", "database", "view"])
def test_bytes_that_change_between_two_readings_are_noticed(data: bytes, section: str) -> None:
    """A member is hashed whenever it is read; what was verified at opening is not trusted for
    ever."""
    file = BytesIO(data)
    reader = SnapshotReader(file)
    file.seek(row_offset(data, section) + 1)
    file.write(b"\2")
    with pytest.raises(ChecksumMismatch, match=f"section {section}, read a second time"):
        list(reader.rows(section))


def test_values_that_change_are_noticed(data: bytes) -> None:
    """The second list of default_cf is hashed as the first is."""
    file = BytesIO(data)
    reader = SnapshotReader(file)
    values = reader.place("default_cf").values
    assert values is not None
    file.seek(values.end - 1)
    file.write(b"\0")
    with pytest.raises(ChecksumMismatch, match="section default_cf, read a second time"):
        list(reader.rows("default_cf"))


class Changing(BytesIO):
    """A file of which a byte changes as soon as its end was read."""

    def __init__(self, data: bytes, place: int) -> None:
        super().__init__(data)
        self.place: int | None = place

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        if self.place is not None and self.tell() == len(self.getbuffer()):
            self.getbuffer()[self.place] ^= 1
            self.place = None
        return found


def test_bytes_that_change_while_it_is_opened_are_noticed(data: bytes) -> None:
    """Between the reading that verifies the checksum and the one that finds the members."""
    file = Changing(data, row_offset(data, "version_stats") + 1)
    with pytest.raises(ChecksumMismatch, match="the snapshot, read a second time"):
        SnapshotReader(file, len(data))
    assert file.place is None


def test_one_section_alone(data: bytes) -> None:
    """A member is read by name though a row of another is no message; rows of two members can be
    read in turns."""
    place = row_offset(data, "user_info")
    reader = SnapshotReader(BytesIO(resealed(data[:place] + b"\x0a\xff" + data[place + 2 : -8])))
    pairs, tables = reader.rows("default_cf"), reader.rows("table")
    assert Pair(b"key", b"\1\2\3") == next(pairs)
    assert next(tables).json == {"id": 1}
    assert Pair(b"", b"\xff") == next(pairs)
    assert next(tables).json == {}
    with pytest.raises(RowError, match="section user_info, row 0"):
        list(reader.rows("user_info"))


@pytest.mark.parametrize(
    ("section", "bad"),
    [
        ("default_cf", b"\x0a\x02\0\0\0"),
        ("default_cf", b"\x0a\0"),
        ("default_cf", b"\x12\x03\0\0\0"),
        ("database", b"\x12\x06\xff\xfe\0\0\0\0"),
        ("database", b"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
    ],
)
def test_what_is_no_message_is_a_row_error(data: bytes, section: str, bad: bytes) -> None:
    """A wrapper with bytes behind it or an empty value in it, bad UTF-8, a group without end."""
    (old, *_) = [row for _, row in SnapshotReader(BytesIO(data)).raw_rows(section)]
    place = row_offset(data, section)
    length = struct.pack("<I", len(bad))
    body = data[: place - 4] + length + bad + data[place + len(old) : -8]
    with pytest.raises(RowError, match=f"section {section}, row 0"):
        metasnapshot.loads(resealed(body))


def test_a_large_file_is_read_in_memory_that_does_not_grow_with_it(tmp_path: Path) -> None:
    """64 MiB of pairs and views and ten thousand tables: a row at a time."""
    path = tmp_path / "1.snapshot"
    large = b"\x0a\x80\x80\x40" + bytes(1 << 20)
    view = b"\x08\x01\x2a\x80\x80\x40" + b"x" * (1 << 20)
    with path.open("wb") as file:
        frames = FrameWriter(file)
        frames.header(1, 1)
        for rows in ([b"\x0a\1%c" % number for number in range(32)], [large] * 32):
            write_list(frames, rows)
        frames.message(b"\x08\xc1\x02")
        frames.message(b"")
        for rows in ([], [], [], [], [], [b"\x08\1"] * 10_000, [], [], [], [view] * 32, []):
            write_list(frames, rows)
        frames.message(b"")
        frames.finish()
    assert path.stat().st_size > 64 << 20
    small = tmp_path / "2.snapshot"
    small.write_bytes(metasnapshot.dumps(snapshot("v1-2.0")))
    command = [sys.executable, "-c", SCRIPT, str(path), str(small)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    pairs, views, tables, growth_kib = map(int, found.stdout.split())
    assert (pairs, views, tables) == (32, 32, 10_000)
    assert growth_kib < READING_KIB_MAX


def write_list(frames: FrameWriter, rows: list[bytes]) -> None:
    """A count and as many messages."""
    frames.count(len(rows))
    for row in rows:
        frames.message(row)
