"""A new service is one row: its URLs are read, shown, compared and opened by what the row says."""

from __future__ import annotations

from pathlib import Path

import pytest

from metasnapshot.errors import UsageError
from metasnapshot.hummock.paths import is_prefixed
from metasnapshot.store import services
from metasnapshot.store.clients import Connector, connector, minio
from metasnapshot.store.context import Context
from metasnapshot.store.local import LocalStore
from metasnapshot.store.location import Location, parse_location, same_place
from metasnapshot.store.pages import S3_PAGES
from metasnapshot.store.port import Store
from metasnapshot.store.questions import s3_options
from metasnapshot.store.services import (
    SERVICES,
    Service,
    find_service,
    load,
    parse_bucket,
    parse_minio,
)
from metasnapshot.store.shown_url import shown_url
from metasnapshot.store.trial import TriedStore
from metasnapshot.store.url import open_store

roots: list[Path] = []
"""Where the toy service keeps its buckets."""


def open_toy(place: Location, _: Context) -> Store:
    """A bucket of the toy service: a directory."""
    return LocalStore(roots[-1] / place.bucket / place.root)


def connect_toy(place: Location) -> Connector:
    """A bucket of a service that speaks S3's protocol, with keys in the URL."""
    return minio(place)


TOY = Service(
    "toy",
    ("toy://BUCKET@ROOT",),
    parse_bucket,
    opens=f"{__name__}:open_toy",
    aliases=("plaything",),
)
KIN = Service(
    "kin",
    ("kin://USER:PASSWORD@HOST:PORT/BUCKET",),
    parse_minio,
    connects=f"{__name__}:connect_toy",
    has_keys=True,
    speaks_s3=True,
)


@pytest.fixture(autouse=True)
def _rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The table with two rows more."""
    monkeypatch.setattr(services, "SERVICES", [*SERVICES, TOY, KIN])
    monkeypatch.setattr(services, "import_module", _import)
    roots.append(tmp_path)


def _import(name: str) -> object:
    """This very module too, which pytest loads under a name of its own."""
    import importlib  # noqa: PLC0415
    import sys  # noqa: PLC0415

    return sys.modules[name] if name in sys.modules else importlib.import_module(name)


def test_a_row_is_a_service(tmp_path: Path) -> None:
    """Opened by any of its schemes, in any form of URL, and named as RisingWave writes it."""
    urls = ("toy://b@a/c", "toy://b/a/c", "plaything://b@a/c", "hummock+toy://b@a/c")
    for number, url in enumerate(urls):
        assert parse_location(url) == Location("toy", "b", "a/c")
        assert parse_location(url).url == "toy://b@a/c"
        open_store(url).put_if_absent(f"x{number}", b"1")
    assert len(list((tmp_path / "b" / "a" / "c").glob("x*"))) == 4
    assert same_place("toy://b@a", "c", "plaything://b/a", "c")
    assert not same_place("toy://b@a", "c", "s3://b@a", "c")
    assert is_prefixed("plaything://b", {}) is is_prefixed("toy://b", {})


def test_a_row_that_speaks_s3_is_a_bucket() -> None:
    """It gets obstore's client, a trial before its conditions are trusted, lists of odd keys and
    checksums."""
    store = open_store("kin://key:s3cret@127.0.0.1:9/b")
    assert isinstance(store, TriedStore)
    assert store.url == "kin://127.0.0.1:9/b"
    made = connector(parse_location("kin://key:s3cret@127.0.0.1:9/b"))
    asking = s3_options(made.place, made.options, "list-type=2")
    assert asking["endpoint"].startswith("http://127.0.0.1:9/b?list-type=2")
    assert made.dialect is S3_PAGES
    client = made(1.0, None, checksums=1)
    assert client.config["checksum_algorithm"] == "SHA256"


def test_what_a_row_says_of_keys_holds_for_messages() -> None:
    """Where keys may stand in a URL they are hidden; where they may not such a URL is refused."""
    assert shown_url("kin://key:s3cret@127.0.0.1:9/b") == "kin://****@127.0.0.1:9/b"
    assert shown_url("toy://b@a/c") == "toy://b@a/c"
    with pytest.raises(UsageError, match="toy:// takes no keys"):
        parse_location("toy://key:s3cret@b")


def test_hints_name_the_row() -> None:
    """Among the known forms."""
    with pytest.raises(UsageError) as caught:
        open_store("nothing")
    assert "toy://BUCKET@ROOT" in caught.value.hint


def test_rows_are_whole() -> None:
    """No two rows share a scheme, and what a row names is there."""
    schemes = [scheme for row in SERVICES for scheme in (row.name, *row.aliases)]
    assert sorted(schemes) == sorted(set(schemes))
    for row in SERVICES:
        assert find_service(row.name) is row
        assert callable(load(row.opens))
        assert not row.connects or callable(load(row.connects))
        assert row.forms
