"""S3 over loopback, and what fsspec reaches: the one suite of every store, and what is theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import obstore
import pytest
import stress
from bucket_suite import LargeObjectSuite
from exhaustive import WHOLE
from habits import Refused, any_request, habits
from obstore.exceptions import BaseError
from s3 import S3Server
from store.test_stores import StoreSuite

from metasnapshot.errors import AuthenticationError, ConflictError, StorageError, UsageError
from metasnapshot.store import upload
from metasnapshot.store.clients import connector
from metasnapshot.store.lease import LeasedStore
from metasnapshot.store.location import parse_location
from metasnapshot.store.other import OtherStore
from metasnapshot.store.port import Store
from metasnapshot.store.remote import RemoteStore
from metasnapshot.store.retry import RetryPolicy
from metasnapshot.store.trial import TriedStore, try_store
from metasnapshot.store.url import open_store

OPERATIONS = 60 if WHOLE else 6
"""Of each process; the server answers some hundred requests a second."""
STRESS_S = 600.0


def open_remote(url: str, policy: RetryPolicy | None = None) -> RemoteStore:
    place = parse_location(url)
    return RemoteStore(connector(place), place.url, place.root, policy)


class TestS3(LargeObjectSuite):
    """By the URL that RisingWave has for it."""

    @pytest.fixture
    def store(self, s3: S3Server) -> Store:
        return open_store(s3.minio(s3.bucket()))

    @pytest.fixture
    def raw(self, s3: S3Server, store: Store) -> Callable[[str], bytes]:
        bucket = store.url.rpartition("/")[2]
        return lambda path: s3.read(bucket, path)

    def test_parts_of_a_large_object_that_fails_are_gone(self, store: Store, s3: S3Server) -> None:
        """The server would keep them, and bill for them, for ever."""
        self.fail_at_a_large_object(store)
        assert s3.uploads(store.url.rpartition("/")[2]) == []

    def test_a_large_object_overwrites_nothing(self, store: Store) -> None:
        """What got the name while it went up keeps it."""

        def lose() -> None:
            with store.open_writer("d/large") as file:
                file.write(bytes(upload.PART_SIZE + 1))
                store.put_if_absent("d/large", b"first")

        with pytest.raises(ConflictError):
            lose()
        assert store.read("d/large").data == b"first"


class TestFsspec(StoreSuite):
    """A file system without conditional writes, under a lease."""

    @pytest.fixture
    def files(self) -> OtherStore:
        return OtherStore(parse_location(f"memory://{uuid4().hex}/root"))

    @pytest.fixture
    def store(self, files: OtherStore) -> Store:
        return LeasedStore(files)

    @pytest.fixture
    def raw(self, files: OtherStore) -> Callable[[str], bytes]:
        return lambda path: files.read(path).data


def test_every_promise_is_kept(s3: S3Server) -> None:
    """The server's conditional writes are proven before anything rests on them."""
    found = try_store(open_remote(s3.minio(s3.bucket())), "backup")
    assert [item.name for item in found if not item.held] == []
    assert len(found) == 8


class Overwriting(RemoteStore):
    """A service that answers 200 to a second create and to a stale etag, as some do."""

    def put_if_absent(self, path: str, data: bytes) -> str:
        return self.put(path, data)

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:  # noqa: ARG002
        return self.put(path, data)


class TestUntrusted(StoreSuite):
    """Such a service gets its conditional writes from a lease."""

    @pytest.fixture
    def store(self, s3: S3Server) -> Store:
        place = parse_location(s3.minio(s3.bucket()))
        return TriedStore(Overwriting(connector(place), place.url))

    @pytest.fixture
    def raw(self, s3: S3Server, store: Store) -> Callable[[str], bytes]:
        bucket = store.url.rpartition("/")[2]
        return lambda path: s3.read(bucket, path)


def test_a_wrong_key_is_15() -> None:
    """Named without the key."""
    with habits() as server:
        server.buckets.refuse(any_request, Refused(403, "InvalidAccessKeyId"))
        with pytest.raises(AuthenticationError) as caught:
            open_store(server.url).head("x")
    assert caught.value.exit_code == 15
    assert "s3cret" not in str(caught.value) + caught.value.hint


def test_no_bucket_is_17(s3: S3Server) -> None:
    """And not an empty directory."""
    with pytest.raises(StorageError, match="no such bucket") as caught:
        open_store(s3.minio("nobucket")).read("manifest.json")
    assert caught.value.exit_code == 17


def test_nobody_there_is_17_after_retries() -> None:
    """Every try is counted, and none takes longer than it may."""
    store = open_remote(
        "minio://k:s@127.0.0.1:1/bucket", RetryPolicy(retries=2, backoff_s=0.01, timeout_s=1)
    )
    with pytest.raises(StorageError) as caught:
        store.put_if_absent("x", b"1")
    assert caught.value.exit_code == 17


def test_an_answer_that_got_lost(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A create whose answer is lost is tried again, meets itself, and did succeed; one that meets
    another did not."""
    store = open_remote(s3.minio(s3.bucket()), RetryPolicy(backoff_s=0.01))
    honest = obstore.put
    lost = iter([True])

    def lossy(*arguments: Any, **options: Any) -> Any:
        answer = honest(*arguments, **options)
        if next(lost, False):
            raise BaseError("the answer got lost")
        return answer

    monkeypatch.setattr(obstore, "put", lossy)
    etag = store.put_if_absent("m", b"ours")
    assert store.read("m").etag == etag
    lost = iter([True])
    store.put_if_match("m", b"second", etag)
    with pytest.raises(ConflictError):
        store.put_if_absent("m", b"second")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket", "s3://bucket"),
        ("hummock+s3://bucket", "s3://bucket"),
        ("s3://bucket/a/b", "s3://bucket@a/b"),
        ("minio://k:s3cret@127.0.0.1:9000/bucket", "minio://127.0.0.1:9000/bucket"),
        ("minio://k:s3c@ret@https://host:9000/bucket", "minio://host:9000/bucket"),
        ("gcs://bucket@a/b", "gcs://bucket@a/b"),
        ("gs://bucket/a/b", "gcs://bucket@a/b"),
    ],
)
def test_urls(url: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RisingWave's forms and ordinary ones; keys are never shown."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    assert open_store(url).url == shown


@pytest.mark.parametrize(
    ("url", "missing"),
    [
        ("oss://bucket@root", "OSS_ENDPOINT"),
        ("obs://bucket@root", "OBS_ENDPOINT"),
        ("azblob://container@root", "AZBLOB_ENDPOINT"),
    ],
)
def test_a_missing_variable_is_named(
    url: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, with the variable that the service needs."""
    monkeypatch.delenv(missing, raising=False)
    with pytest.raises(UsageError, match=missing):
        open_store(url)


def test_no_snapshot_is_lost_and_none_is_a_phantom(s3: S3Server) -> None:
    """Eight processes create and delete in one directory, by compare-and-swap and without locks."""
    url = s3.minio(s3.bucket())
    promises = try_store(open_remote(url), "backup")
    assert [item.name for item in promises if not item.held] == []
    stress.expect(url, stress.run(url, 8, OPERATIONS, STRESS_S))
