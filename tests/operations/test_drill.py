"""drill: every golden snapshot restores into a scratch store and comes back the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import goldens
import pytest
from exhaustive import thin

from metasnapshot.errors import ChecksumMismatch
from metasnapshot.operations import drill as operation
from metasnapshot.operations.drill import drill


@pytest.mark.parametrize("tag", thin(goldens.TAGS), ids=lambda tag: tag.name)
@pytest.mark.parametrize("number", [1, 2, 7])
def test_golden_snapshots_survive_a_restore(tag: Path, number: int, tmp_path: Path) -> None:
    """Nothing differs, and the backup directory is as it was."""
    backups = goldens.copy_backups(tag, tmp_path)
    before = [(head.path, head.size) for head in backups.store.list("")]
    result = drill(backups, number)
    version_id = backups.entry(number).hummock_version_id
    assert (result.differences, result.hummock_version_id) == ((), version_id)
    assert result.rows == sum(
        len(rows)
        for section, rows in backups.get(number).sections.items()
        if section != "hummock_sequences"
    )
    assert [(head.path, head.size) for head in backups.store.list("")] == before


def test_a_difference_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a restore lost a row, the drill would name the section with both counts."""
    backups = goldens.copy_backups(goldens.SHIPPED / "v3.0.3", tmp_path)
    honest = operation.digest_rows
    calls: list[str] = []

    def forgetful(layout: Any, model: str, rows: Any) -> Any:
        calls.append(model)
        found = list(rows)
        return honest(layout, model, found[1:] if calls.count(model) == 2 else found)

    monkeypatch.setattr(operation, "digest_rows", forgetful)
    differences = drill(backups, 2).differences
    assert "users: 4 rows before, 3 after" in differences


def test_damage_ends_a_drill(tmp_path: Path) -> None:
    """A damaged snapshot is not drilled."""
    backups = goldens.copy_backups(goldens.SHIPPED / "v3.0.3", tmp_path)
    path = tmp_path / "backup" / "2.snapshot"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ChecksumMismatch):
        drill(backups, 2)
