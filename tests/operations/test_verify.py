"""verify: damage is found at the level that looks for it."""

from __future__ import annotations

import struct
from pathlib import Path

import goldens
import pytest
import xxhash

from metasnapshot.errors import SnapshotNotFound
from metasnapshot.operations.verify import verify

TAG = goldens.SHIPPED / "v3.0.3"


def test_sound_snapshots_are_sound_at_both_levels(tmp_path: Path) -> None:
    """Golden snapshots pass, with their size, rows and checksum told."""
    backups = goldens.copy_backups(TAG, tmp_path)
    for level in ("file", "rows"):
        result = verify(backups, 2, level)  # pyright: ignore[reportArgumentType]
        data = (TAG / "backup" / "2.snapshot").read_bytes()
        assert result.error is None
        assert (result.size, result.rows, result.layout) == (len(data), 315, "3.0.1")
        assert result.checksum == xxhash.xxh64_intdigest(data[:-8])


@pytest.mark.parametrize("level", ["file", "rows"])
def test_a_flipped_bit_is_found(tmp_path: Path, level: str) -> None:
    """At either level, with exit code 4."""
    backups = goldens.copy_backups(TAG, tmp_path)
    path = tmp_path / "backup" / "2.snapshot"
    data = bytearray(path.read_bytes())
    data[1000] ^= 8
    path.write_bytes(data)
    error = verify(backups, 2, level).error  # pyright: ignore[reportArgumentType]
    assert error is not None
    assert (error.exit_code, "checksum mismatch" in str(error)) == (4, True)


def test_a_bad_row_under_a_good_checksum_needs_level_rows(tmp_path: Path) -> None:
    """What only the codec can see is found by the codec, with section, row and offset."""
    backups = goldens.copy_backups(TAG, tmp_path)
    path = tmp_path / "backup" / "2.snapshot"
    body = path.read_bytes()[:-8].replace(b'"is_super":true', b'"is_super":9999', 1)
    path.write_bytes(body + struct.pack("<Q", xxhash.xxh64_intdigest(body)))
    assert verify(backups, 2, "file").error is None
    error = verify(backups, 2, "rows").error
    assert error is not None
    assert "section users, row 0, column is_super, offset " in str(error)


def test_a_file_under_another_name_is_found(tmp_path: Path) -> None:
    """The id in the file must be the id in the manifest."""
    backups = goldens.copy_backups(TAG, tmp_path)
    (tmp_path / "backup" / "2.snapshot").write_bytes(
        (tmp_path / "backup" / "7.snapshot").read_bytes()
    )
    error = verify(backups, 2, "file").error
    assert error is not None
    assert "snapshot 2 holds id 7" in str(error)


def test_another_version_than_the_manifests_is_found(tmp_path: Path) -> None:
    """The Hummock version must be the one that the manifest means."""
    path = tmp_path / "backup" / "manifest.json"
    backups = goldens.copy_backups(TAG, tmp_path)
    path.write_bytes(
        path.read_bytes().replace(
            b'"id":2,"hummock_version_id":105', b'"id":2,"hummock_version_id":104'
        )
    )
    backups = type(backups)(backups.store, "backup")
    error = verify(backups, 2, "rows").error
    assert error is not None
    assert "holds Hummock version 105, the manifest says 104" in str(error)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """The manifest has it, the store does not: exit 17."""
    backups = goldens.copy_backups(TAG, tmp_path)
    (tmp_path / "backup" / "2.snapshot").unlink()
    error = verify(backups, 2, "file").error
    assert error is not None
    assert error.exit_code == 17


def test_an_unknown_id_is_no_verdict(tmp_path: Path) -> None:
    """There is nothing to verify."""
    with pytest.raises(SnapshotNotFound):
        verify(goldens.copy_backups(TAG, tmp_path), 3, "file")
