from __future__ import annotations

import sqlite3
from pathlib import Path

import goldens
import pytest

TAG = goldens.SHIPPED / "v3.0.3"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: meta.db, its state store, and empty.db to restore into."""
    monkeypatch.chdir(tmp_path)
    goldens.copy_store(TAG, tmp_path / "meta.db")
    goldens.empty_store(TAG, tmp_path / "empty.db")
    goldens.write_state(TAG, tmp_path / "state")
    with sqlite3.connect("meta.db") as connection:
        connection.execute(
            "UPDATE system_parameter SET value = 'hummock+fs://state' WHERE name = 'state_store'"
        )
    connection.close()
    return tmp_path
