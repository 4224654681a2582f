"""The buckets of a simulated cluster, over S3's own API: none of the stores under test.

They remember by the cluster's clock when an object was written, so that a test lets time pass
instead of waiting.
"""

from __future__ import annotations

import binascii
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import boto3  # pyright: ignore[reportMissingTypeStubs]
from botocore.exceptions import ClientError  # pyright: ignore[reportMissingTypeStubs]

SCHEME = "minio://"
SST_SUFFIX = "data"
PREFIXES = 256
DELETE_MAX = 1000
"""Objects that one request deletes (src/object_store, delete_objects)."""


class Clock:
    """Seconds since 1970, some of which passed without waiting."""

    def __init__(self) -> None:
        self._passed = 0.0

    def now(self) -> float:
        return time.time() + self._passed

    def let_pass(self, seconds: float) -> None:
        self._passed += seconds


class ListedObject(NamedTuple):
    """A line of a LIST."""

    path: str
    size: int
    modified: float


class Bucket:
    """A bucket by its URL `minio://KEY:SECRET@host:port/bucket`, as RisingWave writes it."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        keys, _, place = url.removeprefix(SCHEME).rpartition("@")
        endpoint, _, self.name = place.partition("/")
        key, _, secret = keys.partition(":")
        self._clock = clock
        self._written: dict[str, float] = {}
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=f"http://{endpoint}",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name="us-east-1",
        )

    def put(self, path: str, data: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=path, Body=data)
        self._written[path] = self._clock.now()

    def get(self, path: str) -> bytes | None:
        """An object's bytes, or None if there is none."""
        try:
            return bytes(self._client.get_object(Bucket=self.name, Key=path)["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None

    def list(self, prefix: str) -> Iterator[ListedObject]:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.name, Prefix=prefix):
            for item in page.get("Contents", []):
                listed: float = item["LastModified"].timestamp()
                written = self._written.get(item["Key"], listed)
                yield ListedObject(item["Key"], item["Size"], written)

    def delete(self, paths: list[str]) -> None:
        for first in range(0, len(paths), DELETE_MAX):
            wanted = [{"Key": path} for path in paths[first : first + DELETE_MAX]]
            self._client.delete_objects(Bucket=self.name, Delete={"Objects": wanted})
        for path in paths:
            self._written.pop(path, None)

    def copy_to(self, prefix: str, other: Bucket, other_prefix: str) -> None:
        """`mc cp --recursive`: the same relative paths, in another bucket."""
        for item in list(self.list(prefix)):
            data = self.get(item.path)
            assert data is not None
            other.put(other_prefix + item.path.removeprefix(prefix), data)

    def sst_paths(self) -> list[str]:
        """Every `*.data` of the bucket, sorted (common.sh, get_all_sst_paths)."""
        return sorted(item.path for item in self.list("") if sst_id(item.path) is not None)


def sst_path(directory: str, object_id: int) -> str:
    """Where an SST lies on MinIO, which always has prefixes (src/object_store/, prefix.rs)."""
    prefix = binascii.crc32(object_id.to_bytes(8, "big")) % PREFIXES
    return f"{directory}/{prefix}/{object_id}.{SST_SUFFIX}"


def sst_id(path: str) -> int | None:
    """The id of an SST by its path, None for other objects (get_object_id_from_path)."""
    number, _, suffix = path.rpartition("/")[2].partition(".")
    return int(number) if suffix == SST_SUFFIX else None
