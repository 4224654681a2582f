"""delete, keep, and what verify remembers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import goldens
import pytest

from metasnapshot.catalogue.ledger import LEDGER_NAME, Verified, change_ledger, read_ledger
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import DamageError, RetentionLocked, SnapshotNotFound
from metasnapshot.operations.delete import delete, keep
from metasnapshot.operations.verify import is_fresh, verify

TAG = goldens.SHIPPED / "v3.0.3"


@pytest.fixture
def backups(tmp_path: Path) -> Repository:
    return goldens.copy_backups(TAG, tmp_path)


def files(backups: Repository) -> list[str]:
    return [head.path for head in backups.store.list("")]


def test_deleted_is_gone(backups: Repository) -> None:
    """From the manifest and from the store."""
    assert [entry.id for entry in delete(backups, [1, 2, 1])] == [1, 2]
    assert Repository(backups.store, "backup").manifest().ids == (7,)
    assert files(backups) == [
        "backup/7.snapshot",
        "backup/manifest.json",
        "backup/manifest.json.previous",
        "backup/metasnapshot.json",
    ]


def test_an_unknown_id_deletes_nothing(backups: Repository) -> None:
    """Not even those that are known."""
    before = files(backups)
    with pytest.raises(SnapshotNotFound):
        delete(backups, [1, 5])
    assert (files(backups), backups.manifest().manifest_id) == (before, 3)


def test_kept_is_kept(backups: Repository) -> None:
    """A mark refuses the deletion of all that was named, exit 16, until it is taken off."""
    assert keep(backups, [2, 7]) == [2, 7]
    with pytest.raises(RetentionLocked, match="kept: 2") as caught:
        delete(backups, [1, 2])
    assert (caught.value.exit_code, backups.manifest().ids) == (16, (1, 2, 7))
    assert keep(backups, [2], release=True) == [7]
    delete(backups, [1, 2])
    assert backups.manifest().ids == (7,)
    with pytest.raises(SnapshotNotFound):
        keep(backups, [2])


def test_verification_is_remembered_and_forgotten(backups: Repository) -> None:
    """When, level and checksum; damage and deletion take the note away."""
    result = verify(backups, 2, "file")
    note = read_ledger(backups.store, "backup").verified[2]
    assert (note.level, note.checksum) == ("file", f"{result.checksum:016x}")
    assert datetime.now(UTC) - datetime.fromisoformat(note.at) < timedelta(minutes=5)
    verify(backups, 1)
    delete(backups, [1])
    path = Path(backups.store.url.removeprefix("fs://")) / "backup" / "2.snapshot"
    path.write_bytes(path.read_bytes()[:-1])
    assert verify(backups, 2).error is not None
    assert read_ledger(backups.store, "backup").verified == {}


def test_freshness_is_of_level_and_age() -> None:
    """A deeper or equal level, not too long ago."""
    now = datetime.now(UTC).isoformat()
    old = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    week = timedelta(days=7)
    assert is_fresh(Verified(now, "rows", ""), "file", week)
    assert is_fresh(Verified(now, "rows", ""), "rows", week)
    assert not is_fresh(Verified(now, "file", ""), "rows", week)
    assert not is_fresh(Verified(old, "rows", ""), "rows", week)
    assert not is_fresh(None, "file", week)


def test_a_ledger_of_somebody_else_is_not_overwritten(backups: Repository) -> None:
    """A file that is no ledger is damage, and stays."""
    backups.store.put_if_absent(f"backup/{LEDGER_NAME}", b'{"other":1}')
    for call in (lambda: read_ledger(backups.store, "backup"), lambda: keep(backups, [1])):
        with pytest.raises(DamageError, match=r"metasnapshot\.json is damaged"):
            call()
    assert backups.store.read(f"backup/{LEDGER_NAME}").data == b'{"other":1}'


def test_two_changes_of_the_ledger_both_hold(backups: Repository) -> None:
    """A change that meets another is made again on top of it."""
    store = backups.store

    def first(ledger: object) -> None:
        if read_ledger(store, "backup").kept == []:
            change_ledger(store, "backup", lambda other: other.kept.append(7))
        ledger.kept.append(1)  # pyright: ignore[reportAttributeAccessIssue]

    assert change_ledger(store, "backup", first).kept == [7, 1]
