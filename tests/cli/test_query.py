from __future__ import annotations

import csv
import stat
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]
import pytest
from asking import PLACES, asked, lines, read
from data_cluster import v2_snapshot, write_objects
from shell import BACKUPS, Shell

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.rows.table import TableRead
from metasnapshot.store.local import LocalStore
from metasnapshot_models.enums import JobStatus


def test_rows_are_those_of_read(world: Shell) -> None:
    """SELECT * gives the rows of `read`, in its order, hidden columns left out."""
    for table in ("t_rowid", "t_lag", "key_varchar", "key_list_int"):
        assert asked(world, f"SELECT * FROM {table}") == read(world, table) != []


def test_names_and_shapes(world: Shell) -> None:
    """A self join, a CTE that shadows a table, USE, full and quoted names, an empty projection, a
    union and a subquery: each gives what the rows of `read` say."""
    rows = read(world, "t_scalar")
    count, ids = len(rows), [row["id"] for row in rows]
    table = '"dev"."public"."t_scalar"'
    queries = {
        "SELECT count(*) AS n FROM t_scalar": [{"n": count}],
        f"SELECT count(*) AS n FROM {table}": [{"n": count}],
        "SELECT count(*) AS n FROM public.T_SCALAR": [{"n": count}],
        "SELECT count(*) AS n FROM t_scalar a JOIN t_scalar b ON a.id = b.id": [{"n": count}],
        "WITH t_scalar AS (SELECT 7 AS id) SELECT id FROM t_scalar": [{"id": 7}],
        "USE meta; SELECT count(*) AS n FROM dev.public.t_scalar": [{"n": count}],
        "USE dev.public; SELECT 1 AS n FROM t_scalar WHERE false": [],
        "SELECT count(*) AS n FROM (FROM t_scalar UNION ALL FROM t_scalar)": [{"n": 2 * count}],
        "SELECT (SELECT max(id) FROM t_scalar) AS n": [{"n": max(ids)}],
        "SELECT id FROM t_scalar ORDER BY id DESC LIMIT 3;": [
            {"id": n} for n in sorted(ids, reverse=True)[:3]
        ],
        "SELECT EXISTS (SELECT 1 FROM t_scalar) AS n": [{"n": True}],
    }
    for text, expected in queries.items():
        assert asked(world, text) == expected, text


ODD = 'Order "lines" ü;--'
"""A name that SQL would end at, if it were not quoted."""


def test_names_as_risingwave_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name of any letters is asked in quotes; of two that differ in case alone the second has a
    number, which a note says.
    """
    monkeypatch.chdir(tmp_path)
    world = Shell(tmp_path, capsys)
    write_objects("v3.0.3", tmp_path / "state")
    snapshot = v2_snapshot("v3.0.3")
    new = {"t_rowid": ODD, "t_lag": "T_SCALAR"}
    for row in snapshot.sections["tables"]:
        row.name = new.get(row.name, row.name)
    changes.create(Repository(LocalStore(tmp_path / "backups"), "backup"), snapshot)
    counts = {name: len(read(world, f'dev.public."{escaped(name)}"')) for name in new.values()}
    assert min(counts.values()) > 0
    for where in ("", "public.", 'dev."public".'):
        found = asked(world, f'SELECT count(*) AS n FROM {where}"{escaped(ODD)}"')
        assert found == [{"n": counts[ODD]}]
    code, out, err = world.run("query", "9", "SELECT count(*) AS n FROM t_scalar_1", *PLACES)
    assert (code, lines(out)) == (0, [{"n": counts["T_SCALAR"]}])
    assert "dev.public.T_SCALAR is named T_SCALAR_1 here: names have no case" in err


def escaped(name: str) -> str:
    return name.replace('"', '""')


def test_only_needed_columns_are_read(world: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query decodes the columns that it needs and no other; a table that it does not need, not
    at all."""
    found: list[list[str]] = []
    batches = TableRead.batches

    def spied(self: TableRead) -> Any:
        found.append(list(self.names))
        return batches(self)

    monkeypatch.setattr(TableRead, "batches", spied)
    asked(world, "SELECT v_int4 FROM t_scalar WHERE v_bool ORDER BY id")
    assert [sorted(names) for names in found] == [["id", "v_bool", "v_int4"]]
    found.clear()
    asked(world, "SELECT count(*) FROM t_scalar WHERE id > 3")
    assert found == [["id"]]
    found.clear()
    asked(world, "WITH t_scalar AS (SELECT 1 AS a) SELECT a FROM t_scalar")
    assert found == []


FORBIDDEN = [
    "SELECT * FROM 'meta.csv'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    "SET enable_external_access = true; SELECT 1",
    "SET memory_limit = '9GB'; SELECT 1",
    "ATTACH 'x.db' AS x; SELECT 1",
    "COPY (SELECT 1) TO 'x.csv'",
    "INSTALL httpfs",
    "CREATE TABLE x (a int); SELECT 1",
    "DROP VIEW dev.public.t_scalar",
    "SELECT 1; SELECT 2",
    "",
    "SELECT nonsense FROM t_scalar",
    "SELECT * FROM nothing",
    "SELECT",
]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_a_query_reads_tables_alone(world: Shell, text: str) -> None:
    """Files, settings, other statements and what is no query are refused, and nothing is made."""
    Path("meta.csv").write_text("a\n1\n")
    before = sorted(Path().iterdir())
    code, out, err = world.run("query", "9", text, *PLACES)
    assert (code, out, "hint" in err, sorted(Path().iterdir())) == (2, "", True, before), err


def test_a_table_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A query over a table whose job was still being created is refused with the reason, and one
    over others is not."""
    monkeypatch.chdir(tmp_path)
    world = Shell(tmp_path, capsys)
    write_objects("v3.0.3", tmp_path / "state")
    snapshot = v2_snapshot("v3.0.3")
    (table,) = [row for row in snapshot.sections["tables"] if row.name == "t_rowid"]
    jobs = snapshot.sections["streaming_jobs"]
    for place, job in enumerate(jobs):
        if job.job_id == table.table_id:
            jobs[place] = msgspec.structs.replace(job, job_status=JobStatus.CREATING)
    changes.create(Repository(LocalStore(tmp_path / "backups"), "backup"), snapshot)
    for text in ("SELECT * FROM t_rowid", "SELECT count(*) FROM t_scalar, t_rowid"):
        code, out, err = world.run("query", "9", text, *PLACES)
        assert (code, out, "t_rowid cannot be read: it was still being created" in err) == (
            2,
            "",
            True,
        )
    assert asked(world, "SELECT count(*) AS n FROM t_scalar")[0]["n"] > 0


def test_tables_at_different_epochs(world: Shell) -> None:
    """Where the rows of one table are complete up to an earlier epoch than those of another, the
    query says both epochs; the answer is given all the same."""
    text = "SELECT (SELECT count(*) FROM t_lag) AS a, (SELECT count(*) FROM t_scalar) AS b"
    code, out, err = world.run("query", "9", text, *PLACES)
    assert (code, "the tables are as of different epochs: dev.public.t_" in err) == (0, True)
    assert lines(out) == [{"a": len(read(world, "t_lag")), "b": len(read(world, "t_scalar"))}]
    assert world.run("query", "9", "SELECT count(*) FROM t_lag", *PLACES).err == ""


def test_damage_and_loss_are_told(world: Shell) -> None:
    """An object that is gone is told before the first row, damage by object and block, a value that
    does not fit by table, key and column; no file is left."""
    text = "SELECT count(id), max(v_varchar) FROM t_scalar"
    path = Path("state/hummock_001/110.data")
    data = path.read_bytes()
    path.unlink()
    code, _, err = world.run("query", "9", text, *PLACES, "--to", "x.csv")
    assert (code, "no such object: hummock_001/110.data" in err) == (17, True)
    path.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
    code, _, err = world.run("query", "9", text, *PLACES, "--to", "x.csv")
    assert (code, "hummock_001/110.data, block 0, offset 0: checksum" in err) == (4, True)
    path.write_bytes(data)
    code, _, err = world.run("query", "9", "SELECT sum(v_decimal) FROM t_scalar", *PLACES)
    assert (code, "key id=-100, column v_decimal" in err) == (1, True)
    assert "--decimal text" in err
    assert not Path("x.csv").exists()


def test_files_of_all_forms(world: Shell) -> None:
    """Parquet, Arrow, CSV and lines have the same rows; the file is ours alone and says its
    snapshot."""
    text = "SELECT id, v_varchar, v_int4 FROM t_scalar ORDER BY id"
    rows = asked(world, text)
    for form in ("parquet", "arrow", "csv", "jsonl"):
        code, answer = world.answer("query", "9", text, *PLACES, "--to", f"x.{form}")
        assert (code, answer["rows"], answer["format"]) == (0, len(rows), form)
        assert answer["tables"][0]["table"] == "dev.public.t_scalar"
        assert stat.S_IMODE(Path(f"x.{form}").stat().st_mode) == 0o600
    assert pq.read_table("x.parquet").to_pylist() == rows
    assert pa.ipc.open_file("x.arrow").read_all().to_pylist() == rows
    assert lines(Path("x.jsonl").read_text()) == rows
    with Path("x.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == len(rows) + 1
    assert pq.read_metadata("x.parquet").metadata[b"metasnapshot.snapshot_id"] == b"9"
    code, _, _ = world.run("query", "9", text, *PLACES, "--to", "x.csv")
    assert code == 11


def test_intervals_and_json(world: Shell) -> None:
    """An interval is one in SQL and the same struct in Parquet as `read` writes; jsonb is JSON."""
    choice = ("--columns", "id,v_interval,v_jsonb", "--to", "read.parquet")
    assert world.run("read", "9", "t_scalar", *choice, *PLACES).code == 0
    text = "SELECT id, v_interval, v_jsonb FROM t_scalar"
    assert world.run("query", "9", text, "--to", "asked.parquet", *PLACES).code == 0
    expected = {row["id"]: row for row in pq.read_table("read.parquet").to_pylist()}
    found = {row["id"]: row for row in pq.read_table("asked.parquet").to_pylist()}
    assert found == expected
    kinds = asked(
        world, "SELECT typeof(v_interval) AS a, typeof(v_jsonb) AS b FROM t_scalar LIMIT 1"
    )
    assert kinds == [{"a": "INTERVAL", "b": "JSON"}]


def test_metadata_is_asked_with_rows(world: Shell) -> None:
    """Sections are tables of meta, joined with rows; secrets are redacted unless asked for."""
    text = (
        "SELECT t.name AS a, count(*) AS n FROM meta.tables t, t_scalar "
        "WHERE t.name = 't_scalar' GROUP BY 1"
    )
    assert asked(world, text) == [{"a": "t_scalar", "n": len(read(world, "t_scalar"))}]
    sections = asked(
        world, "SELECT count(*) AS n FROM meta.system_parameters WHERE value IS NOT NULL"
    )
    assert sections[0]["n"] > 5
    where = (
        "SELECT columns->0->'column_desc'->>'name' AS c FROM meta.tables WHERE name = 't_scalar'"
    )
    assert len(asked(world, where)) == 1


def test_all_snapshots_are_asked(world: Shell) -> None:
    """--all has the sections of every snapshot with its id: when did this table appear?"""
    snapshot = v2_snapshot("v3.0.3")
    snapshot.id = 8
    snapshot.sections["tables"][:] = [
        row for row in snapshot.sections["tables"] if row.name != "t_rowid"
    ]
    changes.create(Repository(LocalStore(Path("backups")), "backup"), snapshot)
    text = (
        "SELECT name, min(snapshot_id) AS first FROM meta.tables "
        "WHERE name IN ('t_rowid', 't_scalar') GROUP BY 1 ORDER BY 1"
    )
    code, out, _ = world.run("query", "--all", text, *BACKUPS)
    expected = [{"name": "t_rowid", "first": 9}, {"name": "t_scalar", "first": 8}]
    assert (code, lines(out)) == (0, expected)
    code, _, err = world.run("query", "--all", "SELECT * FROM t_rowid", *BACKUPS)
    assert (code, "hint" in err) == (2, True)


def test_spill_is_ours_and_cleared(world: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into memory goes into a directory of mode 0700 that is gone afterwards; one
    that a killed run left is removed by the next."""
    temporary = world.path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    dead = temporary / "metasnapshot-query-dead"
    dead.mkdir()
    (dead / ".alive").touch()
    (dead / "spilled").touch()
    seen: list[tuple[int, str]] = []
    text = (
        "SELECT count(*) AS n FROM (SELECT i FROM range(4000000) t(i) "
        "ORDER BY hash(i) LIMIT 3000000) WHERE i >= 0"
    )
    from metasnapshot.rows import sql  # noqa: PLC0415

    whole = sql.Session.plan

    def spied(self: Any, query: str) -> Any:
        seen.extend((stat.S_IMODE(path.stat().st_mode), path.name) for path in temporary.iterdir())
        return whole(self, query)

    monkeypatch.setattr(sql.Session, "plan", spied)
    assert asked(world, text, "--memory", "64M") == [{"n": 3000000}]
    ((mode, name),) = seen
    assert (mode, name.startswith("metasnapshot-query-"), list(temporary.iterdir())) == (
        0o700,
        True,
        [],
    )


def test_a_query_that_takes_too_much(world: Shell) -> None:
    """Out of memory is told as such, with the option that helps."""
    text = "SELECT list(i::VARCHAR || repeat('x', 100)) FROM range(3000000) t(i)"
    code, out, err = world.run("query", "9", text, *PLACES, "--memory", "40M")
    assert (code, out, "hint: more --memory" in err) == (2, "", True)


def test_misuse(world: Shell) -> None:
    """A snapshot without a query, two with --all, a summary on standard output: refused."""
    for words in (("9",), ("9", "SELECT 1", "--all"), ("9", "SELECT 1", "--json")):
        code, out, err = world.run("query", *words, *PLACES)
        assert (code, "hint" in err + out) == (2, True)
