from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from exhaustive import WHOLE
from golden_rows import version
from golden_ssts import IDS, OBJECTS, TAGS, facts, path
from sst_writer import LZ4, ZSTD, Sst, body, compress, put, seal

from metasnapshot.errors import SstDamage
from metasnapshot.hummock.sst_facts import compare_reference, references, said_of
from metasnapshot.sst.content import Content, read_content

EPOCH = 1 << 16


def content_of(data: bytes) -> Content:
    return read_content(io.BytesIO(data), len(data), "x.data")


@pytest.mark.parametrize(("tag", "number"), OBJECTS, ids=IDS)
def test_golden_content(tag: str, number: int) -> None:
    """Every golden object is sound, and holds the tables that RisingWave's own reader found."""
    known = facts(tag)[number]
    found = content_of(path(tag, number).read_bytes())
    assert {int(table) for table in known["tables"]} == set(found.keys)
    assert found.entry_count == known["key_count"]


@pytest.mark.parametrize("tag", TAGS)
def test_golden_versions_say_what_objects_hold(tag: str) -> None:
    """What the golden versions say of their objects, halves of split ones too, is true; a number or
    a table or a range that is not is damage."""
    for number, infos in references(version(tag)).items():
        found = content_of(path(tag, number).read_bytes())
        for info in infos:
            compare_reference(found, said_of(info), "x")
            for field in ("file_size", "uncompressed_file_size", "total_key_count", "max_epoch"):
                lying = type(info)()
                lying.CopyFrom(info)
                setattr(lying, field, getattr(info, field) + 1)
                with pytest.raises(SstDamage, match=field):
                    compare_reference(found, said_of(lying), "x")
            lying = type(info)()
            lying.CopyFrom(info)
            lying.table_ids.append(4_000_000)
            with pytest.raises(SstDamage, match="no key of table 4000000"):
                compare_reference(found, said_of(lying), "x")
            lying.CopyFrom(info)
            lying.key_range.left = info.key_range.right + b"\xff" * 8
            with pytest.raises(SstDamage, match="outside of the range"):
                compare_reference(found, said_of(lying), "x")


FLIPS = 100 if WHOLE else 20
"""Of each object, which is unpacked and walked for each."""


@pytest.mark.parametrize(("tag", "number"), OBJECTS, ids=IDS)
def test_a_flipped_bit_is_found(tag: str, number: int) -> None:
    """A bit that is flipped anywhere is damage, and so is a cut."""
    data = bytearray(path(tag, number).read_bytes())
    for at in range(number % 7, len(data), max(1, len(data) // FLIPS)):
        data[at] ^= 1 << at % 8
        with pytest.raises(SstDamage):
            content_of(bytes(data))
        data[at] ^= 1 << at % 8
        with pytest.raises(SstDamage):
            content_of(bytes(data[:at]))


def good() -> Sst:
    sst = Sst()
    sst.add(7, [put(b"\0\1a%02d" % n, EPOCH, b"v") for n in range(40)], LZ4)
    sst.add(7, [put(b"\0\1b%02d" % n, EPOCH, b"v") for n in range(40)], ZSTD)
    sst.add(8, [put(b"\0\1", EPOCH, b"v")])
    return sst


def _swapped(sst: Sst) -> None:
    sst.blocks[0], sst.blocks[1] = sst.blocks[1], sst.blocks[0]


def _repeated(sst: Sst) -> None:
    sst.blocks.insert(1, sst.blocks[0])
    sst.key_count += 40


def _disordered(sst: Sst) -> None:
    entries = [put(key, EPOCH, b"v") for key in (b"\0\1b", b"\0\1a")]
    data = body(entries, 7)
    sst.blocks[1].stored = seal(compress(data, LZ4), LZ4)
    sst.blocks[1].uncompressed_size = len(data)


def _other_table(sst: Sst) -> None:
    data = body([put(b"\0\1", EPOCH, b"v")], 9)
    sst.blocks[2].stored, sst.blocks[2].uncompressed_size = seal(data, 0), len(data)


def _count(sst: Sst) -> None:
    sst.blocks[0].total_key_count += 1


def _whole_count(sst: Sst) -> None:
    sst.key_count += 1


def _late_separator(sst: Sst) -> None:
    sst.blocks[1].smallest_key = b"\0\0\0\7\0\1b01" + EPOCH.to_bytes(8, "big")


def _early_separator(sst: Sst) -> None:
    sst.blocks[1].smallest_key = b"\0\0\0\7\0\1a01" + EPOCH.to_bytes(8, "big")


def _largest(sst: Sst) -> None:
    sst.largest_key = sst.blocks[1].smallest_key


def _size(sst: Sst) -> None:
    sst.estimated_size = 5


def _tag(sst: Sst) -> None:
    data = body([(b"\0\1" + EPOCH.to_bytes(8, "big"), b"\2v")], 8)
    sst.blocks[2].stored, sst.blocks[2].uncompressed_size = seal(data, 0), len(data)


def _no_tag(sst: Sst) -> None:
    data = body([(b"\0\1" + EPOCH.to_bytes(8, "big"), b"")], 8)
    sst.blocks[2].stored, sst.blocks[2].uncompressed_size = seal(data, 0), len(data)


LIES = [
    _swapped,
    _repeated,
    _disordered,
    _other_table,
    _count,
    _whole_count,
    _late_separator,
    _early_separator,
    _largest,
    _size,
    _tag,
    _no_tag,
]


@pytest.mark.parametrize("lie", LIES, ids=[lie.__name__ for lie in LIES])
def test_lies_behind_right_hashes(lie: Callable[[Sst], None]) -> None:
    """An object whose hashes all fit, but whose keys, counts or tables do not, is damage."""
    sst = good()
    assert set(content_of(sst.data()).keys) == {7, 8}
    lie(sst)
    with pytest.raises(SstDamage):
        content_of(sst.data())


def test_a_separator_may_be_shorter_than_a_key() -> None:
    """A smallest key that is no key, but lies between two blocks, is sound: 2.8 shortens them."""
    sst = good()
    sst.blocks[1].smallest_key = b"\0\0\0\7\0\1b" + EPOCH.to_bytes(8, "big")
    assert content_of(sst.data()).entry_count == 81
