"""The library over tables: what programs call."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pytest
from data_cluster import NUMBER, write_cluster

from metasnapshot.data import open_tables
from metasnapshot.errors import SnapshotNotFound, UsageError

DIRECTORY = "hummock_001"


def urls(folder: Path) -> tuple[str, tuple[str, str | None]]:
    return f"fs://{folder}/backups", (f"fs://{folder}/state", DIRECTORY)


def test_a_table_is_a_stream_of_arrow(tmp_path: Path) -> None:
    """Reader, batches and stream give the same rows, and the stream as often as it is asked for."""
    write_cluster("v3.0.3", tmp_path)
    url, state = urls(tmp_path)
    with open_tables(url, state=state) as tables:
        assert "dev.public.t_rowid" in tables.names
        table = tables.table("t_rowid", with_hidden=True)
        whole = table.to_reader().read_all()
        assert whole.num_rows == sum(batch.num_rows for batch in table.to_batches()) > 10
        for _ in range(2):
            assert repr(pa.table(table)) == repr(whole)


def test_parts_go_to_other_processes(tmp_path: Path) -> None:
    """The parts of a table are picklable, know how to open their store, and have all its rows."""
    write_cluster("v3.0.3", tmp_path)
    url, state = urls(tmp_path)
    with open_tables(url, NUMBER, state=state) as tables:
        table = tables.table("#1006", on_unfit="text")
        whole = table.to_reader().read_all()
        for count in (1, 2, 100):
            sent = pickle.dumps(table.partitions(count))
            parts = pickle.loads(sent)  # noqa: S301 - of this test
            assert 1 <= len(parts) <= count
            found = pa.concat_tables([part.to_reader().read_all() for part in parts])
            assert found.num_rows == whole.num_rows
            assert found.column(0).to_pylist() == whole.column(0).to_pylist()
        with pytest.raises(UsageError):
            table.partitions(0)


READING = """
import pickle, sys
parts = pickle.load(sys.stdin.buffer)
assert not [name for name in sys.modules if name.startswith("conftest")]
print([value for part in parts for value in part.to_reader().read_all().column(0).to_pylist()])
"""


def test_a_process_of_its_own_reads_parts(tmp_path: Path) -> None:
    """A process that knows nothing but the pickle reads the rows, in their order."""
    write_cluster("v3.0.3", tmp_path)
    url, state = urls(tmp_path)
    with open_tables(url, NUMBER, state=state) as tables:
        table = tables.table("#1006", on_unfit="text")
        sent = pickle.dumps(table.partitions(3))
        wanted = table.to_reader().read_all().column(0).to_pylist()
    command = [sys.executable, "-c", READING]
    found = subprocess.run(command, input=sent, capture_output=True, check=True).stdout
    assert found.decode().strip() == repr(wanted)


def test_what_is_not_there(tmp_path: Path) -> None:
    """A snapshot or a table that is not there is an error of its own."""
    write_cluster("v3.0.3", tmp_path)
    url, state = urls(tmp_path)
    with pytest.raises(SnapshotNotFound), open_tables(url, 77, state=state):
        pass
    with open_tables(url, state=state) as tables, pytest.raises(UsageError):
        tables.table("none")
