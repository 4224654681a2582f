"""The area of objects: names, area.json, and what a listing of it shows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metasnapshot.catalogue.area import (
    AreaObject,
    find_area,
    look_for,
    make_area,
    object_path,
    parse_name,
    require_own,
)
from metasnapshot.errors import ConflictError, DamageError, UnknownFormat
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import DATA, GRAPH, SUFFIXES, VECTOR
from metasnapshot.store.memory import MemoryStore

U64 = st.integers(0, (1 << 64) - 1)
OBJECTS = st.builds(NeededObject, U64, st.sampled_from(SUFFIXES), U64, U64, U64)
CLUSTER = "5d1b41a1-cluster"


@given(OBJECTS)
def test_a_name_says_which_object_it_is(item: NeededObject) -> None:
    """Id, tag and kind come back out of the path of any object."""
    path = object_path("backup", item)
    kind = SUFFIXES.index(item.suffix)
    assert parse_name(path.removeprefix("backup/objects/")) == AreaObject(item.id, item.tag, kind)


@given(OBJECTS)
def test_no_name_is_one_of_risingwaves(item: NeededObject) -> None:
    """RisingWave's collector panics on a name with a suffix of its own that is no number."""
    assert not object_path("backup", item).endswith(tuple(f".{suffix}" for suffix in SUFFIXES))


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (NeededObject(1, DATA, 9, 0xAB), "b/objects/255/1-00000000000000ab.sst"),
        (NeededObject(2, VECTOR, 9, 0xAB), "b/objects/69/2-00000000000000ab.vec"),
        (NeededObject(300, GRAPH, 9, 1 << 63), "b/objects/203/300-8000000000000000.graph"),
    ],
)
def test_names_stay(item: NeededObject, path: str) -> None:
    """A name is part of the format: no release of ours gives an object another one."""
    assert object_path("b", item) == path


@pytest.mark.parametrize(
    "name",
    [
        "area.json",
        "255/1-00000000000000ab.data",
        "255/1-00000000000000AB.sst",
        "255/1-0000000000000ab.sst",
        "255/01-00000000000000ab.sst",
        "56/1-00000000000000ab.sst",
        "0255/1-00000000000000ab.sst",
        "1-00000000000000ab.sst",
        "255/1.sst",
        "255/-1-00000000000000ab.sst",
        "255/x/1-00000000000000ab.sst",
        "255/18446744073709551616-00000000000000ab.sst",
        "255/1-00000000000000ab.sst\n",
        "\u0662\u0665\u0665/1-00000000000000ab.sst",
    ],
)
def test_what_is_no_name_is_none(name: str) -> None:
    """A name that we do not write ourselves is no object's, however close it is."""
    assert parse_name(name) is None


def test_an_area_is_made_once() -> None:
    """The second backup finds the area of the first; nothing is written again."""
    store = MemoryStore()
    assert find_area(store, "b") is None
    made = make_area(store, "b", CLUSTER)
    assert (make_area(store, "b", CLUSTER), find_area(store, "b")) == (made, made)
    assert (made.format, made.cluster_id) == (1, CLUSTER)


class _Beaten(MemoryStore):
    """A store in which somebody else is always a little faster."""

    def put_if_absent(self, path: str, data: bytes) -> str:
        if self.head(path) is None:
            super().put_if_absent(path, data.replace(b"-", b"0"))
        return super().put_if_absent(path, data)


def test_of_two_that_make_an_area_one_wins() -> None:
    """Who comes second takes the area of the first."""
    store = _Beaten()
    assert make_area(store, "b", CLUSTER.replace("-", "0")) == find_area(store, "b")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"format": 2, "anything": 1}', UnknownFormat),
        ('{"format": 0}', UnknownFormat),
        ("", DamageError),
        ("[]", DamageError),
        ('{"area_id": "x"}', DamageError),
        ('{"format": "1"}', DamageError),
        ('{"format": 1, "format": 1}', DamageError),
        ('{"format": 1, "cluster_id": 7}', DamageError),
    ],
)
def test_an_area_of_another_format_is_left_alone(text: str, error: type[Exception]) -> None:
    """Exit 14 for a later release's, 4 for what is none; it stays as it was."""
    store = MemoryStore()
    store.put_if_absent("b/objects/area.json", text.encode())
    with pytest.raises(error):
        make_area(store, "b", CLUSTER)
    assert store.read("b/objects/area.json").data == text.encode()


@pytest.mark.parametrize(("mine", "its"), [("x", "y"), ("x", None), (None, "y")])
def test_an_area_is_of_one_cluster(mine: str | None, its: str | None) -> None:
    """Another cluster's area is refused, and so is one of a cluster without an id."""
    store = MemoryStore()
    area = make_area(store, "b", its)
    with pytest.raises(ConflictError) as caught:
        make_area(store, "b", mine)
    assert "a backup directory of its own" in caught.value.hint
    require_own(area, "b", its)


def test_a_listing_shows_what_is_there() -> None:
    """Seen is what has id, kind, tag and size; another size is wrong; another tag, kind or id is
    nobody's.
    """
    items = [NeededObject(number, SUFFIXES[number % 3], 4, number) for number in range(1, 7)]
    needed, store = NeededObjects(items), MemoryStore()
    make_area(store, "b", None)

    def put(item: NeededObject, size: int) -> None:
        store.put_if_absent(object_path("b", item), bytes(size))

    put(items[0], 4)
    put(items[2], 5)
    put(items[3]._replace(tag=99), 4)
    put(items[4]._replace(suffix=SUFFIXES[0]), 4)
    put(items[5]._replace(id=77), 4)
    store.put_if_absent("b/objects.txt", b"no object")
    found = look_for(store, "b", needed)
    assert list(found.seen) == [1, 0, 0, 0, 0, 0]
    assert [head.path for head in found.wrong] == [object_path("b", items[2])]
    assert found.others == 4  # area.json, and three objects


def test_area_json_is_as_documented() -> None:
    """Three keys, as docs/format.md says."""
    store = MemoryStore()
    made = make_area(store, "b", CLUSTER)
    found: Any = json.loads(store.read("b/objects/area.json").data)
    assert found == {"format": 1, "area_id": made.area_id, "cluster_id": CLUSTER}
