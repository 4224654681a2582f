"""V1 snapshots as operators meet them: every command, in every layout and manifest there was."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import goldens
import pytest
from ran import Ran
from shell import BACKUPS, STATE_FOLDER, STORE, Shell
from v1_manifests import BY_TABLE, DIALECTS, EPOCH, REWRITTEN, SAFE_EPOCH, TABLE, write_backups
from v1_snapshots import CLUSTER_ID, cluster, deep_fragments

import metasnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.store.local import LocalStore
from metasnapshot_models.v1 import V1_LAYOUTS

FILES = Path("backups/backup")
PLACED = ("v1-0.1.17", "v1-0.19", "v1-1.8", "v1-2.0")
"""Layouts whose snapshots say where the state store is."""
MET = [
    *((layout, dialect) for layout in V1_LAYOUTS for dialect in ("0.1.15", REWRITTEN)),
    *(("v1-0.19", dialect) for dialect in ("1.3", "1.4", "1.6")),
    *((layout, BY_TABLE) for layout in ("v1-1.8", "v1-2.0")),
]
"""Each layout in the oldest manifest and in a rewritten one, and what was between."""
FORMATS = ("jsonl", "csv", "sqlite", "etcd")
NO_SQL = "is in the V1 format (layout v1-2.0), which is of etcd and fits no SQL meta store"
NOT_ALIKE = "a V1 snapshot has no row in common with a V2 snapshot or a SQL meta store"

Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the backups in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys, *BACKUPS).run


def write_v2(number: int) -> None:
    """A V2 snapshot joins the V1 ones; a cluster that moves to SQL keeps its id."""
    snapshot = metasnapshot.loads(goldens.SMALL.read_bytes())
    snapshot.id = number
    for row in snapshot.sections["clusters"]:
        row.cluster_id = UUID(CLUSTER_ID)
    for row in snapshot.sections["hummock_sequences"]:
        row.seq = 1000
    changes.create(Repository(LocalStore(Path("backups")), "backup"), snapshot, "of SQL", "3.0.3")


def write_state(size: int = 4096) -> None:
    Path("state/hummock_001").mkdir(parents=True)
    Path("state/hummock_001/7.data").write_bytes(bytes(size))


def fingerprint() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def raw_entries(folder: Path = FILES) -> dict[int, Any]:
    entries = json.loads((folder / "manifest.json").read_bytes())["snapshot_metadata"]
    return {item["id"]: item for item in entries}


@pytest.mark.parametrize(("layout", "dialect"), MET)
def test_every_layout_in_every_manifest(run: Run, layout: str, dialect: str) -> None:
    """It is listed with what its entry says, is sound at each level, and needs its one object."""
    write_backups(Path("backups"), layout, dialect)
    first = run("list", "--json").json["snapshots"][0]
    at = DIALECTS.index(dialect)
    version = int(at >= 2 and layout != "v1-0.1.15")
    assert [first["id"], first["hummock_version_id"], first["format_version"]] == [1, 321, version]
    assert (first["remarks"], first["state_tables"]) == ("nightly" if at >= 3 else None, at >= 4)
    ran = run("verify", "--all", "--level", "refs", "--json")
    assert (ran.code, [item["ok"] for item in ran.json["snapshots"]]) == (0, [True, True])
    assert [item["findings"] for item in ran.json["snapshots"]] == [[], []]
    assert {item["layout"] for item in ran.json["snapshots"]} == {layout}
    pinned = {"objects": 1, "bytes": 4096, "own_objects": 0, "own_bytes": 0}
    assert run("pins", "1", "--json").json == {"snapshot_ids": [1]} | pinned


@pytest.mark.parametrize("layout", V1_LAYOUTS)
def test_show(run: Run, layout: str) -> None:
    """Names by kind, where the state is, what a restore does to connectors; no section is lost."""
    write_backups(Path("backups"), layout, "1.6")
    found = run("show", "latest", "--json").json
    names = {kind: items for kind, items in found["names"].items() if items}
    assert names == {
        "tables": ["t"],
        "databases": ["dev"],
        "schemas": ["public"],
        "sources": ["c"],
        "sinks": ["s"],
        "views": ["v"],
        "users": ["root"],
    }
    old, bare = layout == "v1-0.1.15", layout in ("v1-0.1.15", "v1-0.1.17")
    assert found["cluster_ids"] == ([] if bare else [CLUSTER_ID])
    parameters = {"barrier_interval_ms": "1000", "bloom_false_positive": "0.001"}
    parameters |= {"state_store": "hummock+memory", "data_directory": "hummock_001"}
    assert found["parameters"] == ({} if old else parameters)
    assert [text.split(" asks ")[0].split(" writes ")[0] for text in found["risks"]] == [
        "source c (postgres-cdc, slot one)",
        "sink s (kafka)",
    ]
    assert [item["epoch"] for item in found["committed_epochs"]] == [EPOCH, EPOCH]
    members = [member.name for member in V1_LAYOUTS[layout].members]
    assert [item["name"] for item in found["sections"]] == members
    for level in ("file", "rows"):
        assert f"snapshot 2: ok, level {level}, " in run("verify", "2", "--level", level).out
    lines = run("show", "2").out.splitlines()
    assert lines[0] == "snapshot 2: nightly"
    assert lines[1] == f"cluster {'unknown' if bare else CLUSTER_ID}"
    assert lines[2].endswith(f", layout {layout}")


@pytest.mark.parametrize("layout", PLACED)
def test_objects_are_looked_for(run: Run, layout: str) -> None:
    """Found with its size it is well; another size or none is an error with the object's path."""
    write_backups(Path("backups"), layout, "0.1.15")
    for size, code, text in ((4096, 0, "level objects"), (5, 4, "has 5 bytes, the snapshot says")):
        write_state(size)
        ran = run("verify", "1", "--level", "objects", *STATE_FOLDER)
        assert (ran.code, text in ran.out + ran.err) == (code, True)
        shutil.rmtree("state")
    Path("state").mkdir()
    assert run("verify", "1", "--level", "objects", *STATE_FOLDER).code == 17
    ran = run("pins", "--missing", *STATE_FOLDER, "--json")
    assert (ran.code, ran.json["missing"]) == (17, 1)
    assert [item["row"] for item in ran.json["findings"]] == ["hummock_001/7.data"]


EPOCHS = [
    ("0.1.15", "1.9.0", SAFE_EPOCH),
    (BY_TABLE, "1.9.0", EPOCH),
    ("1.6", "1.10.0", EPOCH),
    (BY_TABLE, "1.10.0", SAFE_EPOCH),
    (BY_TABLE, "2.0.7", EPOCH),
    (BY_TABLE, "3.0.3", EPOCH),
]


@pytest.mark.parametrize(("dialect", "release", "epoch"), EPOCHS)
def test_an_epoch_is_served_as_the_release_does(
    run: Run, dialect: str, release: str, epoch: int
) -> None:
    """Between the epochs of the whole, since 1.10 of the table, since 2.1 only at the last."""
    write_backups(Path("backups"), "v1-1.8", dialect)
    ran = run("epoch", str(TABLE), str(epoch), "--release", release, "--json")
    assert (ran.code, ran.json["snapshot"]["id"]) == (0, 1)
    later = epoch + (1 << 16) if epoch == EPOCH else epoch - (1 << 16)
    assert run("epoch", str(TABLE), str(later), "--release", release).code == 12


@pytest.mark.parametrize("dialect", ["1.6", REWRITTEN])
def test_epochs_of_the_whole_serve_nobody_since_2_1(run: Run, dialect: str) -> None:
    """That release looks at the table's only; zeros that it wrote are no epoch."""
    write_backups(Path("backups"), "v1-2.0", dialect)
    assert run("epoch", str(TABLE), str(EPOCH), "--release", "2.1.0").code == 12


@pytest.mark.parametrize("dialect", ["0.1.15", BY_TABLE, REWRITTEN])
def test_housekeeping_leaves_other_entries_as_they_are(run: Run, dialect: str) -> None:
    """keep, expire, delete, copy and gc among V1 and V2: what stays keeps every field it had."""
    write_backups(Path("backups"), "v1-0.19", dialect)
    write_v2(3)
    before = raw_entries()
    assert [line.split()[1] for line in run("list").out.splitlines()[1:4]] == ["V1", "V1", "V2"]
    assert run("verify", "--all", "--level", "refs").code == 0
    assert run("keep", "1").out == "kept: 1\n"
    assert (run("delete", "1", "--yes").code, run("check").code) == (16, 0)
    judged = run("expire", "--keep-last", "1", "--json").json["snapshots"]
    kept = {item["id"]: bool(item["reasons"]) for item in judged}
    assert kept == {3: True, 2: dialect == REWRITTEN, 1: True}  # what has no time stays
    assert run("copy", "--to", "fs://safe").code == 0
    for number in (1, 2, 3):
        name = f"backup/{number}.snapshot"
        assert Path("safe", name).read_bytes() == Path("backups", name).read_bytes()
    assert raw_entries(Path("safe/backup")) == before
    assert (run("delete", "2", "--yes").code, (FILES / "2.snapshot").exists()) == (0, False)
    assert raw_entries() == {number: before[number] for number in (1, 3)}
    (FILES / "77.snapshot").write_bytes(b"x")
    ran = run("gc", "--grace", "0h", "--commit", "--json")
    assert (ran.code, ran.json["deleted"]) == (0, ["backup/77.snapshot"])


def test_expire_lets_the_old_go(run: Run) -> None:
    """The epoch of the whole says when a V1 snapshot was taken."""
    write_backups(Path("backups"), "v1-0.1.15", "0.1.15")
    assert "deleted 1 snapshot" in run("expire", "--keep-last", "1", "--commit").out
    assert list(raw_entries()) == [2]
    ran = run("check", "--max-age", "1h", "--json")
    assert (ran.code, ran.json["newest_id"]) == (5, 2)
    assert ran.json["newest_at"] == "2024-12-12T19:03:20+00:00"


@pytest.mark.parametrize("layout", ["v1-0.1.15", "v1-0.19", "v1-2.0"])
def test_diff(run: Run, layout: str) -> None:
    """By name, by row, by object; a snapshot equals itself."""
    write_backups(Path("backups"), layout, "1.6")
    assert run("diff", "1", "latest").out.splitlines() == [
        "views:",
        "  ~ dev.public.v (sql)",
        "objects of Hummock: 0 added, 0 removed",
        "section  rows added  rows removed  rows changed",
        "view     0           0             1",
    ]
    lines = [json.loads(line) for line in run("diff", "1", "2", "--json").out.splitlines()]
    change: dict[str, Any] = {"change": "changed", "columns": ["sql"]}
    assert lines[:2] == [
        {"by": "name", "kind": "views", "key": "dev.public.v"} | change,
        {"by": "row", "kind": "view", "key": [1004]} | change,
    ]
    assert [item["equal"] for item in lines[2:]] == [False]
    assert run("diff", "1", "1").out.splitlines()[1:] == ["no row differs"]


@pytest.mark.parametrize("layout", V1_LAYOUTS)
def test_export(run: Run, layout: str) -> None:
    """Each format has as many rows of each section as the file; each says how many it wrote."""
    write_backups(Path("backups"), layout, "0.1.15")
    counts = {item["name"]: item["rows"] for item in run("show", "1", "--json").json["sections"]}
    for form in FORMATS[:3]:
        found = run("export", "1", "--format", form, "--to", form, "--json").json
        assert found == {"snapshot_id": 1, "format": form, "path": form, "rows": counts}
    lines = [json.loads(line) for line in Path("jsonl").read_text().splitlines()]
    assert lines[-1]["summary"]["rows"] == counts
    assert [item["section"] for item in lines[:-1]].count("default_cf") == 3
    with closing(sqlite3.connect("sqlite")) as connection:
        for section, count in counts.items():
            rows = list(csv.reader(Path("csv", f"{section}.csv").read_text().splitlines()))
            head = connection.execute(f'SELECT * FROM "{section}"').description
            assert [column[0] for column in head] == rows[0]
            query = f'SELECT count(*) FROM "{section}"'
            assert (len(rows) - 1, connection.execute(query).fetchone()) == (count, (count,))
        assert connection.execute("SELECT id, name, definition FROM sink").fetchall() == [
            (1003, "s", "")
        ]
    row = json.loads(run("cat", "1", "view").out)
    assert (row["id"], row["name"], row["sql"]) == (1004, "v", "SELECT 1")
    found = run("export", "1", "--format", "etcd", "--to", "etcd", "--json").json
    assert found["keys"] == Path("etcd/load.sh").read_text().count("\nput -- ")
    assert found["checkpoint"] == Path("etcd/checkpoint").exists()


REFUSED = [
    (
        ("restore", "1", *STORE, *STATE_FOLDER),
        14,
        "UnknownFormat",
        NO_SQL,
    ),
    (
        ("restore", "1", "--meta-store", "sqlite:///new.db", "--create-schema", *STATE_FOLDER),
        14,
        "UnknownFormat",
        NO_SQL,
    ),
    (("drill", "1"), 14, "UnknownFormat", NO_SQL),
    (
        ("create-schema", "--for-snapshot", "1", "--meta-store", "sqlite:///new.db"),
        14,
        "UnknownFormat",
        NO_SQL,
    ),
    (("diff", "1", "3"), 2, "UsageError", NOT_ALIKE),
    (("diff", "3", "1"), 2, "UsageError", NOT_ALIKE),
    (("diff", "1", *STORE), 2, "UsageError", NOT_ALIKE),
    (("cat", "1", "tables"), 14, "UnknownFormat", "has no section tables"),
    (("export", "1", "--section", "users", "--to", "x"), 14, "UnknownFormat", "no section users"),
    (("export", "1", "--format", "etcd", "--to", "x"), 1, "InconsistentStore", "went on in a SQL"),
    (("export", "3", "--format", "etcd", "--to", "x"), 14, "UnknownFormat", "in the V2 format"),
]


@pytest.mark.parametrize(("command", "code", "kind", "text"), REFUSED)
def test_what_a_v1_snapshot_is_not_for_is_refused(
    run: Run, command: tuple[str, ...], code: int, kind: str, text: str
) -> None:
    """With its exit code, in words and as JSON, with a hint; every file stays as it was."""
    write_backups(Path("backups"), "v1-2.0", BY_TABLE)
    write_v2(3)
    write_state()
    goldens.copy_store(goldens.SHIPPED / "v3.0.3", Path("meta.db"))
    before = fingerprint()
    ran = run(*command)
    assert (ran.code, ran.out, text in ran.err, "\nhint: " in ran.err) == (code, "", True, True)
    if command[0] != "cat":
        error = run(*command, "--json").json["error"]
        assert (error["kind"], error["exit_code"], text in error["message"]) == (kind, code, True)
    assert fingerprint() == before


def test_a_snapshot_of_the_wrong_format_is_damage(run: Run) -> None:
    """A V1 file under a V2 entry, and the reverse, are not what the manifest means."""
    write_backups(Path("backups"), "v1-0.19", "1.4")
    write_v2(3)
    (FILES / "3.snapshot").write_bytes(metasnapshot.dumps(cluster("v1-0.19", 3)))
    small = metasnapshot.loads(goldens.SMALL.read_bytes())
    small.id = 1
    (FILES / "1.snapshot").write_bytes(metasnapshot.dumps(small))
    ran = run("verify", "--all", "--level", "file", "--json")
    assert (ran.code, [item["ok"] for item in ran.json["snapshots"]]) == (3, [False, True, False])
    assert "the manifest says id 1, format_version 1" in ran.out


def test_a_plan_that_is_nested_too_deep(run: Run) -> None:
    """Exit 14 for whoever asks for it; the snapshot is sound, and goes back into etcd."""
    snapshot = cluster("v1-2.0", 5)
    snapshot.sections["table_fragments"] = [deep_fragments()]
    changes.create(Repository(LocalStore(Path("backups")), "backup"), snapshot)
    assert run("verify", "5").code == 0
    shown = run("cat", "5", "table_fragments")
    assert (shown.code, "nested too deep" in shown.err) == (14, True)
    assert run("export", "5", "--format", "etcd", "--to", "out").code == 0
