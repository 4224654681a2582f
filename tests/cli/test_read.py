from __future__ import annotations

import csv
import io
import json
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]
import pytest
from data_cluster import write_area, write_cluster
from exhaustive import thin
from golden_rows import CASES, Case, known_rows, shown_text
from golden_ssts import TAGS
from shell import BACKUPS, STATE_FOLDER, Shell

PLACES = (*BACKUPS, *STATE_FOLDER)
WORLDS = [tag for tag in TAGS if tag in ("v1.10.0", "v3.0.3")]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A cluster of each format, by release; nothing in it is changed."""
    found = {tag: tmp_path_factory.mktemp(tag) for tag in WORLDS}
    for tag, folder in found.items():
        write_cluster(tag, folder)
    return found


LAST = [
    case
    for case in CASES
    if case.tag in WORLDS and case.epoch == "E3" and known_rows(case.tag)["tables"][str(case.table)]
]


def rows_of(case: Case) -> list[dict[str, Any]]:
    """The rows at a table's committed epoch."""
    if case.rows or case.table != 1013:
        return case.rows
    return Case(case.tag, case.table, "E2").rows


@pytest.mark.parametrize("case", thin(LAST), ids=str)
def test_a_table_as_csv(
    case: Case,
    worlds: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The rows of every golden table, out of a snapshot of either format, in RisingWave's text."""
    monkeypatch.chdir(worlds[case.tag])
    shell = Shell(worlds[case.tag], capsys)
    target = worlds[case.tag] / f"{case.table}.csv"
    arguments = ("read", "latest", f"#{case.table}", "--with-hidden", *PLACES)
    code, answer = shell.answer(*arguments, "--to", str(target))
    text = target.read_text(encoding="utf-8")
    found = list(csv.reader(io.StringIO(text, newline="")))
    rows = rows_of(case)
    assert (code, answer["rows"], answer["format"], len(found)) == (
        0,
        len(rows),
        "csv",
        len(rows) + 1,
    )
    if answer["columns"] != ["key", "value"]:
        assert found[0] == known_rows(case.tag)["columns"][str(case.table)] == answer["columns"]
        for row, line in zip(rows, found[1:], strict=True):
            if "t" in row:
                assert [text or "" for text in row["t"]] == [shown_text(text) for text in line]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def jsonl(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_tables_are_listed(world: Shell) -> None:
    """`tables` names what has rows, how it is encoded, and up to when its rows are complete."""
    code, answer = world.answer("tables", "latest", *BACKUPS)
    found = {item["name"]: item for item in answer["tables"]}
    assert (code, answer["snapshot_id"]) == (0, 9)
    assert found["dev.public.t_scalar"]["encoding"] == "column-aware"
    assert found["dev.public.t_scalar"]["epoch"] == int(known_rows("v3.0.3")["epochs"]["E3"])
    sound = (item["readable"] and item["bytes_max"] and item["keys_max"] for item in found.values())
    assert all(sound)
    code, out, _ = world.run("tables", "latest", *BACKUPS, "--all")
    assert (code, "internal table" in out, "#1011" in out) == (0, True, True)


def test_names_of_tables(world: Shell) -> None:
    """A table is found by as much of its name as says which it is, quoted or not, or by its id."""
    expected = None
    for name in ("t_rowid", "public.t_rowid", "dev.public.t_rowid", '"t_rowid"', "#1003"):
        code, out, _ = world.run("read", "9", name, *PLACES)
        expected = expected or out
        assert (code, out) == (0, expected)
    for name in ("t_row", "other.t_rowid", "#9", "a.b.c.d", "", '"t_rowid', "t_rowid."):
        code, out, err = world.run("read", "9", name, *PLACES)
        assert (code, out, "hint" in err) == (2, "", True), name


def test_columns_are_chosen(world: Shell) -> None:
    """Hidden columns only if asked for; columns in the order of the wish; the time of each row."""
    lines = jsonl(world.run("read", "9", "t_rowid", *PLACES).out)
    assert "_row_id" not in lines[0]
    out = world.run("read", "9", "t_rowid", "--with-hidden", "--with-timestamp", *PLACES).out
    first = json.loads(out.splitlines()[0])
    assert {"_row_id", "_rw_timestamp"} <= first.keys()
    assert first["_rw_timestamp"].startswith("2026-09-21 ")
    names = list(first)[:2][::-1]
    out = world.run("read", "9", "t_rowid", "--columns", ",".join(names), *PLACES).out
    assert [list(json.loads(line)) for line in out.splitlines()] == [names] * len(lines)
    code, _, err = world.run("read", "9", "t_rowid", "--columns", "none", *PLACES)
    assert (code, "has no column none" in err) == (2, True)


def test_rows_are_chosen_by_key(world: Shell) -> None:
    """--where compares columns of the key; what is no such comparison is refused."""
    every = jsonl(world.run("read", "9", "t_scalar", *PLACES).out)
    where = ("--where", "id >= 10 and id < 100")
    out = world.run("read", "9", "t_scalar", *where, "--columns", "v_bool,id", *PLACES).out
    found = [json.loads(line)["id"] for line in out.splitlines()]
    assert found == [row["id"] for row in every if 10 <= row["id"] < 100] != []
    for text in (
        "v_int4 = 1",
        "id",
        "id = x",
        "id = 1 or id = 2",
        "id = 1 and",
        "id = 'a",
        "nope=1",
    ):
        code, out, err = world.run("read", "9", "t_scalar", "--where", text, *PLACES)
        assert (code, out, "hint" in err) == (2, "", True), text


def test_a_value_that_does_not_fit_ends_the_read(world: Shell) -> None:
    """The error names table, key, column, value and the option; no file is left. With the option
    it is written."""
    arguments = ("read", "9", "t_scalar", "--to", "x.parquet", *PLACES)
    code, out, err = world.run(*arguments)
    assert (code, out, Path("x.parquet").exists()) == (1, "", False)
    assert "table dev.public.t_scalar, key id=-100, column v_decimal: -79228162514264337593" in err
    assert "hint: --decimal text holds it" in err
    assert [path.name for path in Path().iterdir() if "export" in path.name] == []
    code, answer = world.answer(*arguments, "--on-unfit", "text")
    table = pq.read_table("x.parquet")
    assert (code, answer["rows"]) == (0, table.num_rows)
    facts = pq.read_metadata("x.parquet").metadata
    assert facts[b"metasnapshot.snapshot_id"] == b"9"
    assert facts[b"metasnapshot.rows"] == str(table.num_rows).encode()
    assert stat.S_IMODE(Path("x.parquet").stat().st_mode) == 0o600
    code, _, err = world.run(*arguments, "--on-unfit", "text")
    assert (code, "exists already" in err) == (11, True)


def test_dictionaries_are_asked_for(world: Shell) -> None:
    """No column of Parquet has a dictionary, but for those that are named."""
    arguments = ("read", "9", "t_scalar", "--on-unfit", "text", *PLACES)
    for words, wanted in (
        ((), set[str]()),
        (("--dictionary", "v_varchar,id"), {"v_varchar", "id"}),
    ):
        name = f"{len(words)}.parquet"
        assert world.run(*arguments, *words, "--to", name).code == 0
        group = pq.read_metadata(name).row_group(0)
        columns = [group.column(number) for number in range(group.num_columns)]
        assert {item.path_in_schema for item in columns if item.has_dictionary_page} == wanted


def test_arrow_files_and_streams(world: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An Arrow file has a footer, a stream on stdout none; both have the same rows."""
    arguments = ("read", "9", "t_rowid", *PLACES, "--format", "arrow")
    assert world.run(*arguments, "--to", "x.arrow").code == 0
    table = pa.ipc.open_file("x.arrow").read_all()
    target = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", target)
    world.run(*arguments)
    data = target.buffer.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert repr(pa.ipc.open_stream(data).read_all()) == repr(table)
    assert table.schema.metadata[b"metasnapshot.table"] == b"dev.public.t_rowid"


def test_every_table_into_a_directory(world: Shell) -> None:
    """--all writes a file a table, by database, schema and name, in one or more processes; one that
    fails has none and makes the exit code 3."""
    arguments = ("read", "9", "--all", *PLACES)
    code, answer = world.answer(*arguments, "--to", "one", "--on-unfit", "text")
    names = [item["table"] for item in answer["tables"]]
    assert (code, len(names), len(set(names))) == (0, len(names), len(names))
    for item in answer["tables"]:
        path = Path("one", *item["table"].split("."), "part-00000.parquet")
        assert (str(path), item["ok"]) == (f"one/{item['path']}", True)
        assert pq.read_metadata(path).num_rows == item["rows"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    code, two = world.answer(*arguments, "--to", "two", "--on-unfit", "text", "--jobs", "2")
    assert (code, two["tables"]) == (0, answer["tables"])
    code, failed = world.answer(*arguments, "--to", "three")
    wrong = [item for item in failed["tables"] if not item["ok"]]
    assert (code, wrong[0]["error"]["kind"]) == (3, "ValueUnfit")
    assert not any(Path("three", item["path"]).exists() for item in wrong)


def test_objects_are_looked_for_first(world: Shell) -> None:
    """An object that is gone, or has another size, is told before the first row is written."""
    path = Path("state/hummock_001/110.data")
    data = path.read_bytes()
    path.unlink()
    code, out, err = world.run("read", "9", "t_scalar", *PLACES)
    assert (code, out, "no such object: hummock_001/110.data" in err) == (17, "", True)
    assert "pins --missing" in err
    path.write_bytes(data + b"x")
    code, out, err = world.run("read", "9", "t_scalar", *PLACES)
    assert (code, out, "the Hummock version says" in err) == (4, "", True)


def test_damage_ends_the_read(world: Shell) -> None:
    """A block that is not as it was written names object and block; no file is left."""
    path = Path("state/hummock_001/110.data")
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    code, out, err = world.run("read", "9", "t_scalar", "--to", "x.csv", *PLACES)
    assert (code, out, Path("x.csv").exists()) == (4, "", False)
    assert "object hummock_001/110.data, block 0, offset 0: checksum mismatch" in err


def test_another_epoch_is_refused(world: Shell) -> None:
    """Rows as of a later epoch are not complete, as of an earlier one may be gone: neither is
    given."""
    epochs = {name: int(number) for name, number in known_rows("v3.0.3")["epochs"].items()}
    for number, words in ((epochs["E3"] + 65536, "is later than"), (epochs["E2"], "may be gone")):
        code, out, err = world.run("read", "9", "t_scalar", "--epoch", str(number), *PLACES)
        assert (code, out, words in err) == (2, "", True)
    code, out, _ = world.run("read", "9", "t_scalar", "--epoch", str(epochs["E3"]), *PLACES)
    assert (code, bool(out)) == (0, True)


MISUSES = [
    ("read", "9"),
    ("read", "9", "t_scalar", "--all", "--to", "x"),
    ("read", "9", "--all"),
    ("read", "9", "t_scalar", "--json"),
    ("read", "9", "t_scalar", "--jobs", "0"),
    ("read", "9", "t_scalar", "--memory", "5"),
    ("read", "9", "t_scalar", "--memory", "much"),
    ("read", "9", "t_scalar", "--to", "x", "--decimal", "10,2"),
    ("read", "9", "t_scalar", "--to", "x", "--dictionary", "nope"),
    ("read", "9", "t_scalar", "--to", "x", "--columns", "id,id"),
]


@pytest.mark.parametrize("arguments", MISUSES, ids=" ".join)
def test_what_does_not_go_together(world: Shell, arguments: tuple[str, ...]) -> None:
    """Options that contradict each other are refused, and nothing is written."""
    before = sorted(Path().iterdir())
    code, _, err = world.run(*arguments, *PLACES)
    assert (code, err.startswith("error: "), sorted(Path().iterdir())) == (2, True, before)


def test_rows_out_of_a_full_backup(world: Shell) -> None:
    """Where a snapshot is full its rows come from the backup, though the state store is gone."""
    write_area(world.path)
    expected = world.run("read", "9", "t_rowid", "--in", "state", *PLACES).out
    shutil.rmtree("state")
    assert world.run("read", "9", "t_rowid", *BACKUPS).out == expected != ""
    assert world.run("read", "9", "t_rowid", "--in", "area", *BACKUPS).out == expected
    code, out, _ = world.run("read", "9", "t_rowid", "--in", "state", *PLACES)
    assert (code, out) == (17, "")


def test_a_partial_backup_has_no_rows(world: Shell) -> None:
    """Objects that are not in the backup are not looked for there."""
    code, out, err = world.run("read", "9", "t_rowid", "--in", "area", *PLACES)
    assert (code, out, "is partial" in err) == (17, "", True)
