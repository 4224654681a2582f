"""Where credentials come from, as boto3's users expect it: each row of the table in
docs/object-stores.md that loopback can try. The key that signs says whose credentials were used.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from aws_guests import TOKEN, GuestServer, guests, secure_guests, without_aws
from certificates import write_server
from habits import HabitServer, habits

from metasnapshot.cli.app import main
from metasnapshot.errors import AuthenticationError, UsageError
from metasnapshot.store.url import open_store

SESSION = "https://portal.example.com/start"


@pytest.fixture
def server() -> Generator[HabitServer]:
    with habits() as found:
        yield found


@pytest.fixture
def guest() -> Generator[GuestServer]:
    with guests() as found:
        yield found


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> Path:
    """A home without files, an environment without AWS, and services of AWS on loopback."""
    home = tmp_path / "home"
    without_aws(monkeypatch, home)
    for name in ("STS", "SSO"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", guest.endpoint)
    return home


def write(home: Path, name: str, text: str) -> None:
    (home / ".aws" / name).write_text(text)


def signers(server: HabitServer) -> set[str]:
    """The key, and region, of each request."""
    found = [asked.headers["authorization"] for asked in server.buckets.asked]
    scopes = [text.partition("Credential=")[2].split("/") for text in found]
    return {f"{scope[0]} {scope[2]}" for scope in scopes}


def variables(home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> str:
    del home, guest
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "VARIABLES")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    return "VARIABLES eu-west-1"


def variables_before_files(home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> str:
    keys(home, monkeypatch, guest)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "VARIABLES")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    return "VARIABLES eu-south-2"


def keys(home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> str:
    del guest
    write(home, "config", "[profile night]\nregion = eu-south-2\n")
    night = "[night]\naws_access_key_id = SHARED\naws_secret_access_key = s3cret\n"
    write(home, "credentials", f"[default]\naws_access_key_id = X\n{night}")
    monkeypatch.setenv("AWS_PROFILE", "night")
    return "SHARED eu-south-2"


def default_profile(home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> str:
    del guest, monkeypatch
    write(home, "credentials", "[default]\naws_access_key_id=D\naws_secret_access_key=s\n")
    return "D us-east-1"


def other_files(home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> str:
    del guest
    path = home / "elsewhere"
    path.write_text("[default]\naws_access_key_id=E\naws_secret_access_key=s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    return "E eu-west-1"


def process(home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> str:
    del guest
    said = {"Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": "s3cret"}
    script = home / "give.py"
    script.write_text(f"print({json.dumps(said)!r})")
    command = f"{sys.executable} {script}"
    write(home, "config", f"[profile p]\ncredential_process = {command}\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_PROFILE", "p")
    return "PROCESS eu-north-1"


def role(home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> str:
    keys(home, monkeypatch, guest)
    write(
        home,
        "config",
        "[profile r]\nrole_arn = arn:aws:iam::1:role/backup\nsource_profile = night\n",
    )
    monkeypatch.setenv("AWS_PROFILE", "r")
    return "ROLE us-east-1"


def write_sso(home: Path, expires: str) -> None:
    write(
        home,
        "config",
        f"[profile s]\nsso_start_url = {SESSION}\nsso_region = us-east-1\n"
        "sso_account_id = 123456789012\nsso_role_name = Backup\nregion = eu-west-2\n",
    )
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha1(SESSION.encode(), usedforsecurity=False).hexdigest()
    token = {"accessToken": "t", "expiresAt": expires, "startUrl": SESSION, "region": "us-east-1"}
    (cache / f"{name}.json").write_text(json.dumps(token))


def sso(home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> str:
    del guest
    write_sso(home, "2099-01-01T00:00:00Z")
    monkeypatch.setenv("AWS_PROFILE", "s")
    return "SSO eu-west-2"


def web_identity(home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> str:
    del guest
    (home / "token").write_text("header.payload.signature")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(home / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/backup")
    return "WEBIDENTITY us-east-1"


def web_identity_of_a_profile(
    home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer
) -> str:
    del guest
    (home / "token").write_text("header.payload.signature")
    arn = "role_arn = arn:aws:iam::1:role/backup"
    write(home, "config", f"[profile w]\n{arn}\nweb_identity_token_file = {home}/token\n")
    monkeypatch.setenv("AWS_PROFILE", "w")
    return "WEBIDENTITY us-east-1"


def pod_identity(home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> str:
    (home / "token").write_text(TOKEN)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{guest.endpoint}/pod")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(home / "token"))
    return "POD us-east-1"


def machine(home: Path, monkeypatch: pytest.MonkeyPatch, guest: GuestServer) -> str:
    del home
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", guest.endpoint)
    return "MACHINE us-east-1"


SOURCES: list[Callable[[Path, pytest.MonkeyPatch, GuestServer], str]] = [
    *(variables, variables_before_files, keys, default_profile, other_files, process, role),
    *(sso, web_identity_of_a_profile, pod_identity, machine),
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_a_source_of_credentials(
    source: Callable[[Path, pytest.MonkeyPatch, GuestServer], str],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    guest: GuestServer,
    server: HabitServer,
) -> None:
    """Reads, writes and lists are signed by its key, for the region that it says."""
    expected = source(home, monkeypatch, guest)
    monkeypatch.setenv("RW_S3_ENDPOINT", server.endpoint)
    store = open_store("s3://bucket")
    store.put_if_absent("d/x", b"1")
    assert store.read("d/x").data == b"1"
    assert [head.path for head in store.list("d/")] == ["d/x"]
    assert signers(server) == {expected}


def test_a_token_of_the_web(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    guest: GuestServer,
    server: HabitServer,
) -> None:
    """By variables alone, as Kubernetes sets them for a service account; STS by TLS, its authority
    one's own."""
    write_server(tmp_path, "localhost", "127.0.0.1")
    expected = web_identity(home, monkeypatch, guest)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("RW_S3_ENDPOINT", server.endpoint)
    with secure_guests(tmp_path / "server.pem", tmp_path / "server.key") as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.endpoint)
        open_store("s3://bucket").put_if_absent("d/x", b"1")
        assert signers(server) == {expected}
        sts.refusal = 400, "<Error><Code>ExpiredTokenException</Code><Message>old</Message></Error>"
        with pytest.raises(AuthenticationError, match="ExpiredTokenException: old"):
            open_store("s3://bucket").head("d/x")


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "file"])
def test_an_endpoint_of_aws(
    variable: str, home: Path, monkeypatch: pytest.MonkeyPatch, server: HabitServer
) -> None:
    """By AWS's variables, or in the profile."""
    keys_only = "aws_access_key_id=D\naws_secret_access_key=s\n"
    write(home, "credentials", f"[default]\n{keys_only}")
    if variable == "file":
        write(home, "config", f"[default]\nendpoint_url = {server.endpoint}\n")
    else:
        monkeypatch.setenv(variable, server.endpoint)
    open_store("s3://bucket").put_if_absent("d/x", b"1")
    assert sorted(server.buckets.objects["bucket"]) == ["d/x"]


def test_a_profile_that_is_not_there_is_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable that names it."""
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(UsageError, match="nowhere") as caught:
        open_store("s3://bucket")
    assert "AWS_PROFILE" in caught.value.hint


def test_files_that_cannot_be_read_are_2(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the file's name."""
    monkeypatch.setenv("AWS_PROFILE", "x")
    write(home, "config", "no section\n[[[")
    with pytest.raises(UsageError, match="config"):
        open_store("s3://bucket")


def test_an_sso_session_that_ended_is_15(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that begins another, before anything is asked for."""
    write_sso(home, "2020-01-01T00:00:00Z")
    monkeypatch.setenv("AWS_PROFILE", "s")
    with pytest.raises(AuthenticationError) as caught:
        open_store("s3://bucket")
    assert caught.value.hint == "aws sso login --profile s"


def test_a_profile_without_botocore_is_2(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install; nobody looks for a machine's role instead."""
    keys(home, monkeypatch, GuestServer.__new__(GuestServer))
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(UsageError, match="botocore") as caught:
        open_store("s3://bucket")
    assert "pip install" in caught.value.hint


def test_no_credentials_at_all_are_15_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    guest: GuestServer,
    server: HabitServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A machine without a role: no XML, and nothing that looks like the store's address."""
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"{guest.endpoint}/none")
    monkeypatch.setenv("RW_S3_ENDPOINT", server.endpoint)
    assert main(["list", "--backup-storage-url", "s3://bucket"]) == 15
    said = capsys.readouterr().err
    assert "credentials" in said
    assert "docs/object-stores.md" in said
    assert len(said) < 300
