"""V1 files made up from the registry: whatever they hold, they come back byte for byte, in the
layout that they were written in, and are read by an era that knows what they hold."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import goldens
import pytest
import xxhash
from exhaustive import WHOLE
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st

import metasnapshot
from metasnapshot import Blob, HummockVersion, MetaSnapshot
from metasnapshot.errors import DamageError, UnknownFormat
from metasnapshot.format import messages
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.v1 import Pair, era_of_release
from metasnapshot_models.definitions import MessageField
from metasnapshot_models.messages import ENUMS, MESSAGES, STATES
from metasnapshot_models.v1 import V1_LAYOUTS, V1Layout

HUMMOCK_VERSION = "hummock_version"
UNKNOWN = bytes.fromhex("d2e309 02 787a  d8e309 07")
"""Fields 20026 and 20027, which no message ever had."""
DEPTH_MAX = 4
IDS = [0, 1, 2, 3, 123, 1 << 32, (1 << 32) + 1, (1 << 32) + 2, 1 << 63, (1 << 64) - 1]
ERAS = [(layout.name, era) for layout in V1_LAYOUTS.values() for era in layout.eras]
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1),
    FieldDescriptor.CPPTYPE_ENUM: (0, 40),
}


def scalar(field: Any, source: random.Random) -> Any:
    """A value of a field that is no message."""
    kind = field.cpp_type
    if kind in _INTEGERS:
        low, high = _INTEGERS[kind]
        return source.choice([0, 1, 2, low, high, source.randint(low, high)])
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return source.random() < 0.5
    if kind in {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}:
        return float(source.randint(-9, 9))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return source.randbytes(source.randint(0, 5))
    return "".join(source.choices("aZ_0 \0\u00e9\u6d6a\U0001f30a", k=source.randint(0, 5)))


def fill(message: Any, source: random.Random, depth: int = 0) -> Any:
    """Set some fields of a message, of every kind and at several depths."""
    for field in message.DESCRIPTOR.fields:
        nested = field.message_type
        if source.random() > (0.7, 0.5, 0.25, 0.1, 0.05)[depth] or (nested and depth == DEPTH_MAX):
            continue
        target = getattr(message, field.name)
        if nested and nested.GetOptions().map_entry:
            key, value = nested.fields_by_name["key"], nested.fields_by_name["value"]
            for _ in range(source.randint(1, 2)):
                if value.message_type:
                    fill(target[scalar(key, source)], source, depth + 1)
                else:
                    target[scalar(key, source)] = scalar(value, source)
        elif field.is_repeated and nested:
            for _ in range(source.randint(1, 2)):
                fill(target.add(), source, depth + 1)
        elif field.is_repeated:
            target.extend(scalar(field, source) for _ in range(source.randint(1, 2)))
        elif nested:
            target.SetInParent()
            fill(target, source, depth + 1)
        else:
            setattr(message, field.name, scalar(field, source))
    return message


def made_up(name: str, era: str, source: random.Random) -> bytes:
    """A message as a release of an era writes it; now and then an empty one."""
    message = messages.message_class(name, era)()
    if source.random() < 0.8:
        fill(message, source)
    data: bytes = message.SerializeToString()
    return data


def snapshot(layout: V1Layout, era: str, seed: int, extra: bytes = b"") -> MetaSnapshot:
    """Rows in every member; `extra` stands behind each message."""
    source = random.Random(seed)  # noqa: S311 - nobody's secret
    rows: dict[str, list[Any]] = {"default_cf": [], "cluster_id": [""]}
    for member in layout.members:
        if member.message and member.name != HUMMOCK_VERSION:
            count = 1 if member.form == "message" else source.choice([0, 1, 1, 2, 3])
            rows[member.name] = [
                Blob(made_up(member.message, era, source) + extra) for _ in range(count)
            ]
    names = [member.name for member in layout.members if member.name != HUMMOCK_VERSION]
    version = messages.message_class(version_message(layout), era)()
    fill(version, source).id = 1 + source.randrange(1 << 40)
    whole = HummockVersion("message", [version.SerializeToString() + extra], era)
    sections = {name: rows[name] for name in names}
    return MetaSnapshot(1, 123, layout.name, layout.releases, sections, whole)


def version_message(layout: V1Layout) -> str:
    """The message of the Hummock version."""
    return next(member.message for member in layout.members if member.name == HUMMOCK_VERSION)


def raw(found: MetaSnapshot) -> dict[str, list[Any]]:
    """Rows as bytes; pairs and texts as they are."""
    rows = {
        name: [row.bytes if isinstance(row, Blob) else row for row in section]
        for name, section in found.sections.items()
    }
    return rows | {HUMMOCK_VERSION: list(found.hummock_version.rows)}


def comes_back(written: MetaSnapshot) -> MetaSnapshot:
    """What a snapshot is after dumps and loads, compared."""
    data = metasnapshot.dumps(written)
    found = metasnapshot.loads(data)
    assert (written.layout, written.id) == (found.layout, found.id)
    assert raw(written) == raw(found)
    assert data == metasnapshot.dumps(found)
    return found


@pytest.mark.parametrize(("layout", "era"), ERAS)
@settings(max_examples=40 if WHOLE else 4)
@given(
    seed=st.integers(0, 1 << 32),
    pairs=st.dictionaries(st.binary(max_size=9), st.binary(max_size=200), max_size=4),
    cluster_id=st.text(max_size=40),
    snapshot_id=st.sampled_from(IDS) | st.integers(0, (1 << 64) - 1),
)
def test_any_file_comes_back(
    layout: str, era: str, seed: int, pairs: dict[bytes, bytes], cluster_id: str, snapshot_id: int
) -> None:
    """Messages of every era and layout, any pairs, any cluster id, ids that look like a
    format_version: the same rows, the same layout, the same bytes."""
    written = snapshot(V1_LAYOUTS[layout], era, seed)
    written.id = snapshot_id
    written.format_version = 0 if layout == "v1-0.1.15" else seed % 2
    written.sections["default_cf"] = [Pair(key, value) for key, value in pairs.items()]
    if "cluster_id" in written.sections:
        written.sections["cluster_id"] = [cluster_id]
    found = comes_back(written)
    assert written.format_version == found.format_version


@pytest.mark.parametrize(("layout", "era"), ERAS)
@settings(max_examples=40 if WHOLE else 4)
@given(seed=st.integers(0, 1 << 32))
def test_the_era_found_knows_every_field(layout: str, era: str, seed: int) -> None:
    """It is the writer's or an earlier one; every message means there what it did."""
    definition = V1_LAYOUTS[layout]
    data = metasnapshot.dumps(snapshot(definition, era, seed))
    found = metasnapshot.loads(data)
    eras = {row.era for rows in found.sections.values() for row in rows if isinstance(row, Blob)}
    assert {found.hummock_version.era} == eras
    assert STATES.index(found.hummock_version.era) <= STATES.index(era)
    names = {member.name: member.message for member in definition.members}
    for section, rows in raw(found).items():
        for row in rows if names[section] else ():
            message = messages.parse(row, names[section], found.hummock_version.era)
            assert not messages.has_unknown_fields(message)


def passing_fields() -> Iterator[tuple[str, str, MessageField]]:
    """Layout, member and field of each field that only some eras of the layout have and whose
    number nothing else ever had."""
    for layout in V1_LAYOUTS.values():
        first, last = STATES.index(layout.eras[0]), STATES.index(layout.eras[-1])
        for member in layout.members:
            fields = MESSAGES[member.message] if member.message else []
            numbers = [field.number for field in fields]
            for field in fields:
                if (
                    numbers.count(field.number) == 1
                    and first < messages.lifespan(field).start <= last
                ):
                    yield layout.name, member.name, field


@pytest.mark.parametrize(
    ("layout", "section", "field"),
    list(passing_fields()),
    ids=lambda value: value.name if isinstance(value, MessageField) else value,
)
def test_a_field_tells_its_era(layout: str, section: str, field: MessageField) -> None:
    """A file that holds a field is read by the first era that has it, though the release is said to
    be older, or by that of the release, if it is younger."""
    definition, era = V1_LAYOUTS[layout], field.since
    written = empty(definition)
    if section == HUMMOCK_VERSION:
        written.hummock_version = HummockVersion("message", [alone(field)], era)
    else:
        written.sections[section] = [Blob(alone(field))]
    data = metasnapshot.dumps(written)
    youngest = [known for known in definition.eras if known[0] == "v"][-1]
    expected = {None: era, definition.releases[0]: era}
    if STATES.index(youngest) in messages.lifespan(field):
        expected[youngest[1:]] = youngest
    for release, wanted in expected.items():
        assert metasnapshot.loads(data, release).hummock_version.era == wanted


def alone(field: MessageField) -> bytes:
    """A message with one field: an empty text, bytes or message, or a 1."""
    is_short = field.type in {"bool", "int32", "int64", "uint32", "uint64"} or field.type in ENUMS
    assert is_short or field.type in {"string", "bytes"} or field.type in MESSAGES
    tag = field.number << 3 | (0 if is_short else 2)
    start = bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
    return start + bytes([is_short])


def empty(layout: V1Layout) -> MetaSnapshot:
    """A Hummock version of id 1, and nothing else."""
    single_rows: dict[str, list[Any]] = {"message": [Blob(b"")], "text": [""]}
    rows = {member.name: list(single_rows.get(member.form, [])) for member in layout.members}
    del rows[HUMMOCK_VERSION]
    version = HummockVersion("message", [b"\x08\x01"], layout.eras[0])
    return MetaSnapshot(1, 123, layout.name, layout.releases, rows, version)


@pytest.mark.parametrize("layout", V1_LAYOUTS)
@settings(max_examples=60 if WHOLE else 6)
@given(seed=st.integers(0, 1 << 32))
def test_fields_that_nobody_knows_stay_in_the_bytes(layout: str, seed: int) -> None:
    """In every message of a file; what is known is read nevertheless."""
    definition = V1_LAYOUTS[layout]
    era = era_of_release(definition.releases[-1], definition)
    found = comes_back(snapshot(definition, era, seed, UNKNOWN))
    assert found.hummock_version.era == era
    for member in definition.members:
        rows = found.sections.get(member.name, []) if member.message else []
        for row in rows:
            known = row.message
            assert messages.has_unknown_fields(known)
            known.DiscardUnknownFields()
            bare = row.bytes.removesuffix(UNKNOWN)
            assert messages.parse(bare, member.message, row.era) == known


def framed(header: bytes, members: list[list[bytes] | bytes]) -> bytes:
    """A file of lists and single messages."""
    body = header
    for rows in members:
        body += struct.pack("<I", len(rows)) if isinstance(rows, list) else b""
        for row in rows if isinstance(rows, list) else [rows]:
            body += struct.pack("<I", len(row)) + row
    return resealed(body)


def resealed(body: bytes) -> bytes:
    """A body with a right checksum."""
    return body + struct.pack("<Q", xxhash.xxh64_intdigest(body))


WORDS = struct.pack("<I", 0), struct.pack("<I", 1)
"""Messages that look like counts and lengths."""
TINY_LISTS: list[list[bytes]] = [[], [b""], [WORDS[0]], [WORDS[1], b""]]
TINY: dict[str, list[Any]] = {
    "function": TINY_LISTS,
    "connection": TINY_LISTS,
    "system_param": [b"", *WORDS, WORDS[1] + WORDS[0]],
    "cluster_id": [b"", b"\x0a\2\0\0"],
    "subscription": TINY_LISTS,
    "secret": TINY_LISTS[::3],
}


@pytest.mark.parametrize("layout", list(V1_LAYOUTS)[1:])
def test_no_tiny_file_is_read_as_another_layout(layout: str) -> None:
    """Whatever stands in the members that only some layouts have, though every message looks like a
    count or a length: the layout is the one that it was written in, and every byte has a place."""
    names = [member.name for member in V1_LAYOUTS[layout].members]
    start: list[list[bytes] | bytes] = [[], [], b"\x08\1", b"", *([[]] * 10)]
    tails = [TINY[name] for name in names[13:]]
    assert names[12] == "view"
    for tail in product(*tails):
        data = framed(struct.pack("<IQ", 1, 1), [*start, *tail])
        reader = SnapshotReader(BytesIO(data))
        assert (reader.layout, reader.places[-1].end) == (layout, len(data) - 8)


@pytest.mark.parametrize("snapshot_id", IDS)
def test_no_tiny_file_without_format_version_is_read_as_one_with(snapshot_id: int) -> None:
    """Files of 0.1.15, whatever their id looks like, with up to five groups and views of four sizes
    each."""
    for groups, views, row in product(range(6), range(6), (b"", *WORDS, WORDS[1] * 3)):
        lists: list[list[bytes] | bytes] = [[row] * groups, *([[]] * 8), [row] * views]
        data = framed(struct.pack("<Q", snapshot_id), [[], [], b"\x08\1", row, *lists])
        reader = SnapshotReader(BytesIO(data))
        assert (reader.layout, reader.id) == ("v1-0.1.15", snapshot_id)


@pytest.mark.parametrize("path", goldens.SNAPSHOTS, ids=goldens.name)
def test_a_v2_file_is_never_read_as_v1(path: Path) -> None:
    """Neither as it is, nor when its header says V1, nor without its format_version."""
    data = path.read_bytes()
    assert SnapshotReader(BytesIO(data)).is_v1 is False
    for body in (b"\0\0\0\0" + data[4:-8], b"\1\0\0\0" + data[4:-8], data[4:-8]):
        with pytest.raises((DamageError, UnknownFormat)):
            SnapshotReader(BytesIO(resealed(body)))


@pytest.mark.parametrize("path", goldens.V1_SNAPSHOTS, ids=goldens.name)
def test_a_v1_file_is_never_read_as_v2(path: Path) -> None:
    """Neither as it is, nor when its header says V2."""
    data = path.read_bytes()
    assert SnapshotReader(BytesIO(data)).is_v1 is True
    with pytest.raises((DamageError, UnknownFormat)):
        SnapshotReader(BytesIO(resealed(b"\2\0\0\0" + data[4:-8])))
