"""Settings: command line over environment over metasnapshot.toml over default, and each says where
it comes from.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metasnapshot.cli.app import main

FILE = """
[meta_store]
url = "sqlite:///meta.db"

[storage]
backup_storage_url = "fs://from-file"
"""


def listing(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_file_fills_what_nobody_typed(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each option of a verb that has it; others are left alone."""
    (cluster / "metasnapshot.toml").write_text(FILE)
    assert listing(capsys, "backup")[0] == 0
    assert (cluster / "from-file" / "backup" / "9.snapshot").exists()
    assert listing(capsys, "list")[1].splitlines()[1].startswith("9 ")


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    cluster: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that one file serves forty clusters."""
    (cluster / "metasnapshot.toml").write_text(FILE)
    monkeypatch.setenv("METASNAPSHOT_BACKUP_STORAGE_URL", "fs://from-environment")
    assert listing(capsys, "backup")[0] == 0
    assert (cluster / "from-environment" / "backup" / "9.snapshot").exists()
    assert listing(capsys, "backup", "--backup-storage-url", "fs://typed")[0] == 0
    assert (cluster / "typed" / "backup" / "9.snapshot").exists()
    assert not (cluster / "from-file").exists()


@pytest.mark.parametrize("way", ["flag", "variable"])
def test_another_file(
    way: str, cluster: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--config and METASNAPSHOT_CONFIG name one."""
    (cluster / "other.toml").write_text(FILE)
    if way == "variable":
        monkeypatch.setenv("METASNAPSHOT_CONFIG", "other.toml")
        code, out, _ = listing(capsys, "config", "show")
    else:
        code, out, _ = listing(capsys, "config", "show", "--config", "other.toml")
    assert code == 0
    assert "other.toml, storage.backup_storage_url" in out


def test_config_show_says_where_each_value_comes_from(
    cluster: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And shows no credentials."""
    (cluster / "metasnapshot.toml").write_text(FILE.replace("fs://", "minio://key:hush@host/"))
    monkeypatch.setenv("METASNAPSHOT_LEVEL", "file")
    code, out, _ = listing(capsys, "config", "show", "--json")
    found = {item["option"]: item for item in json.loads(out)["settings"]}
    assert code == 0
    assert found["--meta-store"]["origin"] == "metasnapshot.toml, meta_store.url"
    assert found["--level"]["value"] == "file"
    assert found["--level"]["origin"] == "environment, METASNAPSHOT_LEVEL"
    assert found["--backup-storage-directory"]["origin"] == "default"
    assert found["--rw-version"]["origin"] == "not set"
    assert "hush" not in out
    assert found["--backup-storage-url"]["value"] == "minio://****@host/from-file"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[storage]\nbackup_url = 'x'", "unknown key storage.backup_url", "did you"),
        ("[storag]\nbackup_storage_url = 'x'", "unknown key storag.backup_storage_url", "did you"),
        ("meta_store = 'x'", "unknown key meta_store", "meta_store.url"),
        ("[verify]\nlevel = 3", "verify.level is not a text", "quotes"),
        ("[verify", "is not TOML", ""),
        ("[clean]\nyes = true", "unknown key clean.yes", "known: "),
    ],
)
def test_a_file_with_a_mistake_is_refused(
    text: str, message: str, hint: str, cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A setting with a typing error would otherwise be none; consent cannot be set at all."""
    (cluster / "metasnapshot.toml").write_text(text)
    code, out, err = listing(capsys, "list", "--backup-storage-url", "fs://backups")
    assert (code, out) == (2, "")
    assert message in err
    assert hint in err


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("name", ["METASNAPSHOT_YES", "METASNAPSHOT_METASTORE"])
def test_a_variable_that_sets_nothing_is_refused(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not come to nothing in silence."""
    monkeypatch.setenv(name, "1")
    code, _, err = listing(capsys, "config", "show")
    assert (code, f"unknown environment variable {name}" in err) == (2, True)


@pytest.mark.usefixtures("cluster")
def test_a_file_that_is_named_must_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Only the one in the working directory may be missing."""
    code, _, err = listing(capsys, "config", "show", "--config", "missing.toml")
    assert (code, "cannot read missing.toml" in err) == (2, True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_verbs(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A script for each shell."""
    code, out, _ = listing(capsys, "completion", shell)
    assert code == 0
    assert "restore" in out
