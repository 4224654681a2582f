from __future__ import annotations

from pathlib import Path

import pytest
from data_cluster import write_cluster
from shell import BACKUPS, STORE, Shell


@pytest.fixture
def backed_up(shell: Shell) -> Shell:
    """The command in the directory of `cluster`, where there is one backup, 9."""
    assert shell.run("backup", *STORE, *BACKUPS).code == 0
    return shell


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """A backup directory and a state store with golden rows."""
    monkeypatch.chdir(tmp_path)
    write_cluster("v3.0.3", tmp_path)
    return Shell(tmp_path, capsys)
