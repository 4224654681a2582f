"""diff --data: rows of two snapshots, compared by key."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb  # pyright: ignore[reportMissingTypeStubs]
import golden_rows
import pytest
from data_cluster import write_as_of, write_objects
from golden_rows import known_rows
from rows_made import EPOCH, make
from shell import BACKUPS, STATE_FOLDER, Shell
from sst_writer import LZ4, NOTHING, Sst, delete, put, tombstones

from metasnapshot.contents.data_tables import DataTable
from metasnapshot.data import open_tables
from metasnapshot.hummock.scan import SstRef
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.operations.diff.data import Pair, TableDiff
from metasnapshot.rows.table import TableRead

PLACES = (*BACKUPS, *STATE_FOLDER)
TAG = "v3.0.3"
COUNTS = ["rows", "added", "rows", "removed", "rows", "changed"]


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Snapshots 8 and 9 of one cluster: the tables as of epochs E1 and E3, or of their own."""
    monkeypatch.chdir(tmp_path)
    write_objects(TAG, tmp_path / "state")
    epochs = known_rows(TAG)["epochs"]
    write_as_of(TAG, tmp_path, 8, int(epochs["E1"]))
    write_as_of(TAG, tmp_path, 9, int(epochs["E3"]))
    return Shell(tmp_path, capsys)


def expected(table: str) -> tuple[set[str], set[str], set[str]]:
    """Keys added, removed and changed, by what is known of the rows up to its committed epoch."""
    committed = golden_rows.version(TAG).state_table_info[int(table)].committed_epoch
    names = {int(number): name for name, number in known_rows(TAG)["epochs"].items()}
    old, new = (
        {
            json.dumps(row["key"]): row["v"]
            for row in known_rows(TAG)["tables"][table]
            if at in row["at"]
        }
        for at in ("E1", names[committed])
    )
    both = old.keys() & new.keys()
    changed = {key for key in both if old[key] != new[key]}
    return new.keys() - old.keys(), old.keys() - new.keys(), changed


def test_counts_of_all_tables(world: Shell) -> None:
    """Of every golden table the counts are those of its known rows; none is left out."""
    found = {
        item["id"]: item
        for item in world.lines("diff", "--data", "8", "9", *PLACES)
        if "id" in item
    }
    compared = 0
    for number, item in found.items():
        if item["not_compared"] or str(number) not in known_rows(TAG)["tables"]:
            continue
        counts = (item["added"], item["removed"], item["changed"])
        assert counts == tuple(map(len, expected(str(number)))), item["table"]
        compared += any(counts)
    assert compared > 3


def rows_of(number: int, table: str) -> Any:
    folder = Path.cwd()
    state = (f"fs://{folder}/state", "hummock_001")
    with open_tables(f"fs://{folder}/backups", number, state=state) as tables:
        return tables.table(table, on_unfit="text", with_hidden=True).to_reader().read_all()


@pytest.mark.parametrize("table", ["t_scalar", "t_rowid", "#1006"])
def test_rows_are_those_of_except(world: Shell, table: str) -> None:
    """The rows before and after are those that SQL's EXCEPT finds between both snapshots."""
    before, after = rows_of(8, table), rows_of(9, table)
    connection = duckdb.connect()
    connection.register("a", before)
    connection.register("b", after)
    gone = connection.execute("SELECT count(*) FROM (FROM a EXCEPT FROM b)").fetchall()[0][0]
    come = connection.execute("SELECT count(*) FROM (FROM b EXCEPT FROM a)").fetchall()[0][0]
    connection.close()
    lines = world.lines("diff", "--data", "8", "9", table, *PLACES)
    rows = [line for line in lines if line.get("by") == "data"]
    assert sum(row["before"] is not None for row in rows) == gone
    assert sum(row["after"] is not None for row in rows) == come
    assert lines[0]["by"] == "table"
    assert lines[-1]["equal"] is (gone + come == 0)
    keys = [row["key"] for row in rows]
    assert len(set(keys)) == len(keys)
    code, out, _ = world.run("diff", "--data", "9", "9", table, *PLACES)
    assert (code, out) == (0, "no row differs\n")


def test_text_has_counts_first(world: Shell) -> None:
    """A person sees the counts, then a line a row, with what changed in it."""
    code, out, _ = world.run("diff", "--data", "8", "9", "t_scalar", *PLACES)
    head, *rest = out.splitlines()
    assert (code, head.split()) == (0, ["table", *COUNTS])
    assert {line[0] for line in rest[1:]} <= {"+", "-", "~"}
    assert any(" -> " in line for line in rest) or not any(line[0] == "~" for line in rest)
    for words in (("8",), ("8", "9", "nothing"), ("8", "9", "t_scalar", "x")):
        code, out, err = world.run("diff", "--data", *words, *PLACES)
        assert (code, out, "hint" in err) == (2, "", True)


def test_shared_objects_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges that no other object reaches are passed over: of a large table with a small newer SST
    a few are read, and the rows are those of a comparison of all."""
    made = make(tmp_path / "made", "b", 40_000, 1, LZ4)
    before = TableRead(made.objects, made.scan, made.schema, (0, 1, 2, 3), memory=8 << 20)
    rows = [rows for found in before.cut().ranges if (rows := before.cut().rows(found))]
    keys = [part.key(n) for part in rows for n in range(0, len(part), 7)][100:110]
    values = {part.key(n): part.value(n) for part in rows for n in range(len(part))}
    newer = Sst()
    changed = [put(key, EPOCH, values[keys[0]]) for key in keys[1:5]]
    newer.add(made.scan.table_id, [*changed, *(delete(key, EPOCH) for key in keys[5:])])
    (tmp_path / "made" / "data" / "9.data").write_bytes(newer.data())
    extra = SstRef(9, len(newer.data()), 0, 0, EPOCH)
    after = replace(before, scan=replace(made.scan, sources=((extra,), *made.scan.sources)))
    table = DataTable(made.scan.table_id, "table", "dev", "public", "made", "", lambda: made.schema)
    opened: list[int] = []
    whole = ObjectStore.open

    def spied(self: ObjectStore, ref: SstRef) -> Any:
        opened.append(ref.object_id)
        return whole(self, ref)

    found = TableDiff(table, pair=Pair(before, after))
    monkeypatch.setattr(ObjectStore, "open", spied)
    found.count()
    assert list(found.counts.values()) == [0, 5, 4]
    ranges, shared = found.ranges
    assert ranges > 3
    assert shared == ranges - 1
    assert {change.key for change in found.rows()} == set(keys[1:])
    monkeypatch.setattr(Pair, "is_reached", lambda *_: True)
    every = TableDiff(table, pair=Pair(before, after))
    every.count()
    assert (every.counts, list(every.rows())) == (found.counts, list(found.rows()))


def test_a_row_of_json(world: Shell) -> None:
    """A line of a row has its key in words and both rows whole."""
    _, out, _ = world.run("diff", "--data", "8", "9", "t_scalar", *PLACES, "--json")
    rows = [json.loads(line) for line in out.splitlines()[1:-1]]
    assert rows
    for row in rows:
        assert row["key"].startswith("id=")
        there = row["after"] or row["before"]
        assert row["key"] == f"id={there['id']}"
        assert (row["before"] is None) == (row["change"] == "added")


def test_an_object_that_both_see_otherwise(tmp_path: Path) -> None:
    """One object with two versions of a row, of which the earlier snapshot sees the first: the row
    was changed, though both read the same object."""
    made = make(tmp_path / "made", "b", 10, 1, LZ4)
    read = TableRead(made.objects, made.scan, made.schema, (0, 1, 2, 3))
    rows = read.cut().rows(read.cut().ranges[0])
    assert rows is not None
    key, sst = rows.key(3), Sst()
    sst.add(made.scan.table_id, [put(key, EPOCH, rows.value(4)), put(key, 65536, rows.value(3))])
    (tmp_path / "made" / "data" / "9.data").write_bytes(sst.data())
    ref = SstRef(9, len(sst.data()), 0, 0, EPOCH)
    before, after = (
        replace(read, scan=replace(made.scan, epoch=epoch, sources=((ref,),)))
        for epoch in (65536, EPOCH)
    )
    table = DataTable(made.scan.table_id, "table", "dev", "public", "made", "", lambda: made.schema)
    found = TableDiff(table, pair=Pair(before, after))
    found.count()
    assert (found.counts["changed"], [change.key for change in found.rows()]) == (1, [key])


def test_a_range_delete_reaches_what_is_shared(tmp_path: Path) -> None:
    """An SST of the later snapshot, without any key, deletes a range of keys of an object that both
    have: those rows were removed."""
    made = make(tmp_path / "made", "b", 2000, 1, LZ4)
    before = TableRead(made.objects, made.scan, made.schema, (0, 1, 2, 3))
    rows = before.cut().rows(before.cut().ranges[0])
    assert rows is not None
    keys = [rows.key(number) for number in range(len(rows))]
    first, last = keys[100], keys[1500]
    table_id = made.scan.table_id
    events = [(table_id, first, True, EPOCH), (table_id, last, False, NOTHING)]
    newer = Sst(tombstones=tombstones(events))
    (tmp_path / "made" / "data" / "9.data").write_bytes(newer.data())
    extra = SstRef(9, len(newer.data()), 0, 0, EPOCH)
    after = replace(before, scan=replace(made.scan, sources=((extra,), *made.scan.sources)))
    table = DataTable(table_id, "table", "dev", "public", "made", "", lambda: made.schema)
    found = TableDiff(table, pair=Pair(before, after))
    found.count()
    assert list(found.counts.values()) == [0, 1399, 0]
    assert [change.key for change in found.rows()] == keys[101:1500]
