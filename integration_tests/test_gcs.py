"""GCS by a server of the tests' own: the suite of every bucket, and what is this service's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bucket_suite import BucketSuite, open_bucket
from gcs_server import PAGE_MAX, Bucket, GcsServer, Stored

from metasnapshot.errors import ConflictError
from metasnapshot.store import upload
from metasnapshot.store.location import parse_location
from metasnapshot.store.port import Store
from metasnapshot.store.url import open_store


class TestGcs(BucketSuite):
    """By the URL that RisingWave has for it."""

    endpoint = "STORAGE_EMULATOR_HOST"

    @pytest.fixture
    def url(self, gcs: GcsServer, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.endpoint)
        return f"gcs://{gcs.bucket()}@some/root"

    @pytest.fixture
    def refused(self, gcs: GcsServer, url: str) -> str:  # noqa: ARG002 - for its environment
        """Whoever asks an emulator is anonymous."""
        return f"gcs://{gcs.bucket(is_private=True)}@some/root"

    @pytest.fixture
    def raw(self, gcs: GcsServer, url: str) -> Callable[[str], bytes]:
        bucket = parse_location(url).bucket
        return lambda path: gcs.read(bucket, f"some/root/{path}")

    @pytest.fixture
    def bucket(self, gcs: GcsServer, url: str) -> Bucket:
        return gcs.buckets[parse_location(url).bucket]

    def test_parts_of_an_upload_that_failed_are_gone(self, store: Store, bucket: Bucket) -> None:
        """None is left to be paid for, and the name is free."""

        def fail() -> None:
            with store.open_writer("d/large") as file:
                file.write(bytes(2 * upload.PART_SIZE))
                raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            fail()
        assert bucket.uploads == {}
        store.put_if_absent("d/large", b"small")

    def test_a_list_has_all_its_pages(self, store: Store, bucket: Bucket) -> None:
        """More objects than a page has come once each, by path."""
        names = [f"a/{number:05}" for number in range(2 * PAGE_MAX + 3)]
        for name in names:
            bucket.objects[f"some/root/{name}"] = Stored(b"1")
        assert [head.path for head in store.list("a/")] == names

    def test_the_same_bytes_again_are_another_version(self, url: str) -> None:
        """A swap goes by generation; an etag is a hash of the bytes, and would let it through."""
        store = open_bucket(url)
        first = store.put_if_absent("m", b"1")
        second = store.put_if_match("m", b"2", first)
        third = store.put_if_match("m", b"1", second)
        assert third != first
        with pytest.raises(ConflictError):
            store.put_if_match("m", b"3", first)


def test_an_ordinary_url_is_the_same_place(gcs: GcsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """gs:// has the root behind a slash; both see one object."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.endpoint)
    bucket = gcs.bucket()
    open_store(f"gs://{bucket}/some/root").put_if_absent("x", b"1")
    assert gcs.read(bucket, "some/root/x") == b"1"
    assert open_store(f"hummock+gcs://{bucket}@some/root").read("x").data == b"1"
