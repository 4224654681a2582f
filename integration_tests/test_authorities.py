"""Authorities of one's own, beside the system's: by option, setting, variable and profile."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from aws_guests import without_aws
from certificates import write_server
from habits import HabitServer, secure_habits

from metasnapshot.cli.app import main
from metasnapshot.library import directory


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without files, an environment without AWS."""
    home = tmp_path / "home"
    without_aws(monkeypatch, home)
    return home


@pytest.fixture
def secure(tmp_path: Path) -> Generator[HabitServer]:
    write_server(tmp_path, "localhost", "127.0.0.1")
    with secure_habits(tmp_path / "server.pem", tmp_path / "server.key") as found:
        yield found


@pytest.mark.parametrize("way", ["AWS_CA_BUNDLE", "profile", "option", "setting"])
def test_an_authority_of_ones_own(
    way: str,
    home: Path,
    secure: HabitServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A certificate that it signed is trusted; without it is not."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("RW_S3_ENDPOINT", secure.endpoint)
    command = ["list", "--backup-storage-url", "s3://bucket", "--storage-retries", "0"]
    assert main(command) == 17
    assert "UnknownIssuer" in capsys.readouterr().err
    path = str(tmp_path / "ca.pem")
    if way == "profile":
        (home / ".aws" / "config").write_text(f"[default]\nca_bundle = {path}\n")
    elif way == "option":
        command += ["--storage-ca-file", path]
    else:
        name = {"setting": "METASNAPSHOT_STORAGE_CA_FILE"}.get(way, way)
        monkeypatch.setenv(name, path)
    assert main(command) == 0


@pytest.mark.parametrize("url", ["minio://k:s@https://127.0.0.1:{port}/bucket", "oss://bucket"])
def test_the_option_is_for_every_service(
    url: str, secure: HabitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_CA_BUNDLE is for AWS."""
    monkeypatch.setenv("OSS_ENDPOINT", secure.endpoint)
    monkeypatch.setenv("OSS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("OSS_ACCESS_KEY_SECRET", "s")
    named = url.format(port=secure.server_port)
    command = ["list", "--backup-storage-url", named, "--storage-retries", "0"]
    assert main(command) == 17
    assert main([*command, "--storage-ca-file", str(tmp_path / "ca.pem")]) == 0


@pytest.mark.parametrize("content", [None, "no certificate", "-----BEGIN CERTIFICATE-----\nx"])
def test_a_file_that_is_no_authority_is_2(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not there, without a certificate, with half a one; the file is named."""
    path = tmp_path / "mine.pem"
    if content is not None:
        path.write_text(content)
    place = ["--backup-storage-url", "minio://k:s@127.0.0.1:1/bucket"]
    assert main(["list", *place, "--storage-ca-file", str(path)]) == 2
    assert "mine.pem" in capsys.readouterr().err


def test_two_threads_have_authorities_of_their_own(
    secure: HabitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands that run side by side trust what their own lines say, whoever began first."""
    url = f"minio://k:s@https://127.0.0.1:{secure.server_port}/bucket"
    command = ["list", "--backup-storage-url", url, "--storage-retries", "0"]
    trusting = [*command, "--storage-ca-file", str(tmp_path / "ca.pem")]
    began = Barrier(2)
    opened = directory.open_store

    def together(*arguments: Any) -> Any:
        began.wait(30)  # both have read their options, neither has opened its store
        return opened(*arguments)

    monkeypatch.setattr(directory, "open_store", together)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(main, [trusting, command])) == [0, 17]
