"""Object store URLs, RisingWave's forms and ordinary ones -> service, bucket and root.

RisingWave's own (src/object_store/src/object/mod.rs, build_remote_object_store): `s3://bucket`,
`minio://USER:PASSWORD@host:port/bucket`, `gcs://bucket@root` and likewise azblob, oss, obs, webhdfs
and hdfs, `fs://root`, `memory`; `hummock+` may stand before it. Ordinary ones have the root behind
a slash: `s3://bucket/root`, `gs://bucket/root`, `abfs://container@account/root`, `file:///root`.
"""

from __future__ import annotations

import re
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
    place = f"{found.endpoint.lower()} {found.service} {found.account} {found.bucket}"
    return place, clean(f"{found.root}/{directory}")


__all__ = ["HUMMOCK_PREFIX", "Location", "is_below", "parse_location", "same_place", "spelt_once"]
