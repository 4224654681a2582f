"""The objects of full backups, beside the snapshots: `objects/{shard}/{id}-{tag}.{kind}`.

Every full backup of a directory shares them, so that the next one copies what is new alone. There
is no index that could be wrong: what is there is what a listing shows. `objects/area.json` says
which format the area has and of which cluster it is; it is only ever created.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import uuid4

import msgspec

from metasnapshot.catalogue.full_header import AREA
from metasnapshot.errors import ConflictError, ObjectMissing, UnknownFormat
from metasnapshot.hummock.identity import KINDS
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import ID_MAX, SUFFIXES, object_prefix
from metasnapshot.store.document import decode_document, read_document
from metasnapshot.store.port import ObjectHead, Store, clean, join

AREA_NAME = "area.json"
FORMAT = 1
_NAME = re.compile(
    rf"(?P<shard>\d{{1,3}}/)(?P<id>\d{{1,20}})-(?P<tag>[0-9a-f]{{16}})\.(?P<kind>{'|'.join(KINDS)})"
)


class AreaObject(NamedTuple):
    """What the name of an object says: its id, its tag, and its place in KINDS."""

    id: int
    tag: int
    kind: int


class Area(msgspec.Struct, frozen=True):
    """What area.json says: the format, the area's own id, the cluster whose objects are in it."""

    format: int
    area_id: str = ""
    cluster_id: str | None = None


@dataclass
class Present:
    """Which of the objects that are needed a listing of the area shows.

    Attributes:
        seen: 1 for each that is there with its size, by its place.
        wrong: those that are there with another size.
        others: how many objects nobody asked for.
    """

    seen: bytearray
    wrong: list[ObjectHead] = field(default_factory=list[ObjectHead])
    others: int = 0


_decoder = msgspec.json.Decoder(Area)


def object_name(item: NeededObject) -> str:
    """The path of the copy of an object in an area."""
    kind = KINDS[SUFFIXES.index(item.suffix)]
    return f"{object_prefix(item.id, prefixed=True)}{item.id}-{item.tag:016x}.{kind}"


def object_path(directory: str, item: NeededObject) -> str:
    """Where the copy of an object lies in a backup directory."""
    return join(directory, f"{AREA}/{object_name(item)}")


def parse_name(name: str) -> AreaObject | None:
    """The object that a path below `objects/` is of; None if it is not one of ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    number = int(match["id"])
    if str(number) != match["id"] or number > ID_MAX:
        return None
    if match["shard"] != object_prefix(number, prefixed=True):
        return None
    return AreaObject(number, int(match["tag"], 16), KINDS.index(match["kind"]))


def find_area(store: Store, directory: str) -> Area | None:
    """The area of a backup directory, None if it has none.

    Raises:
        DamageError: area.json is damaged.
        UnknownFormat: a later release made it.
    """
    path = _document_path(directory)
    try:
        data = read_document(store, path).data
    except ObjectMissing:
        return None
    area = decode_document(path, data, _decoder)
    if area.format != FORMAT:
        raise UnknownFormat(
            f"{path} has format {area.format}, this release knows {FORMAT}",
            hint="a later release of metasnapshot made the area: use that one",
        )
    return area


def area_above(store: Store, directory: str) -> str | None:
    """The area.json of a backup directory that a directory is, or lies below; None if there is
    none in this store.
    """
    parts = clean(directory).split("/")
    paths = (_document_path("/".join(parts[:count])) for count in range(len(parts), -1, -1))
    return next((path for path in paths if store.head(path) is not None), None)


def require_own(area: Area, directory: str, cluster_id: str | None) -> None:
    """Refuse the area of another cluster: ids of objects mean nothing across clusters.

    Raises:
        ConflictError: it is another's.
    """
    if area.cluster_id != cluster_id:
        raise ConflictError(
            f"the objects in {join(directory, AREA)} are of cluster {area.cluster_id}, "
            f"not of {cluster_id}",
            hint="give each cluster a backup directory of its own",
        )


def make_area(store: Store, directory: str, cluster_id: str | None) -> Area:
    """The area of a backup directory, made if there is none.

    Raises:
        ConflictError: it is another cluster's.
        DamageError, UnknownFormat: as find_area.
    """
    area = find_area(store, directory)
    if area is None:
        made = Area(FORMAT, str(uuid4()), cluster_id)
        try:
            store.put_if_absent(_document_path(directory), msgspec.json.encode(made))
        except ConflictError:
            area = find_area(store, directory)  # somebody else was faster
        area = made if area is None else area
    require_own(area, directory, cluster_id)
    return area


def look_for(store: Store, directory: str, needed: NeededObjects) -> Present:
    """List the area once, and look for what is needed.

    Raises:
        StorageError: it cannot be listed.
    """
    found = Present(bytearray(len(needed)))
    prefix = join(directory, f"{AREA}/x")[:-1]
    for head in store.list(prefix):
        item = parse_name(head.path[len(prefix) :])
        place = None if item is None else needed.place(item.id)
        if item is None or place is None or not _is_same(needed, place, item):
            found.others += 1
        elif head.size == needed.sizes[place]:
            found.seen[place] = 1
        else:
            found.wrong.append(head)
    return found


def _is_same(needed: NeededObjects, place: int, item: AreaObject) -> bool:
    return needed.tags[place] == item.tag and needed.kinds[place] == item.kind


def _document_path(directory: str) -> str:
    return join(directory, f"{AREA}/{AREA_NAME}")
