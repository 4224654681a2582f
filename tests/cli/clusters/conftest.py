from __future__ import annotations

import os
from pathlib import Path

import goldens
import pytest
from shell import Shell

THREE = """
[storage]
timeout = "20s"

[cluster.prod]
meta_store.url = "sqlite:///meta.db"
storage.backup_storage_url = "fs://prod"
storage.hummock_storage_url = "fs://state"

[cluster.test.meta_store]
url = "sqlite:///test.db"

[cluster.test.storage]
backup_storage_url = "fs://test"
timeout = "5s"

[cluster.old-1]
storage = { backup_storage_url = "fs://old" }
"""


@pytest.fixture
def three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """The command beside a file of three clusters, whose meta stores are not there."""
    monkeypatch.chdir(tmp_path)
    Path("metasnapshot.toml").write_text(THREE)
    for name in ("PGPASSWORD", "MYSQL_PWD", *(it for it in os.environ if "METASNAPSHOT" in it)):
        monkeypatch.delenv(name, raising=False)
    return Shell(tmp_path, capsys)


@pytest.fixture
def living(three: Shell) -> Shell:
    """The same, where `prod` has its meta store."""
    goldens.lay_out(goldens.SHIPPED / "v3.0.3", three.path)
    return three
