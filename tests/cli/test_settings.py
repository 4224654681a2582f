"""Settings: command line over environment over metasnapshot.toml over default, and each says where
it comes from.
"""

from __future__ import annotations

import json

import pytest
from shell import BACKUPS, Shell

FILE = """
[meta_store]
url = "sqlite:///meta.db"

[storage]
backup_storage_url = "fs://from-file"
"""


def test_a_file_fills_what_nobody_typed(shell: Shell) -> None:
    """Each option of a verb that has it; others are left alone."""
    (shell.path / "metasnapshot.toml").write_text(FILE)
    assert shell.run("backup")[0] == 0
    assert (shell.path / "from-file" / "backup" / "9.snapshot").exists()
    assert shell.run("list")[1].splitlines()[1].startswith("9 ")


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that one file serves forty clusters."""
    (shell.path / "metasnapshot.toml").write_text(FILE)
    monkeypatch.setenv("METASNAPSHOT_BACKUP_STORAGE_URL", "fs://from-environment")
    assert shell.run("backup")[0] == 0
    assert (shell.path / "from-environment" / "backup" / "9.snapshot").exists()
    assert shell.run("backup", "--backup-storage-url", "fs://typed")[0] == 0
    assert (shell.path / "typed" / "backup" / "9.snapshot").exists()
    assert not (shell.path / "from-file").exists()


KUBERNETES = {
    "METASNAPSHOT_PORT": "tcp://10.0.0.7:80",
    "METASNAPSHOT_SERVICE_HOST": "10.0.0.7",
    "METASNAPSHOT_SERVICE_PORT": "80",
    "METASNAPSHOT_SERVICE_PORT_METRICS": "80",
    "METASNAPSHOT_PORT_80_TCP": "tcp://10.0.0.7:80",
    "METASNAPSHOT_PORT_80_TCP_PROTO": "tcp",
    "METASNAPSHOT_PORT_80_TCP_PORT": "80",
    "METASNAPSHOT_PORT_80_TCP_ADDR": "10.0.0.7",
    "METASNAPSHOT_PORT_53_UDP_ADDR": "10.0.0.7",
    "METASNAPSHOT_WATCH_SERVICE_HOST": "10.0.0.8",
    "METASNAPSHOT_WATCH_V2_PORT": "sctp://10.0.0.8:9",
}
"""What Kubernetes gives every container beside services `metasnapshot` and `metasnapshot-watch`."""


def test_variables_of_kubernetes_are_ignored(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """They set nothing, and stop nothing."""
    for name, value in KUBERNETES.items():
        monkeypatch.setenv(name, value)
    code, out, _ = shell.run("config", "show")
    assert code == 0
    assert "10.0.0" not in out


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("METASNAPSHOT_PORT", "80"),
        ("METASNAPSHOT_PORTS", "tcp://10.0.0.7:80"),
        ("METASNAPSHOT_SERVICE", "x"),
        ("METASNAPSHOT_STORAGE_TIMEOUTS", "60s"),
        ("METASNAPSHOT_PORT_X_TCP", "tcp://10.0.0.7:80"),
        ("METASNAPSHOT_", "x"),
    ],
)
def test_other_variables_that_set_nothing_are_refused(
    name: str, value: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting with a typing error would be none."""
    monkeypatch.setenv(name, value)
    code, _, said = shell.run("config", "show")
    assert code == 2
    assert name in said


@pytest.mark.parametrize("way", ["flag", "variable"])
def test_another_file(way: str, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """--config and METASNAPSHOT_CONFIG name one."""
    (shell.path / "other.toml").write_text(FILE)
    if way == "variable":
        monkeypatch.setenv("METASNAPSHOT_CONFIG", "other.toml")
        code, out, _ = shell.run("config", "show")
    else:
        code, out, _ = shell.run("config", "show", "--config", "other.toml")
    assert code == 0
    assert "other.toml, storage.backup_storage_url" in out


def test_config_show_says_where_each_value_comes_from(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And shows no credentials."""
    (shell.path / "metasnapshot.toml").write_text(FILE.replace("fs://", "minio://key:hush@host/"))
    monkeypatch.setenv("METASNAPSHOT_LEVEL", "file")
    code, out, _ = shell.run("config", "show", "--json")
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
def test_a_file_with_a_mistake_is_refused(text: str, message: str, hint: str, shell: Shell) -> None:
    """A setting with a typing error would otherwise be none; consent cannot be set at all."""
    (shell.path / "metasnapshot.toml").write_text(text)
    code, out, err = shell.run("list", *BACKUPS)
    assert (code, out) == (2, "")
    assert message in err
    assert hint in err


@pytest.mark.parametrize("name", ["METASNAPSHOT_YES", "METASNAPSHOT_METASTORE"])
def test_a_variable_that_sets_nothing_is_refused(
    name: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not come to nothing in silence."""
    monkeypatch.setenv(name, "1")
    code, _, err = shell.run("config", "show")
    assert (code, f"unknown environment variable {name}" in err) == (2, True)


def test_a_file_that_is_named_must_be_there(shell: Shell) -> None:
    """Only the one in the working directory may be missing."""
    code, _, err = shell.run("config", "show", "--config", "missing.toml")
    assert (code, "cannot read missing.toml" in err) == (2, True)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_knows_the_verbs(shell: Shell, name: str) -> None:
    """A script for each shell."""
    code, out, _ = shell.run("completion", name)
    assert code == 0
    assert "restore" in out
