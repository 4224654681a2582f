from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import goldens
import pytest
from exhaustive import WHOLE
from hypothesis import HealthCheck, settings
from shell import Shell

# A loaded machine is slow, not wrong.
settings.register_profile(
    "project",
    deadline=None,
    max_examples=500 if WHOLE else 50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")

TAG = goldens.SHIPPED / "v3.0.3"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: meta.db, its state store, and empty.db to restore into."""
    monkeypatch.chdir(tmp_path)
    goldens.copy_store(TAG, tmp_path / "meta.db")
    goldens.empty_store(TAG, tmp_path / "empty.db")
    goldens.write_state(TAG, tmp_path / "state")
    with closing(sqlite3.connect("meta.db")) as connection, connection:
        connection.execute(
            "UPDATE system_parameter SET value = 'hummock+fs://state' WHERE name = 'state_store'"
        )
    return tmp_path


@pytest.fixture
def shell(cluster: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command in the directory of `cluster`, where there is no backup yet."""
    return Shell(cluster, capsys)
