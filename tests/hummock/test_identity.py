"""Tags: what tells the two objects of an id apart, and never changes while one object lives."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import chains
import pytest
from exhaustive import thin
from hypothesis import given
from hypothesis import strategies as st

from metasnapshot.errors import DeltaError
from metasnapshot.format import messages
from metasnapshot.hummock.identity import KINDS, graph_tag, sst_tag, tag_of, vector_tag
from metasnapshot.hummock.objects import NeededObject, needed_objects
from metasnapshot.hummock.paths import SUFFIXES
from metasnapshot.hummock.replay.apply import apply_delta
from metasnapshot.hummock.replay.rules import rules_of
from metasnapshot.hummock.replay.version import Working

U64 = st.integers(0, (1 << 64) - 1)
SST = SimpleNamespace(file_size=4096, meta_offset=4000, min_epoch=7, max_epoch=9)


def versions(chain: Path) -> list[Any]:
    """Every version of a chain, its first too."""
    rules = rules_of(chains.release(chain))
    version = Working(chains.base(chain), rules)
    found = [version.message()]
    for delta in chains.deltas(chain):
        try:
            apply_delta(version, delta)
        except DeltaError:  # the release panics here, and goes on from the version before
            version = Working(found[-1], rules)
            continue
        found.append(version.message())
    return found


@pytest.mark.parametrize(
    "chain", thin(chains.CHAINS), ids=lambda chain: f"{chain.parent.name}/{chain.name}"
)
def test_a_tag_never_changes(chain: Path) -> None:
    """Through every split, merge, move and compaction of a golden chain an object has one tag."""
    tags: dict[int, set[NeededObject]] = {}
    for version in versions(chain):
        for item in needed_objects(version, None):
            tags.setdefault(item.id, set()).add(item)
    assert {number: found for number, found in tags.items() if len(found) > 1} == {}


def test_chains_split_objects() -> None:
    """The test before would prove nothing if no object had several references."""
    referred = {chain: list(needed_objects(versions(chain)[-1], None)) for chain in chains.CHAINS}
    assert any(len(found) > len(set(found)) for found in referred.values())


@pytest.mark.parametrize("name", ["file_size", "meta_offset", "min_epoch", "max_epoch"])
@pytest.mark.parametrize("more", [1, 1 << 16, 1 << 63])
def test_another_life_has_another_tag(name: str, more: int) -> None:
    """Another size, place of the meta or epoch is another tag; so is the same number elsewhere."""
    other = SimpleNamespace(**vars(SST) | {name: getattr(SST, name) + more})
    assert sst_tag(other) != sst_tag(SST)


def test_fields_are_not_mixed_up() -> None:
    """The same four numbers in another order, or of another kind, are another tag."""
    turned = SimpleNamespace(file_size=4000, meta_offset=4096, min_epoch=9, max_epoch=7)
    vector = SimpleNamespace(file_size=4096, start_vector_id=4000, vector_count=7)
    graph = SimpleNamespace(file_size=4096)
    tags = {sst_tag(SST), sst_tag(turned), vector_tag(vector), graph_tag(graph)}
    assert len(tags) == 4
    assert vector_tag(vector) != tag_of(0, 4096, 4000, 7)


def test_what_a_split_changes_does_not_count() -> None:
    """Ids of references, sizes of parts, ranges and tables are not in a tag."""
    info = messages.message_class("hummock.SstableInfo", "v3.0.3")
    fields: dict[str, Any] = {"file_size": 100, "meta_offset": 80, "max_epoch": 2}
    one = info(sst_id=5, sst_size=100, table_ids=[1, 2], **fields)
    half = info(sst_id=9, sst_size=50, table_ids=[2], **fields)
    half.key_range.left = b"x"
    assert sst_tag(one) == sst_tag(half)


def test_releases_without_a_field_have_tags() -> None:
    """Before 0.18 an SST has no epochs, in 2.5 a vector file no numbers: they count as 0."""
    old = SimpleNamespace(file_size=4096, meta_offset=4000)
    assert sst_tag(old) == tag_of(0, 4096, 4000, 0, 0)
    assert vector_tag(SimpleNamespace(file_size=9)) == tag_of(1, 9, 0, 0)


def test_a_tag_is_what_it_is() -> None:
    """Tags stand in names of objects: they never change from a release of ours to another."""
    sst, vector, graph = tag_of(0, 4096, 4000, 7, 9), tag_of(1, 10, 3, 2), tag_of(2, 77)
    assert (sst, vector, graph) == (0xAF49E6BA7B098CD5, 0x0FE645D6E3343805, 0xF29E9799B5FE0CA2)


@given(st.integers(0, 2), st.tuples(U64, U64, U64, U64))
def test_any_numbers_have_a_tag(kind: int, facts: tuple[int, ...]) -> None:
    """Every number that a field can hold makes a tag of 64 bits."""
    assert 0 <= tag_of(kind, *facts) < 1 << 64


def test_kinds_stand_as_upstreams_do() -> None:
    """Each of RisingWave's suffixes has one of ours, and none of ours is one of its."""
    assert len(KINDS) == len(SUFFIXES)
    assert not set(KINDS) & set(SUFFIXES)
