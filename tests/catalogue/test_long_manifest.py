"""A long manifest that is read as a whole says what it says entry by entry, or is left to that."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from metasnapshot.catalogue import long_manifest
from metasnapshot.catalogue import manifest as manifests
from metasnapshot.catalogue.long_manifest import parse_long
from metasnapshot.catalogue.manifest import Manifest, parse, render
from metasnapshot.errors import DamageError

REMARKS = 'say "so", \\ täglich'


def entry(number: int, ids: list[int], **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "hummock_version_id": 10 * number,
        "ssts": ids,
        "format_version": 2,
        "remarks": None,
        "state_table_info": {
            str(table): {"committed_epoch": 7654321458752000 + table, "compaction_group_id": 2}
            for table in range(number)
        },
        "rw_version": "3.0.3",
    } | fields


def text_of(*entries: dict[str, Any]) -> bytes:
    document = {"manifest_id": 9, "snapshot_metadata": entries}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


TEXT = text_of(entry(1, []), entry(2, [5, 17, 99], remarks=REMARKS), entry(3, [10**17, 7]))


def said(found: Manifest) -> Any:
    """All that a manifest says."""
    each = [
        (item, dict(item.state_table_info), item.ssts, item.object_count, bytes(item.raw))
        for item in found.entries
    ]
    return found.manifest_id, each, found.extra, render(found)


def test_it_says_the_same() -> None:
    """Ids, tables, remarks with escapes, and the very bytes of each entry."""
    found = parse_long(TEXT)
    assert found is not None
    assert said(found) == said(parse(TEXT))
    assert [item.object_count for item in found.entries] == [0, 3, 2]
    assert render(found) == TEXT


def changed(old: bytes, new: bytes) -> bytes:
    assert TEXT.count(old) >= 1
    return TEXT.replace(old, new, 1)


UNUSUAL = {
    "an id with a zero before it": changed(b"[5,", b"[05,"),
    "an id that is zero": changed(b"[5,", b"[0,"),
    "an id with a sign": changed(b"[5,", b"[-5,"),
    "an id with a fraction": changed(b"[5,", b"[5.0,"),
    "an id with an exponent": changed(b"[5,", b"[5e0,"),
    "an id as a text": changed(b"[5,", b'["5",'),
    "an id of 19 digits": changed(b"[5,", b"[%d," % 10**18),
    "an id that is no i64": changed(b"[5,", b"[%d," % (1 << 63)),
    "an id that is missing": changed(b"[5,", b"[5,,"),
    "a comma first": changed(b"[5,", b"[,5,"),
    "a comma last": changed(b",99]", b",99,]"),
    "a list in a list": changed(b"[5,", b"[[5],"),
    "a list without an end": changed(b"99]", b"99"),
    "a space in a list": changed(b"[5,", b"[5, "),
    "a space before a list": changed(b'"ssts":[5', b'"ssts": [5'),
    "a space behind a key": changed(b'"id":2', b'"id" :2'),
    "a key twice": changed(b'"id":2', b'"id":2,"id":2'),
    "a key twice, one escaped": changed(b'"id":2', b'"id":2,"\\u0069d":2'),
    "the ids twice": changed(b'"format_version"', b'"ssts":[1],"format_version"'),
    "the ids by an escaped key": changed(b'"ssts":[5,17,99]', b'"\\u0073sts":[1]'),
    "the ids in another object": changed(b'"state_table_info":{', b'"x":{"ssts":[4]},"y":{'),
    "a key that ends like it": changed(b'"ssts":[5', b'"a\\"ssts":[5'),
    "a table twice": changed(b'"0":', b'"0":{"committed_epoch":1,"compaction_group_id":2},"0":'),
    "a field twice in a table": changed(b'"compaction_group_id":2', b'"compaction_group_id":2' * 2),
    "a field that nobody knows": changed(b'"format_version"', b'"new":[1],"format_version"'),
    "a field of the manifest that nobody knows": changed(
        b'"manifest_id"', b'"new":1,"manifest_id"'
    ),
    "an old epoch": changed(b'"format_version"', b'"safe_epoch":5,"format_version"'),
    "names in camelCase": changed(b'"committed_epoch"', b'"committedEpoch"'),
    "an epoch as a text": changed(b"7654321458752000", b'"7654321458752000"'),
    "an epoch with a fraction": changed(b"7654321458752000", b"7654321458752000.0"),
    "an epoch of 64 bits": changed(b"7654321458752000", b"%d" % ((1 << 64) - 1)),
    "no field but those that must be": text_of({"id": 1, "hummock_version_id": 1, "ssts": [4]}),
    "a snapshot twice": text_of(entry(1, [1]), entry(1, [1])),
    "no snapshot": text_of(),
    "no UTF-8": changed("täglich".encode(), b"t\xe4glich"),
    "a remark like a key": changed(b'"remarks":null', b'"remarks":":"'),
    "something behind it": TEXT + b" x",
    "a cut": TEXT[:-40],
    "no JSON": b"x" * 100,
    "nothing": b"",
}


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_what_is_unusual_is_left_to_the_judge_of_each_entry(text: bytes) -> None:
    """None of it is taken at a glance, sound or not."""
    assert parse_long(text) is None


def same_or_none(text: bytes) -> None:
    found = parse_long(text)
    try:
        judged = parse(text)
    except DamageError:
        assert found is None
        return
    assert found is None or said(found) == said(judged)


@given(
    st.integers(0, len(TEXT) - 1),
    st.integers(0, 3),
    st.sampled_from([*list(b'0159,[]{}":\\-. eax\x00\xc3'), None]),
)
@example(TEXT.index(b"5,17"), 0, ord("1"))
def test_whatever_bytes_are_changed(at: int, cut: int, byte: int | None) -> None:
    """What is read as a whole is what is read entry by entry; and what that refuses, is refused."""
    put = b"" if byte is None else bytes([byte])
    same_or_none(TEXT[:at] + put + TEXT[at + cut :])


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(1, (1 << 63) - 1), max_size=40),
            st.text(max_size=8),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_ids_and_remarks(made: list[tuple[list[int], str, int]]) -> None:
    """Long ids, any text, both formats: the same, or left alone."""
    entries = [
        entry(number, ids, remarks=remarks, format_version=form)
        for number, (ids, remarks, form) in enumerate(made, 1)
    ]
    text = text_of(*entries)
    same_or_none(text)
    short = all(number < 10**18 for ids, _, _ in made for number in ids)
    plain = all(text and ":" not in text and text.isprintable() for _, text, _ in made)
    assert not (short and plain) or parse_long(text) is not None


@pytest.mark.parametrize("piece", [20, 21, 22, 23, 30])
def test_a_list_that_is_looked_at_in_pieces(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a piece ends, the ids are the same, and a comma too many is seen."""
    monkeypatch.setattr(long_manifest, "PIECE", piece)
    ids = [10**9 + number for number in range(30)]
    text = text_of(entry(1, ids))
    found = parse_long(text)
    assert found is not None
    assert said(found) == said(parse(text))
    places = [at for at in range(len(text)) if text[at : at + 5] == b",1000"]
    for at in places:
        assert parse_long(text[:at] + b"," + text[at:]) is None
        assert parse_long(text[:at] + text[at + 1 :]) is None
    end = text.index(b"]")
    assert parse_long(text[:end] + b"," + text[end:]) is None


@pytest.mark.parametrize("digits", range(14, 25))
def test_long_ids_wherever_they_stand(digits: int) -> None:
    """An id of 18 digits is one at a glance, one of 19 is left to the judge: at any place among
    short ones, before and behind any of them.
    """
    for before, behind in product(range(1, 9), range(3)):
        ids = [int("7" * before), int("1" * digits), *[10**12] * behind]
        found = parse_long(text_of(entry(1, ids)))
        assert (found is None) == (digits > 18), (before, behind)
        assert found is None or list(found.entries[0].ssts) == ids


def test_a_long_manifest_is_read_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """parse takes this way from a length on, and goes the other where it must."""
    slow = said(parse(TEXT))
    monkeypatch.setattr(manifests, "LONG", len(TEXT))
    assert said(parse(TEXT)) == slow
    assert isinstance(parse(TEXT).entries[1].text, memoryview)
    odd = changed(b"[5,", b"[5, ")
    assert isinstance(parse(odd).entries[1].text, bytes)
    with pytest.raises(DamageError, match="twice"):
        parse(changed(b'"id":2', b'"id":2,"id":2'))
