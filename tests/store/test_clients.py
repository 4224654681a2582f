"""Clients of buckets: what the environment makes of their addresses and keys, and what of it a
message shows.
"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from metasnapshot.errors import UsageError
from metasnapshot.store.clients import connector
from metasnapshot.store.location import parse_location

VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
HIDDEN = "geheim"
CLIPPED = json.dumps({"type": "service_account", "private_key": HIDDEN})
WRONG_TYPE = {"private_key_id": "1", "private_key": "", "client_email": "", "disable_oauth": HIDDEN}


def client(url: str) -> Any:
    """Obstore's client of a bucket, which says how it was made."""
    return connector(parse_location(url))(1.0, None)


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def key_file() -> str:
    """What Google gives for a service account."""
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return json.dumps(
        {
            "type": "service_account",
            "private_key": pem.decode(),
            "private_key_id": "1",
            "client_email": "backup@project.iam.gserviceaccount.com",
            "client_id": "1",
        }
    )


def test_google_key_is_a_file(
    key_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its path, as Google's own clients have it."""
    path = tmp_path / "key.json"
    path.write_text(key_file)
    monkeypatch.setenv(VARIABLE, str(path))
    assert client("gcs://bucket").config["application_credentials"] == str(path)


@pytest.mark.parametrize("is_encoded", [False, True], ids=["plain", "base64"])
def test_google_key_is_the_value_itself(
    key_file: str, monkeypatch: pytest.MonkeyPatch, *, is_encoded: bool
) -> None:
    """As RisingWave's client has it, in base64."""
    monkeypatch.setenv(VARIABLE, encoded(key_file) if is_encoded else key_file)
    assert client("gcs://bucket").config["service_account_key"] == key_file


@pytest.mark.parametrize(
    "value",
    [
        HIDDEN,
        f"{HIDDEN}/no/such/file.json",
        encoded(HIDDEN),
        encoded("\N{SNOWMAN}" + HIDDEN)[1:],
        CLIPPED,
        encoded(CLIPPED),
        encoded(CLIPPED[:-3]),
        json.dumps(WRONG_TYPE),
        encoded(json.dumps(WRONG_TYPE)),
        HIDDEN * 1000,
    ],
)
def test_google_key_that_is_none_is_not_shown(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be one with a letter missing: exit 2, with neither the value nor what is in it."""
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(UsageError) as caught:
        client("gcs://bucket")
    said = f"{caught.value} {caught.value.hint}"
    assert caught.value.exit_code == 2
    assert HIDDEN not in said
    assert value[:8] not in said


def test_google_key_that_is_no_file_is_told_what_it_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variable by its name, and both of its forms."""
    monkeypatch.setenv(VARIABLE, "/no/such/file.json")
    with pytest.raises(UsageError, match=VARIABLE) as caught:
        client("gcs://bucket")
    assert "path of its JSON file, or its content as base64" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [HIDDEN, json.dumps(HIDDEN), json.dumps({"type": f"{HIDDEN}, expected\nnothing"}), CLIPPED],
)
def test_what_is_in_a_file_that_is_no_key_is_not_shown(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be another secret, under the wrong variable."""
    path = tmp_path / "key.json"
    path.write_text(content)
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(UsageError) as caught:
        client("gcs://bucket")
    assert HIDDEN not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("http://region.example.com", "http://bucket.region.example.com"),
        ("https://s3.example.com/", "https://bucket.s3.example.com"),
        ("s3.example.com:9000", "https://bucket.s3.example.com:9000"),
    ],
)
def test_a_bucket_is_a_host_of_the_endpoint(
    endpoint: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As RisingWave has it, where the endpoint has a name."""
    monkeypatch.setenv("RW_S3_ENDPOINT", endpoint)
    monkeypatch.delenv("RW_IS_FORCE_PATH_STYLE", raising=False)
    found = client("s3://bucket").config
    assert (found["endpoint"], found["virtual_hosted_style_request"]) == (address, "true")


@pytest.mark.parametrize(
    ("endpoint", "forced"),
    [
        ("http://127.0.0.1:9000", ""),
        ("http://[::1]:9000", ""),
        ("http://localhost:9000", "false"),
        ("http://region.example.com", "true"),
        ("http://region.example.com", "TRUE"),
    ],
)
def test_a_bucket_is_a_path_of_an_address(
    endpoint: str, forced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which has no hosts below it; or wherever RW_IS_FORCE_PATH_STYLE says so."""
    monkeypatch.setenv("RW_S3_ENDPOINT", endpoint)
    monkeypatch.setenv("RW_IS_FORCE_PATH_STYLE", forced)
    found = client("s3://bucket").config
    assert (found["endpoint"], found["virtual_hosted_style_request"]) == (endpoint, "false")
