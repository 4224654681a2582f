"""How tries and times of object stores are set: the line, the environment, the file, by default."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import BACKUPS

from metasnapshot.cli.app import main
from metasnapshot.library import directory
from metasnapshot.store.context import PLAIN, Context
from metasnapshot.store.port import Store
from metasnapshot.store.retry import RetryPolicy

LINE = [
    "--storage-retries",
    "1",
    "--storage-timeout",
    "2s",
    "--storage-list-timeout",
    "3m",
    "--retry-lock",
    "4s",
]
FILE = '[storage]\nretries = "5"\ntimeout = "6s"\nlist_timeout = "7s"\nretry_lock = "8s"\n'


@pytest.mark.parametrize(
    ("line", "file", "expected"),
    [
        ([], "", RetryPolicy()),
        (LINE, FILE, RetryPolicy(1, 2, 180, lock_wait_s=4)),
        ([], FILE, RetryPolicy(5, 6, 7, lock_wait_s=8)),
    ],
    ids=["default", "line", "file"],
)
def test_every_number_comes_through(
    line: list[str],
    file: str,
    expected: RetryPolicy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The line counts before the file; what nobody sets is the policy's own."""
    found: list[RetryPolicy] = []
    monkeypatch.chdir(tmp_path)

    open_store = directory.open_store

    def noted(url: str, context: Context = PLAIN) -> Store:
        found.append(context.retry)
        return open_store(url, context)

    monkeypatch.setattr(directory, "open_store", noted)
    Path("metasnapshot.toml").write_text(file, encoding="utf-8")
    assert main([*line, "list", *BACKUPS]) == 0
    assert found == [expected]
