"""One table by several processes: the same rows, in the same order."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pytest
from rows_made import TABLE_ID, make
from sst_writer import LZ4

from metasnapshot.errors import SstDamage, UsageError
from metasnapshot.rows.table import TableRead
from metasnapshot.rows.writers import write_lines

MEMORY = 12 << 20
"""Little, so that there are several ranges."""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> TableRead:
    """A table of three SSTs that overlap, in several ranges."""
    made = make(tmp_path_factory.mktemp("made"), "b", 30_000, 3, LZ4)
    return TableRead(made.objects, made.scan, made.schema, (0, 1, 2, 3), memory=MEMORY)


def test_rows_come_in_order(read: TableRead) -> None:
    """Two processes give the rows of one, in its order, as Arrow and as lines, and so does a read
    that fetches nothing ahead."""
    assert len(read.cut().ranges) > 2
    one = pa.Table.from_batches(read.batches())
    assert one.column(0).to_pylist() == sorted(one.column(0).to_pylist())
    assert pa.Table.from_batches(replace(read, jobs=2).batches()).equals(one)
    assert pa.Table.from_batches(replace(read, ahead=False).batches()).equals(one)
    texts = list[bytes]()
    for jobs in (1, 2):
        file = io.BytesIO()
        assert write_lines(replace(read, jobs=jobs), file, "csv", lambda _: None) == one.num_rows
        texts.append(file.getvalue())
    assert texts[0] == texts[1]


def test_an_error_in_a_process_is_that_error(read: TableRead, tmp_path: Path) -> None:
    """Damage that another process meets ends the read as it would here, and names the block."""
    made = make(tmp_path / "made", "b", 10_000, 1, LZ4)
    (path,) = (tmp_path / "made").rglob("*.data")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    broken = replace(read, objects=made.objects, scan=made.scan, jobs=2)
    with pytest.raises(SstDamage) as found:
        list(broken.batches())
    with pytest.raises(SstDamage) as expected:
        list(replace(broken, jobs=1).batches())
    assert str(found.value) == str(expected.value) != ""
    assert found.value.block == expected.value.block


def test_a_reader_may_stop(read: TableRead) -> None:
    """Who takes the first rows and goes leaves no thread and no process behind."""
    import multiprocessing  # noqa: PLC0415
    import threading  # noqa: PLC0415

    threads = threading.active_count()
    for jobs in (1, 2):
        batches = replace(read, jobs=jobs).batches()
        assert next(batches).num_rows
        batches.close()  # pyright: ignore[reportAttributeAccessIssue]
        assert (multiprocessing.active_children(), threading.active_count()) == ([], threads)


def test_what_cannot_be_cut(read: TableRead) -> None:
    """Where one range takes more memory than there is, the read ends before its bytes are read, and
    names table, key, and what helps."""
    small = replace(read, memory=1 << 18)
    with pytest.raises(UsageError) as found:
        list(small.batches())
    assert "table made: the rows from key one on take" in str(found.value)
    assert found.value.hint == "--memory says how much there is; now 262144 bytes"
    assert small.scan.table_id == TABLE_ID
