"""Azure by azurite: the suite of every bucket, by RisingWave's URL and by an ordinary one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from azure import ACCOUNT, KEY, AzureServer
from bucket_suite import BucketSuite

from metasnapshot.store.location import parse_location
from metasnapshot.store.port import Store
from metasnapshot.store.url import open_store

WRONG_KEY = "s3cret11"


class TestAzure(BucketSuite):
    """By the URL that RisingWave has for it."""

    endpoint = "AZBLOB_ENDPOINT"
    wrong = ("AZBLOB_ACCOUNT_KEY", WRONG_KEY)

    @pytest.fixture
    def url(self, azure: AzureServer, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("AZBLOB_ENDPOINT", azure.endpoint)
        monkeypatch.setenv("AZBLOB_ACCOUNT_NAME", ACCOUNT)
        monkeypatch.setenv("AZBLOB_ACCOUNT_KEY", KEY)
        return f"azblob://{azure.container()}@some/root"

    @pytest.fixture
    def raw(self, azure: AzureServer, url: str) -> Callable[[str], bytes]:
        container = parse_location(url).bucket
        return lambda path: azure.read(container, f"some/root/{path}")


def test_an_ordinary_url_is_the_same_place(
    azure: AzureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """abfs:// has the account in it; both see one object."""
    monkeypatch.setenv("AZBLOB_ENDPOINT", f"{azure.endpoint}/")
    monkeypatch.setenv("AZBLOB_ACCOUNT_KEY", KEY)
    container = azure.container()
    account = f"{ACCOUNT}.dfs.core.windows.net"
    store: Store = open_store(f"abfs://{container}@{account}/some/root")
    store.put_if_absent("x", b"1")
    assert azure.read(container, "some/root/x") == b"1"
    monkeypatch.setenv("AZBLOB_ACCOUNT_NAME", ACCOUNT)
    assert open_store(f"hummock+azblob://{container}@some/root").read("x").data == b"1"
