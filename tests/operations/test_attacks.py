"""What an attack on the command found, once each: none is silent, none is a traceback."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import goldens
import pytest

from metasnapshot.catalogue.ledger import Verified
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import epoch_time
from metasnapshot.cli.app import main
from metasnapshot.contents.secrets import redact
from metasnapshot.errors import RowError, StorageError, UsageError, VersionError
from metasnapshot.format.hummock_version import HummockVersion
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations import backup as operation
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.operations.delete import keep
from metasnapshot.operations.verify import is_fresh
from metasnapshot.store.local import LocalStore

TAG = goldens.SHIPPED / "v3.0.3"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    goldens.write_state(TAG, tmp_path / "state")
    return goldens.copy_store(TAG, tmp_path / "meta.db")


def run(store: Path, **options: Any) -> operation.BackupResult:
    backups = Repository(LocalStore(store.parent / "backups"), "backup")
    with open_meta_store(f"sqlite:///{store}") as meta_store:
        found = BackupOptions(f"fs://{store.parent}/state", "hummock_001", **options)
        return backup(meta_store, backups, found)


CRASHED_WRITER = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size=5")
connection.execute("BEGIN IMMEDIATE")
connection.execute("CREATE TABLE zz (a)")
for _ in range(2000):
    connection.execute("INSERT INTO zz VALUES (?)", ("x" * 1000,))
os._exit(9)
"""


def test_a_writer_that_was_killed(store: Path) -> None:
    """Its journal is rolled back in a copy; the original keeps both files as they are."""
    subprocess.run([sys.executable, "-c", CRASHED_WRITER, str(store)], check=False)
    journal = Path(f"{store}-journal")
    before = store.read_bytes(), journal.read_bytes()
    assert run(store).entry.id == 9
    assert (store.read_bytes(), journal.read_bytes()) == before


def test_another_clusters_data_directory(store: Path) -> None:
    """cluster_id/0 says whose it is."""
    path = store.parent / "state" / "hummock_001" / "cluster_id" / "0"
    path.parent.mkdir()
    path.write_text("00000000-0000-0000-0000-000000000001")
    with pytest.raises(UsageError, match="is of cluster 00000000"):
        run(store)


def test_notes_do_not_pass_to_another_snapshot_of_the_same_id(store: Path) -> None:
    """An id that RisingWave freed is kept and verified anew."""
    run(store)
    backups = Repository(LocalStore(store.parent / "backups"), "backup")
    keep(backups, [9])
    folder = store.parent / "backups" / "backup"
    (folder / "9.snapshot").unlink()
    (folder / "manifest.json").write_bytes(b'{"manifest_id":2,"snapshot_metadata":[]}')
    run(store)
    ledger = json.loads((folder / "metasnapshot.json").read_bytes())
    assert (ledger["kept"], ledger["verified"]) == ([], {})


def test_files_are_as_open_as_the_manifest_that_is_there(store: Path) -> None:
    """A new directory is its user's alone; where RisingWave's user may read, it goes on reading."""
    run(store)
    folder = store.parent / "backups" / "backup"
    assert (folder / "9.snapshot").stat().st_mode & 0o777 == 0o600
    (folder / "manifest.json").chmod(0o640)
    run(store)
    modes = {
        name: (folder / name).stat().st_mode & 0o777 for name in ("manifest.json", "10.snapshot")
    }
    assert set(modes.values()) == {0o640}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE cluster SET cluster_id = '1234567890123456'",
        "UPDATE hummock_sequence SET seq = 'abc' WHERE name = 'meta_backup'",
        "UPDATE system_parameter SET value = x'ff00' WHERE name = 'state_store'",
        "UPDATE seaql_migrations SET version = x'00' WHERE rowid = 1",
        "UPDATE hummock_version_stats SET stats = '" + "[" * 100_000 + "'",
    ],
)
def test_wrong_types_in_cells(store: Path, statement: str) -> None:
    """A value of another type names its table, wherever it is first looked at."""
    with sqlite3.connect(store) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(RowError, match="table "):
        run(store)


def test_a_root_that_is_a_file(tmp_path: Path) -> None:
    """A mistyped URL is not an empty directory."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="is a file"):
        Repository(LocalStore(tmp_path / "file"), "backup")


def test_a_damaged_change_log_is_told() -> None:
    """In the protobuf form too."""
    version = HummockVersion.from_rows([b"\x08\x7b", b"\x2a\0\0\0\xff"], "v2.8.0")
    with pytest.raises(VersionError, match="TableChangeLog"):
        _ = version.message


@pytest.mark.parametrize("note", [("yesterday", "rows"), ("2026-01-01", "rows"), ("x", "deep")])
def test_notes_that_make_no_sense_are_not_fresh(note: tuple[str, str]) -> None:
    """A ledger that somebody edited does not skip a verification."""
    assert not is_fresh(Verified(*note, checksum=""), "file", timedelta(days=10_000))


def test_epochs_beyond_any_calendar() -> None:
    """They are shown as the last day there is."""
    assert epoch_time(2**64 - 1).year > 2200


@pytest.mark.parametrize(
    "text",
    [
        "hummock+minio://AKIA:abc/def+SECRET@host/b",
        "minio://u:p@SECRET@host/b",
        "jdbc:postgresql://h/db?user=u&password=SECRET",
        "WITH (x.password = E'SECRET')",
        "WITH (a.password/*c*/='SECRET')",
        "catalog.header='authorization=Bearer SECRET'",
    ],
)
def test_secrets_in_odd_places(text: str) -> None:
    """URLs with odd passwords, options of URLs, SQL with comments, headers."""
    assert "SECRET" not in redact("value", text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--backup-storage-url", "minio:admin:SECRET@host/b"),
        ("list", "--backup-storage-url", "admin:SECRET@minio://host/b"),
        ("coverage", "--meta-store", "postgresql://u:SECRET@h:port/db"),
        ("coverage", "--meta-store", f"sqlite:///{'x' * 5000}"),
        ("coverage", "--meta-store", "sqlite://two/slashes.db"),
        ("verify", "9" * 5000, "--backup-storage-url", "fs://b"),
        ("verify", "--if-older-than", "99999999999999d", "--backup-storage-url", "fs://b"),
    ],
)
def test_odd_arguments(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Typed errors without the secret in them."""
    monkeypatch.chdir(tmp_path)
    assert main(list(arguments)) in (2, 18)
    assert "SECRET" not in "".join(capsys.readouterr())
