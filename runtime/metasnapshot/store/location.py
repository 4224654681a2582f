"""Object store URLs, RisingWave's forms and ordinary ones -> service, bucket and root.

RisingWave's own (src/object_store/src/object/mod.rs, build_remote_object_store): `s3://bucket`,
`minio://USER:PASSWORD@host:port/bucket`, `gcs://bucket@root` and likewise azblob, oss, obs, webhdfs
and hdfs, `fs://root`, `memory`; `hummock+` may stand before it. Ordinary ones have the root behind
a slash: `s3://bucket/root`, `gs://bucket/root`, `abfs://container@account/root`, `file:///root`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from metasnapshot.errors import UsageError
from metasnapshot.store.port import clean
from metasnapshot.store.services import Location, find_service, parse_url

HUMMOCK_PREFIX = "hummock+"
"""What system parameter state_store carries before the URL; the restore options and
backup_storage_url do not."""
_SHOWN_MINIO = r"minio://(?P<host>[^/@]+:\d+)/(?P<bucket>[^/@]+)(@(?P<root>.*))?"
"""A minio URL without its keys, the root behind @."""


def parse_location(url: str) -> Location:
    """Take an object store URL apart.

    Raises:
        UsageError: its form is not known.
    """
    if "\0" in url:
        raise UsageError("the object store URL contains a zero byte (NUL)")
    return parse_url(url.removeprefix(HUMMOCK_PREFIX))


def same_place(url: str, directory: str, other_url: str, other_directory: str) -> bool:
    """Whether two directories of object stores are one, however they are spelt."""
    return not _places(url, directory).isdisjoint(_places(other_url, other_directory))


def spelt_once(url: str, directory: str) -> str:
    """A directory of an object store as a text that is the same however it was spelt."""
    return " ".join(min(_places(url, directory)))


def is_below(url: str, directory: str, other_url: str, other_directory: str) -> bool:
    """Whether a directory of an object store is another one, or lies below it."""
    places, others = _places(url, directory), _places(other_url, other_directory)
    return any(
        store == other and (path == top or path.startswith(f"{top.rstrip('/')}/" if top else ""))
        for store, path in places
        for other, top in others
    )


def find_overlap(places: Iterable[tuple[str, str]]) -> tuple[int, int] | None:
    """The places in the sequence of two directories of object stores that are one, however they are
    spelt, or of which one lies below the other; None if there are none. A store's URL and a
    directory in it are a pair.
    """
    found = sorted(
        (store, _parts(path), number)
        for number, (url, directory) in enumerate(places)
        for store, path in _places(_lower(url), directory)
    )
    for (store, top, one), (other_store, path, other) in pairwise(found):
        if store == other_store and path[: len(top)] == top and one != other:
            return min(one, other), max(one, other)
    return None


def _parts(path: str) -> tuple[str, ...]:
    """The parts of a path, in whose order what is below a directory follows it at once."""
    found = posixpath.normpath(f"/{path}")
    return tuple(part for part in found.split("/") if part)


def _lower(url: str) -> str:
    """A URL whose scheme is in lower case, as we know schemes."""
    scheme, separator, rest = url.removeprefix(HUMMOCK_PREFIX).partition("://")
    return f"{scheme.lower()}{separator}{rest}"


def _places(url: str, directory: str) -> set[tuple[str, str]]:
    """Service, bucket and path, without credentials; where the root ends is of no importance. As
    messages show a URL of minio it may mean one of two.
    """
    shown = re.fullmatch(_SHOWN_MINIO, url.removeprefix(HUMMOCK_PREFIX))
    if shown is not None:
        root = clean(shown["root"] or "")
        found = [
            Location("minio", shown["bucket"], root, endpoint=f"{scheme}://{shown['host']}")
            for scheme in ("http", "https")
        ]
        return {_place(item, directory) for item in found}
    try:
        return {_place(parse_location(url), directory)}
    except UsageError:
        return {(url, directory)}


def _place(found: Location, directory: str) -> tuple[str, str]:
    if (row := find_service(found.service)) is not None and row.is_path:
        return row.name, str(Path(found.root, *directory.split("/")).resolve())
    place = f"{_endpoint(found.endpoint)} {found.service} {found.account} {found.bucket}"
    return place, clean(f"{found.root}/{directory}")


def _endpoint(url: str) -> str:
    """An endpoint in lower case, without the port that its scheme has by default."""
    return re.sub(r"^(http://.*):80$|^(https://.*):443$", r"\1\2", url.lower().rstrip("/"))


__all__ = [
    "HUMMOCK_PREFIX",
    "Location",
    "find_overlap",
    "is_below",
    "parse_location",
    "same_place",
    "spelt_once",
]
