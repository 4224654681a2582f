"""Keys that no path means: anybody who may write to a bucket can make them. They stop no verb; gc
names them as foreign, and whatever lists the data directory passes them over with a warning.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, quote, urlsplit

import goldens
import pytest
from azure import ACCOUNT, KEY, AzureServer
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from gcs_server import GcsServer
from obstore.store import GCSStore
from s3_memory import MemoryServer, memory_server

from metasnapshot.cli.app import main
from metasnapshot.errors import MetasnapshotError, StorageError
from metasnapshot.store.location import parse_location
from metasnapshot.store.pages import parse_blob_page, read_blob_pages
from metasnapshot.store.port import ObjectHead
from metasnapshot.store.questions import azure_question, fetch, google_question
from metasnapshot.store.url import open_store

TAG = goldens.SHIPPED / "v3.0.3"
ODD = (
    "//stray.txt",
    "/./stray.txt",
    "/../stray.txt",
    "/a/../../b",
    "//",
    "/new\nline",
    "/bell\x07",
    "/tab\t/x",
    "/x//",
)
"""Behind a directory's name."""


class Server(Protocol):
    """Looks into buckets without the store under test."""

    def write(self, bucket: str, path: str, data: bytes, /) -> None: ...

    def read(self, bucket: str, path: str, /) -> bytes: ...


class Place(NamedTuple):
    """A bucket of a service."""

    server: Server
    bucket: str
    url: str
    refuses: tuple[str, ...] = ()
    """What its emulator cannot list: it has no XML for them."""

    def put(self, key: str) -> None:
        self.server.write(self.bucket, key, b"1")


@pytest.fixture(scope="module")
def memory() -> Generator[MemoryServer]:
    with memory_server() as running:
        yield running


@pytest.fixture
def place(memory: MemoryServer) -> Place:
    bucket = memory.bucket()
    return Place(memory, bucket, memory.minio(bucket))


@pytest.fixture(params=["s3", "gcs", "azure"])
def any_place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A bucket of each service in turn."""
    return _place(request, monkeypatch)


def _place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "s3":
        return request.getfixturevalue("place")
    if request.param == "gcs":
        gcs: GcsServer = request.getfixturevalue("gcs")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.endpoint)
        bucket = gcs.bucket()
        return Place(gcs, bucket, f"gcs://{bucket}")
    azure: AzureServer = request.getfixturevalue("azure")
    monkeypatch.setenv("AZBLOB_ENDPOINT", azure.endpoint)
    monkeypatch.setenv("AZBLOB_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZBLOB_ACCOUNT_KEY", KEY)
    bucket = azure.container()
    return Place(azure, bucket, f"azblob://{bucket}", ("/bell\x07",))


def prepare(url: str, root: Path) -> list[str]:
    """A meta store, and its state in the same bucket; the arguments that name them."""
    store = open_store(url)
    goldens.write_state(TAG, root / "state")
    for path in (root / "state").rglob("*"):
        if path.is_file():
            name = str(path.relative_to(root / "state"))
            store.put_if_absent(name, path.read_bytes())
    meta_store = f"sqlite:///{goldens.copy_store(TAG, root / 'meta.db')}"
    state = ["--hummock-storage-url", url]
    return ["--meta-store", meta_store, *state, "--hummock-storage-directory", "hummock_001"]


def run(*command: str) -> int:
    return main(command)


def told(capsys: pytest.CaptureFixture[str], *command: str) -> Any:
    """What a command prints as JSON."""
    capsys.readouterr()
    code = main([*command, "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    return json.loads(said.out)


@pytest.fixture(params=["s3", "gcs"])
def listed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """One that is written to in memory: a thousand objects are there at once."""
    return _place(request, monkeypatch)


@pytest.mark.parametrize("odd", [ODD, ODD[:1]], ids=["all kinds", "one key"])
def test_an_odd_key_stops_no_verb(
    any_place: Place,
    odd: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """backup, list, check, verify, gc, rebuild-manifest; gc names it and takes nothing away."""
    made = prepare(any_place.url, tmp_path)
    place = ["--backup-storage-url", any_place.url]
    taken = [end for end in odd if end not in any_place.refuses]
    keys = [f"{directory}{end}" for end in taken for directory in ("backup", "hummock_001")]
    for key in keys:
        any_place.put(key)
    assert run("backup", *made, *place) == 0
    assert [item["id"] for item in told(capsys, "list", *place)["snapshots"]] == [9]
    assert run("check", *place) == 0
    strays = told(capsys, "gc", "--commit", "--grace", "0s", *place)
    assert {(item["kind"], item["due"]) for item in strays["found"]} == {("foreign", False)}
    named = tuple(item["path"] for item in strays["found"])
    assert all(key.startswith(named) for key in keys if key.startswith("backup"))
    assert "backup//" in named
    assert strays["deleted"] == []
    assert run("rebuild-manifest", "--commit", *place) == 0
    assert run("backup", *made, *place) == 0
    for key in keys:
        assert any_place.server.read(any_place.bucket, key) == b"1"


def test_a_list_passes_odd_keys_over(listed: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Those of all pages, before and behind them; a few are named, and more are counted."""
    paths = [f"d/{number:05}.data" for number in range(2500)]
    store = open_store(listed.url)
    for path in paths:
        listed.put(path)
    for number in range(5):
        listed.put(f"d/01{number}00.data//x")
    listed.put("d/folder/")
    assert [head.path for head in store.list("d/")] == [*paths, "d/folder"]
    assert [head.path for head in store.list("d/010")] == [path for path in paths if "/010" in path]
    assert "key 'd/01000.data//x' is no path: passed over" in caplog.text
    assert "5 keys are no paths" in caplog.text
    assert "01400" not in caplog.text


def test_names_of_many_pages(listed: Place) -> None:
    """As the library lists them, with one odd key more."""
    for number in range(1500):
        listed.put(f"root/d/{number:05}/x")
        listed.put(f"root/d/{number:05}.data")
    store = open_store(listed.url + ("/root" if listed.url.startswith("minio") else "@root"))
    before = store.names("d")
    assert (len(before.objects), len(before.directories), before.odd) == (1500, 1500, ())
    listed.put("root/d//x")
    after = store.names("d")
    assert (after.objects, after.directories) == (before.objects, before.directories)
    assert [(head.size, head.modified) for head in after.objects] == [
        (head.size, head.modified) for head in before.objects
    ]
    assert after.odd == ("d//",)


def test_google_is_asked_with_a_signature() -> None:
    """A service account's key signs the list's whole query, as version 4 of signatures has it."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = json.dumps({"private_key": pem, "private_key_id": "1", "client_email": "a@b.c"})
    place = parse_location("gcs://bucket@root")
    options = {"service_account_key": account}
    query = "list-type=2&encoding-type=url&prefix=backup%2F&delimiter=%2F"
    asked = urlsplit(google_question(place, GCSStore, options, query).url)
    found = dict(parse_qsl(asked.query))
    assert (asked.path, found["prefix"], found["delimiter"]) == ("/bucket", "backup/", "/")
    signature = bytes.fromhex(found.pop("X-Goog-Signature"))
    pairs = sorted(f"{quote(name, '')}={quote(text, '')}" for name, text in found.items())
    canonical = "\n".join(
        [
            "GET",
            asked.path,
            "&".join(pairs),
            "host:storage.googleapis.com",
            "",
            "host",
            "UNSIGNED-PAYLOAD",
        ]
    )
    scope = found["X-Goog-Credential"].partition("/")[2]
    lines = [found["X-Goog-Algorithm"], found["X-Goog-Date"], scope]
    text = "\n".join([*lines, sha256(canonical.encode()).hexdigest()])
    key.public_key().verify(signature, text.encode(), padding.PKCS1v15(), SHA256())


def test_azures_lists_have_pages() -> None:
    """Each begins where the last one said; names are decoded, sizes and times are there."""
    asked: list[str] = []

    def ask(query: str) -> bytes:
        asked.append(query)
        number, marker = (2, "") if "marker=x%2F1" in query else (1, "x/1")
        return f"""<?xml version="1.0"?><EnumerationResults><Blobs>
            <Blob><Name Encoded="true">d/%2F{number}%07</Name><Properties>
            <Last-Modified>Fri, 02 Jan 2026 03:04:05 GMT</Last-Modified>
            <Content-Length>{number}</Content-Length></Properties></Blob>
            <BlobPrefix><Name>d/{number}//</Name></BlobPrefix>
            </Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>""".encode()

    first, second = read_blob_pages(ask, "d/", "/")
    assert [len(asked), "prefix=d%2F&delimiter=%2F" in asked[0]] == [2, True]
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert first.objects == [ObjectHead("d//1\x07", 1, when)]
    assert (second.objects[0].path, second.prefixes) == ("d//2\x07", ["d/2//"])
    for wrong in (b"<html/>", b"no", b"<EnumerationResults><Blobs><Blob/></Blobs>"):
        with pytest.raises(StorageError, match="the answer to a request for a list"):
            parse_blob_page(wrong)


def test_azure_is_asked_with_a_shared_access_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands in the environment; with neither that nor a key nobody is asked."""
    place = parse_location("azblob://bucket@root")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=x%3D")
    asked = azure_question(place, {"account_name": "a"}, "comp=list")
    assert asked.url == "https://a.blob.core.windows.net/bucket?comp=list&sv=1&sig=x%3D"
    monkeypatch.delenv("AZURE_STORAGE_SAS_TOKEN")
    with pytest.raises(StorageError, match="a key that is no path") as caught:
        azure_question(place, {"account_name": "a"}, "comp=list")
    assert "shared access signature" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "code"), [({"AZBLOB_ACCOUNT_KEY": "c2VjcmV0"}, 15), ({"AZBLOB_ENDPOINT": ""}, 17)]
)
def test_a_refused_question_is_told_without_its_signature(
    azure: AzureServer, wrong: dict[str, str], code: int
) -> None:
    """By the service's code; what was asked may open doors and is not shown."""
    endpoint = azure.endpoint if "AZBLOB_ENDPOINT" not in wrong else "http://127.0.0.1:1/a"
    options = {"account_name": ACCOUNT, "account_key": wrong.get("AZBLOB_ACCOUNT_KEY", KEY)}
    place = parse_location(f"azblob://{azure.container()}")
    asked = azure_question(place, options | {"endpoint": endpoint}, "restype=container&comp=list")
    with pytest.raises(MetasnapshotError) as caught:
        fetch(asked, place.url, 5.0, None)
    assert caught.value.exit_code == code
    assert asked.headers["Authorization"] not in str(caught.value)
    assert "comp=list" not in str(caught.value)
