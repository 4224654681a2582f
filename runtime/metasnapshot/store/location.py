"""Object store URLs, RisingWave's forms and ordinary ones -> service, bucket and root.

RisingWave's own (src/object_store/src/object/mod.rs, build_remote_object_store): `s3://bucket`,
`minio://USER:PASSWORD@host:port/bucket`, `gcs://bucket@root` and likewise azblob, oss, obs, webhdfs
and hdfs, `fs://root`, `memory`; `hummock+` may stand before it. Ordinary ones have the root behind
a slash: `s3://bucket/root`, `gs://bucket/root`, `abfs://container@account/root`, `file:///root`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from metasnapshot.errors import UsageError
from metasnapshot.store.port import clean

HUMMOCK_PREFIX = "hummock+"
"""What system parameter state_store carries before the URL; the restore options and
backup_storage_url do not."""
FORMS = (
    "s3://BUCKET",
    "minio://USER:PASSWORD@HOST:PORT/BUCKET",
    "gcs://BUCKET@ROOT",
    "azblob://CONTAINER@ROOT",
    "oss://BUCKET@ROOT",
    "obs://BUCKET@ROOT",
    "webhdfs://HOST:PORT@ROOT",
    "hdfs://HOST:PORT@ROOT",
    "fs://ROOT",
    "memory",
)
SERVICES = {
    "s3": "s3",
    "s3a": "s3",
    "gcs": "gcs",
    "gs": "gcs",
    "azblob": "azblob",
    "az": "azblob",
    "abfs": "azblob",
    "abfss": "azblob",
    "oss": "oss",
    "obs": "obs",
    "webhdfs": "webhdfs",
    "hdfs": "hdfs",
}
"""Service by scheme; those that a bucket or host and a root are all there is to."""
AT_ACCOUNT = ("abfs", "abfss")
"""Where what follows @ is the account."""
_SHOWN_MINIO = re.compile(r"minio://(?P<host>[^/@]+:\d+)/(?P<bucket>[^/@]+)(@(?P<root>.*))?")
"""A minio URL without its keys, the root behind @."""
FROM_RISINGWAVE = {*SERVICES.values(), "minio"}
"""Services whose root RisingWave writes behind @."""
HOSTS = ("webhdfs", "hdfs")
"""Services whose bucket is a host and a port."""
RETIRED = {
    "s3-compatible": "it is s3:// with RW_S3_ENDPOINT since RisingWave 1.2",
    "disk": "it is fs:// since RisingWave 0.19",
}


@dataclass(frozen=True)
class Location:
    """Where an object store is.

    Attributes:
        service: s3, minio, gcs, azblob, oss, obs, webhdfs, hdfs, fs, memory, or fsspec's name.
        bucket: bucket, container or host; of fsspec's protocols all that may stand before a slash.
        root: directory in it.
        credentials: of minio, USER:PASSWORD as they stand there.
        endpoint: of minio, with http:// or https://.
        account: of abfs, if the URL has it.
    """

    service: str
    bucket: str = ""
    root: str = ""
    credentials: str = ""
    endpoint: str = ""
    account: str = ""

    @property
    def url(self) -> str:
        """The location without credentials, for messages and comparisons."""
        if self == Location("memory"):
            return "memory"
        if self.service == "fs":
            return f"fs://{self.root}"
        host = f"{self.endpoint.partition('://')[2]}/" if self.endpoint else ""
        separator = "@" if self.service in FROM_RISINGWAVE else "/"
        root = f"{separator}{self.root}" if self.root else ""
        return f"{self.service}://{host}{self.bucket.rpartition('@')[2]}{root}"


def parse_location(url: str) -> Location:
    """Take an object store URL apart.

    Raises:
        UsageError: it is none that is known.
    """
    if "\0" in url:
        raise UsageError("the object store URL has a byte of zero (NUL) in it")
    plain = url.removeprefix(HUMMOCK_PREFIX)
    if plain in ("memory", "memory-shared"):
        return Location("memory")
    scheme, separator, rest = plain.partition("://")
    is_scheme = bool(separator) and re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) is not None
    if not is_scheme or not rest:
        raise UsageError("not an object store URL", hint=f"known forms: {', '.join(FORMS)}")
    if scheme in RETIRED:
        raise UsageError(f"no object store for scheme {scheme!r}", hint=RETIRED[scheme])
    if scheme in ("fs", "file", "local"):
        return Location("fs", root=rest)
    if scheme == "minio":
        return _minio(rest)
    if scheme in SERVICES:
        return _bucket(scheme, rest)
    return Location(scheme, *rest.partition("/")[::2])


def _minio(rest: str) -> Location:
    """USER:PASSWORD@[http://|https://]host:port/bucket; keys are taken literally."""
    credentials, at, place = rest.rpartition("@")
    scheme, separator, host = place.partition("://")
    if not separator:
        scheme, host = "http", place
    address, _, bucket = host.partition("/")
    bucket, _, root = bucket.partition("/")
    if not at or ":" not in credentials or not bucket or scheme not in ("http", "https"):
        raise UsageError(
            "not a minio URL", hint="minio://USER:PASSWORD@HOST:PORT/BUCKET; https:// before HOST"
        )
    return Location("minio", bucket, clean(root), credentials, f"{scheme}://{address}")


def _bucket(scheme: str, rest: str) -> Location:
    head, _, tail = rest.partition("/")
    bucket, at, behind = head.partition("@")
    if scheme in AT_ACCOUNT:
        account = behind.partition(".")[0]
        return Location(SERVICES[scheme], bucket, clean(tail), account=account)
    if at and ":" in bucket and SERVICES[scheme] not in HOSTS:
        raise UsageError(
            f"{scheme}:// takes no keys", hint="they come from the environment, or use minio://"
        )
    if at:  # RisingWave's form: the root may have slashes
        return Location(SERVICES[scheme], bucket, clean(rest.partition("@")[2]))
    return Location(SERVICES[scheme], bucket, clean(tail))


def same_place(url: str, directory: str, other_url: str, other_directory: str) -> bool:
    """Whether two directories of object stores are one, however they are spelt."""
    return not _places(url, directory).isdisjoint(_places(other_url, other_directory))


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
    shown = _SHOWN_MINIO.fullmatch(url.removeprefix(HUMMOCK_PREFIX))
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
    if found.service == "fs":
        return "fs", str(Path(found.root, *directory.split("/")).resolve())
    place = f"{found.endpoint} {found.service} {found.account} {found.bucket}"
    return place, clean(f"{found.root}/{directory}")
