"""Object stores by service, one row each: how its URLs read, and what opens them. A new service is
one row; what it names in other modules is loaded when it is opened.

RisingWave's own URLs (src/object_store/src/object/mod.rs, build_remote_object_store) have the root
behind @, ordinary ones behind a slash.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from metasnapshot.errors import UsageError
from metasnapshot.store.port import clean

OPEN_BUCKET = "metasnapshot.store.url:open_bucket"
OPEN_OTHER = "metasnapshot.store.url:open_other"
CLIENTS = "metasnapshot.store.clients"


class Location(NamedTuple):
    """Where an object store is.

    Attributes:
        service: s3, minio, gcs, azblob, oss, obs, webhdfs, hdfs, fs, memory, or fsspec's name.
        bucket: bucket, container or host; for protocols of fsspec, all that may stand before a
            slash.
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
        row = find_service(self.service)
        if self == Location("memory"):
            return "memory"
        if row is not None and row.is_path:
            return f"{row.name}://{self.root}"
        host = f"{self.endpoint.partition('://')[2]}/" if self.endpoint else ""
        separator = "@" if row is not None and row.is_of_risingwave else "/"
        root = f"{separator}{self.root}" if self.root else ""
        return f"{self.service}://{host}{self.bucket.rpartition('@')[2]}{root}"


Parse = Callable[["Service", str, str], Location]
"""A row, a scheme and what follows it -> where that is."""


class Service(NamedTuple):
    """A service.

    Attributes:
        name: of it; it is a scheme too.
        forms: its URLs as RisingWave writes them, for hints.
        parse: takes a URL apart.
        opens: `module:function` that makes a store of a location and a context.
        connects: of a service that obstore reaches, `module:function` that makes its connector.
        aliases: other schemes that mean it.
        is_of_risingwave: RisingWave writes its root behind @.
        is_host: what stands for the bucket is a host and a port.
        is_path: a URL is a plain path.
        has_keys: user and password may stand in a URL.
        speaks_s3: lists and checksums are those of S3's protocol.
    """

    name: str
    forms: tuple[str, ...]
    parse: Parse
    opens: str = OPEN_BUCKET
    connects: str = ""
    aliases: tuple[str, ...] = ()
    is_of_risingwave: bool = True
    is_host: bool = False
    is_path: bool = False
    has_keys: bool = False
    speaks_s3: bool = False


def parse_path(row: Service, _: str, rest: str) -> Location:
    """A path, whatever characters it has."""
    return Location(row.name, root=rest)


def parse_rest(row: Service, _: str, rest: str) -> Location:
    """What stands before a slash, and a root behind it."""
    return Location(row.name, *rest.partition("/")[::2])


def parse_minio(row: Service, _: str, rest: str) -> Location:
    """USER:PASSWORD@[http://|https://]host:port/bucket; keys are taken literally."""
    credentials, at, place = rest.rpartition("@")
    scheme, separator, host = place.partition("://")
    if not separator:
        scheme, host = "http", place
    address, _, bucket = host.partition("/")
    bucket, _, root = bucket.partition("/")
    if not at or ":" not in credentials or not bucket or scheme not in ("http", "https"):
        hint = f"{row.forms[0]}; https:// before HOST"
        raise UsageError(f"not a {row.name} URL", hint=hint)
    return Location(row.name, bucket, clean(root), credentials, f"{scheme}://{address}")


def parse_bucket(row: Service, scheme: str, rest: str) -> Location:
    """BUCKET@ROOT, BUCKET/ROOT or BUCKET."""
    head, _, tail = rest.partition("/")
    bucket, at, _ = head.partition("@")
    if at and ":" in bucket and not row.is_host:
        raise UsageError(
            f"{scheme}:// takes no keys", hint="they come from the environment, or use minio://"
        )
    if at:  # RisingWave's form: the root may have slashes
        return Location(row.name, bucket, clean(rest.partition("@")[2]))
    return Location(row.name, bucket, clean(tail))


def parse_azure(row: Service, scheme: str, rest: str) -> Location:
    """The same; in abfs:// the account stands behind @."""
    if not scheme.startswith("abfs"):
        return parse_bucket(row, scheme, rest)
    head, _, tail = rest.partition("/")
    bucket, _, behind = head.partition("@")
    return Location(row.name, bucket, clean(tail), account=behind.partition(".")[0])


SERVICES = [
    Service(
        "s3",
        ("s3://BUCKET",),
        parse_bucket,
        connects=f"{CLIENTS}:s3",
        aliases=("s3a",),
        speaks_s3=True,
    ),
    Service(
        "minio",
        ("minio://USER:PASSWORD@HOST:PORT/BUCKET",),
        parse_minio,
        connects=f"{CLIENTS}:minio",
        has_keys=True,
        speaks_s3=True,
    ),
    Service(
        "gcs", ("gcs://BUCKET@ROOT",), parse_bucket, connects=f"{CLIENTS}:gcs", aliases=("gs",)
    ),
    Service(
        "azblob",
        ("azblob://CONTAINER@ROOT",),
        parse_azure,
        connects=f"{CLIENTS}:azblob",
        aliases=("az", "abfs", "abfss"),
    ),
    Service("oss", ("oss://BUCKET@ROOT",), parse_bucket, connects=f"{CLIENTS}:oss", speaks_s3=True),
    Service("obs", ("obs://BUCKET@ROOT",), parse_bucket, connects=f"{CLIENTS}:obs", speaks_s3=True),
    Service("webhdfs", ("webhdfs://HOST:PORT@ROOT",), parse_bucket, OPEN_OTHER, is_host=True),
    Service("hdfs", ("hdfs://HOST:PORT@ROOT",), parse_bucket, OPEN_OTHER, is_host=True),
    Service(
        "fs",
        ("fs://ROOT",),
        parse_path,
        "metasnapshot.store.url:open_files",
        aliases=("file", "local"),
        is_of_risingwave=False,
        is_path=True,
    ),
]
"""Every service that is known by name. What else fsspec knows has no row."""
WHOLE = ("memory", "memory-shared")
"""URLs without a scheme: RisingWave's objects in memory."""
RETIRED = {
    "s3-compatible": "it is s3:// with RW_S3_ENDPOINT since RisingWave 1.2",
    "disk": "it is fs:// since RisingWave 0.19",
}


def find_service(scheme: str) -> Service | None:
    """The service that a scheme means."""
    return next((row for row in SERVICES if scheme == row.name or scheme in row.aliases), None)


def known_forms() -> str:
    """The URLs that there are, for hints."""
    return ", ".join([*(form for row in SERVICES for form in row.forms), WHOLE[0]])


def parse_url(plain: str) -> Location:
    """Take an object store URL apart.

    Raises:
        UsageError: its form is not known.
    """
    if plain in WHOLE:
        return Location(WHOLE[0])
    scheme, separator, rest = plain.partition("://")
    is_scheme = bool(separator) and re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) is not None
    if not is_scheme or not rest:
        raise UsageError("not an object store URL", hint=f"known forms: {known_forms()}")
    if scheme in RETIRED:
        raise UsageError(f"no object store for scheme {scheme!r}", hint=RETIRED[scheme])
    row = find_service(scheme)
    if row is None:
        return Location(scheme, *rest.partition("/")[::2])
    return row.parse(row, scheme, rest)


def load(name: str) -> Any:
    """The function that a row names.

    Raises:
        ImportError: a package that it needs is not installed.
    """
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)
