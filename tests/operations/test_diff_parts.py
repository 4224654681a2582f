"""Sections of many rows, compared a part at a time."""

from __future__ import annotations

import resource
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import goldens
import pytest
from made_sides import Rows
from msgspec import structs

from metasnapshot import SnapshotReader
from metasnapshot.errors import StorageError
from metasnapshot.operations.diff import compare as operation
from metasnapshot.operations.diff import parts
from metasnapshot.operations.diff.compare import Change, diff_rows
from metasnapshot.operations.diff.sides import SnapshotSide
from metasnapshot_models.layouts import LAYOUTS

FIRST, SECOND, SEVENTH = (
    goldens.SHIPPED / "v3.0.3" / "backup" / f"{number}.snapshot" for number in (1, 2, 7)
)


def opened(path: Path) -> SnapshotSide:
    return SnapshotSide(SnapshotReader(BytesIO(path.read_bytes())))


def changes(a: Any, b: Any) -> Counter[Change]:
    return Counter(diff_rows(a, b))


@pytest.mark.parametrize("part_rows", [1, 7, 1000])
def test_parts_change_nothing(monkeypatch: pytest.MonkeyPatch, part_rows: int) -> None:
    """However few rows are held at once, the same changes are found, and each side is read once."""
    a, b = opened(FIRST), opened(SECOND)
    expected = changes(a, b)
    reads: list[str] = []
    rows = SnapshotSide.rows

    def counted(self: SnapshotSide, section: str) -> Iterator[Any]:
        reads.append(section)
        return rows(self, section)

    monkeypatch.setattr(operation, "PART_ROWS", part_rows)
    monkeypatch.setattr(SnapshotSide, "rows", counted)
    assert changes(a, b) == expected
    assert {*Counter(reads).values()} == {2}


def test_what_is_held_is_private_and_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rows of a large section lie in a directory of this user alone, as hashes; it is gone with the
    last row, and when nobody wants more rows.
    """
    monkeypatch.setattr(operation, "PART_ROWS", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = diff_rows(opened(FIRST), opened(SECOND))
    assert isinstance(found, Generator)
    assert any(change.kind == "objects" for change in found)
    (place,) = tmp_path.iterdir()
    assert place.stat().st_mode & 0o777 == 0o700
    found.close()
    assert [*tmp_path.iterdir()] == []
    assert [*diff_rows(opened(SECOND), opened(SEVENTH))] != [] == [*tmp_path.iterdir()]


def test_no_room_for_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is exit 17, and the hint names TMPDIR."""
    monkeypatch.setattr(operation, "PART_ROWS", 1)
    monkeypatch.setattr(parts, "_encode", lambda _: b"x" * 100_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError) as caught:
            list(diff_rows(opened(FIRST), opened(SECOND)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "TMPDIR" in caught.value.hint


def test_any_rows_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many rows in two orders, with some added, removed and changed, the same is told in one
    part and in many, whose rows are written at several times.
    """
    row = next(opened(SEVENTH).rows("objects"))
    layout = LAYOUTS["3.0.1"]
    before = [structs.replace(row, oid=number) for number in range(500)]
    after = [
        structs.replace(row, oid=number, owner_id=7 if number % 9 else row.owner_id)
        for number in reversed(range(100, 700))
    ]
    a, b = (Rows(layout, {"objects": rows}) for rows in (before, after))
    expected = changes(a, b)
    assert Counter(change.change for change in expected) == {
        "added": 200,
        "removed": 100,
        "changed": sum(number % 9 != 0 for number in range(100, 500)),
    }
    monkeypatch.setattr(operation, "PART_ROWS", 64)
    monkeypatch.setattr(parts, "HELD_ROWS", 50)
    assert changes(a, b) == expected
