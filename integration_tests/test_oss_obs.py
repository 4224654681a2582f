"""OSS and OBS, which speak S3's protocol too: the suite of every bucket over S3's server, with each
service's own variables."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest
from bucket_suite import BucketSuite
from s3 import S3Server, s3_server

from metasnapshot.store.location import parse_location
from metasnapshot.store.port import Store
from metasnapshot.store.url import open_store

SECRET = "s3cret of nobody"


@pytest.fixture(scope="module")
def strict() -> Generator[tuple[S3Server, str]]:
    """A server that knows nobody, but for whoever made its one bucket."""
    with s3_server(INITIAL_NO_AUTH_ACTION_COUNT="1") as server:
        yield server, server.bucket()


class KinSuite(BucketSuite):
    """By the URL that RisingWave has for it.

    Attributes:
        service: the URL's scheme.
        key: the variable that has the key's name.
        secret: the variable that has the key.
    """

    service: str
    key: str
    secret: str

    @pytest.fixture
    def url(self, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv(self.endpoint, f"http://127.0.0.1:{s3.port}")
        monkeypatch.setenv(self.key, "key")
        monkeypatch.setenv(self.secret, SECRET)
        return f"{self.service}://{s3.bucket()}@some/root"

    @pytest.fixture
    def refused(
        self, url: str, strict: tuple[S3Server, str], monkeypatch: pytest.MonkeyPatch
    ) -> str:
        server, bucket = strict
        monkeypatch.setenv(self.endpoint, f"http://127.0.0.1:{server.port}")
        return url.replace(parse_location(url).bucket, bucket)

    @pytest.fixture
    def raw(self, s3: S3Server, url: str) -> Callable[[str], bytes]:
        bucket = parse_location(url).bucket
        return lambda path: s3.read(bucket, f"some/root/{path}")

    def test_a_bucket_is_a_host_of_a_named_endpoint(
        self, s3: S3Server, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As these services want it; the server stands in for all hosts."""
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{s3.port}")
        monkeypatch.setenv(self.endpoint, "http://region.example.com")
        store: Store = open_store(url)
        store.put_if_absent("x", b"1")
        assert s3.read(parse_location(url).bucket, "some/root/x") == b"1"


class TestOss(KinSuite):
    service, endpoint = "oss", "OSS_ENDPOINT"
    key, secret = "OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET"


class TestObs(KinSuite):
    service, endpoint = "obs", "OBS_ENDPOINT"
    key, secret = "OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY"
