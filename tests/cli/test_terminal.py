"""No name, remark or host moves the cursor of a terminal, hides a word or begins a line; no cell
becomes a formula; what is exported is its owner's alone."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
import stat
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pytest

from metasnapshot.cli import text
from metasnapshot.cli.app import main
from metasnapshot.cli.rows import STDOUT, row_file
from metasnapshot.contents.findings import ERROR, Finding
from metasnapshot.rows.lines import Form
from metasnapshot.rows.shown import write_result

STORE = ("--meta-store", "sqlite:///meta.db")
BACKUPS = ("--backup-storage-url", "fs://backups")
EVIL = [
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "a\nerror: forged",
    "a\r\nb",
    "\x9b31m",
    "\x7f\x08\x08",
    "\u202egnp.exe",
    "\u2066\u2069\u200f",
    "\u2028line\u2029",
    "\x85next",
    "\x00zero",
    "\ufeff\u200b",
]
ONE = "database_id = (SELECT min(database_id) FROM database)"
BAD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@pytest.mark.parametrize("evil", EVIL)
def test_every_way_out_is_harmless(evil: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Results, JSON, notes, findings, errors, hints, tables, bugs: one line each."""
    text.say(evil)
    text.say_json({"x": evil})
    text.table([["a"], [evil]])
    text.note(evil)
    text.complain(evil, evil)
    text.tell(Finding(ERROR, "rule", evil, evil))
    out, err = capsys.readouterr()
    assert (BAD.search(out + err), out.count("\n"), err.count("\n")) == (None, 4, 4)
    assert json.loads(out.splitlines()[1]) == {"x": evil}
    text.lament(ValueError(evil))
    assert BAD.search(capsys.readouterr().err) is None


@pytest.mark.parametrize("evil", [item for item in EVIL if "\0" not in item])
def test_names_of_a_meta_store_and_of_the_command_line(
    evil: str, cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table, a migration, a host, an option, a path, a verb, a line of Nagios."""
    name = evil.replace('"', '""')
    with sqlite3.connect(cluster / "meta.db") as connection:
        connection.execute(f'CREATE TABLE "{name}" ("{name}" integer)')
    connection.close()
    for words in (
        ("backup", *STORE, *BACKUPS),
        ("coverage", *STORE),
        ("list", "--backup-storage-url", f"{evil}://x"),
        ("list", "--backup-storage-url", f"fs://{evil}/manifest"),
        ("list", *BACKUPS, f"--{evil}"),
        (evil,),
        ("backup", "--meta-store", f"postgresql://u@127.0.0.1:1/{evil}", *BACKUPS),
        ("check", "--nagios", "--backup-storage-url", f"{evil}://x"),
        ("--metrics-file", f"{evil}/m", "list", *BACKUPS),
    ):
        main(words)
        out, err = capsys.readouterr()
        assert BAD.search(out + err) is None, words
        assert [line for line in err.splitlines() if line.startswith("error: forged")] == []


CELLS = [
    ("=1+1", True),
    ("+1", True),
    ("-1", True),
    ("@SUM(A1)", True),
    ("\t=1", True),
    ("\r=1", True),
    (" =1", True),
    ("\uff1d1", True),
    ("\n=1", True),
    ('=HYPERLINK("x","y")', True),
    ("plain", False),
    ("a=b", False),
    ("", False),
    ("'=1", False),
]


@pytest.mark.parametrize(("cell", "is_formula"), CELLS)
def test_csv_safe_defuses_formulas(
    cell: str,
    is_formula: bool,  # noqa: FBT001 - a cell of the table
    cluster: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And changes no other cell; without it every cell is as it is."""
    with sqlite3.connect(cluster / "meta.db") as connection:
        connection.execute(f"UPDATE database SET name = ? WHERE {ONE}", (cell,))
    connection.close()
    assert main(("backup", *STORE, *BACKUPS)) == 0
    capsys.readouterr()
    for words, expected in (((), cell), (("--csv-safe",), f"'{cell}" if is_formula else cell)):
        export = ("export", "latest", "--format", "csv", "--section", "databases", *words)
        assert main((*export, *BACKUPS)) == 0
        head, *rows = csv.reader(io.StringIO(capsys.readouterr().out, newline=""))
        assert expected in {row[head.index("name")] for row in rows}
        assert {row[head.index("database_id")][:1] for row in rows} <= set("0123456789")
    assert main(("export", "latest", "--csv-safe", *BACKUPS)) == 2


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("evil", [item for item in EVIL if "\0" not in item])
def test_a_csv_export_to_a_terminal_is_harmless(
    evil: str,
    safe: bool,  # noqa: FBT001 - a cell of the table
    cluster: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No cell moves the cursor or begins a line there; into a pipe or a file it goes as it is."""
    with sqlite3.connect(cluster / "meta.db") as connection:
        connection.execute(f"UPDATE database SET name = ? WHERE {ONE}", (evil,))
    connection.close()
    assert main(("backup", *STORE, *BACKUPS)) == 0
    capsys.readouterr()
    export = ("export", "latest", "--format", "csv", "--section", "databases", *BACKUPS)
    words = ("--csv-safe",) if safe else ()
    assert main((*export, *words)) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert evil in {row["name"] for row in rows}
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main((*export, *words)) == 0
    shown = capsys.readouterr().out
    assert (BAD.search(shown), shown.count("\n")) == (None, len(rows) + 1)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("evil", [*EVIL, 'a"\n"b', '"\n', '","\nx', "\n\n", '""\r\n""'])
def test_rows_on_a_terminal_are_harmless(
    evil: str,
    form: Form,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of `read` and `query`: a line a row, whatever cells and names of columns hold; elsewhere
    they go as they are."""
    result = pa.table({"plain": ["x", None], evil: [evil, "y"]})
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n")
    monkeypatch.setattr(sys, "stdout", stream)
    for is_terminal in (False, True):
        monkeypatch.setattr(stream, "isatty", lambda it=is_terminal: it)
        stream.truncate(stream.seek(0))
        with row_file(STDOUT, form) as file:
            write_result(result.to_reader(), form, file, {}, lambda _: None)
        stream.flush()
        shown = stream.buffer.getvalue().decode()
        if is_terminal:
            assert (BAD.search(shown), shown.count("\n")) == (None, 2 + (form == "csv"))
        elif form == "csv":
            assert list(csv.reader(io.StringIO(shown, newline="")))[1] == ["x", evil]
        else:
            assert json.loads(shown.split("\n")[0]) == {"plain": "x", evil: evil}
    monkeypatch.undo()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("form", ["jsonl", "csv", "sqlite"])
def test_an_export_is_its_owners(form: str, cluster: Path) -> None:
    """0600 for files, 0700 for directories, whatever the umask."""
    before = os.umask(0)
    try:
        assert main(("backup", *STORE, *BACKUPS)) == 0
        assert main(("export", "latest", "--format", form, "--to", "out", *BACKUPS)) == 0
    finally:
        os.umask(before)
    for path in (cluster / "out", *(cluster / "out").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    found = {path.name: path.stat().st_mode & 0o777 for path in Path("backups/backup").iterdir()}
    del found[".metasnapshot.lock"]
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("0640", 0),
        ("644", 0),
        ("0666", 0),
        ("0400", 2),
        ("0777", 2),
        ("rw", 2),
        ("0o600", 2),
    ],
)
def test_the_mode_of_new_files(given: str, code: int, cluster: Path) -> None:
    """As chmod writes it; not one that we or nobody could read, nor one that runs."""
    assert main(("--file-mode", given, "backup", *STORE, *BACKUPS)) == code
    if not code:
        path = cluster / "backups/backup/manifest.json"
        assert stat.S_IMODE(path.stat().st_mode) == int(given, 8)
    main(("list", *BACKUPS))


VERBS: list[tuple[str, ...]] = [
    ("list",),
    ("show", "7"),
    ("verify", "7"),
    ("verify", "--all"),
    ("cat", "7", "sources"),
    ("export", "7"),
    ("diff", "7", "8"),
    ("pins", "7"),
    ("check",),
    ("gc",),
    ("expire", "--keep-last", "1"),
]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_reading_writes_nothing(verb: tuple[str, ...], tmp_path: Path) -> None:
    """No ledger, no lock, no directory, where there was nothing, or only a file that is damaged."""
    main((*verb, "--backup-storage-url", f"fs://{tmp_path}/none"))
    assert list(tmp_path.iterdir()) == []
    directory = tmp_path / "some" / "backup"
    directory.mkdir(parents=True)
    entry: dict[str, Any] = {
        "id": 7,
        "hummock_version_id": 1,
        "ssts": [],
        "max_committed_epoch": 1,
        "safe_epoch": 1,
        "format_version": 2,
        "remarks": None,
        "state_table_info": {},
        "rw_version": None,
    }
    document = {"manifest_id": 1, "snapshot_metadata": [entry]}
    (directory / "manifest.json").write_text(json.dumps(document))
    (directory / "7.snapshot").write_bytes(b"damaged")
    main((*verb, "--backup-storage-url", f"fs://{tmp_path}/some"))
    assert sorted(path.name for path in directory.iterdir()) == ["7.snapshot", "manifest.json"]


WHERE = [
    "postgresql://u:hunter2@127.0.0.1:1/d",
    "postgresql://127.0.0.1:1/d?user=u&password=hunter2",
    "mysql://127.0.0.1:1/d?passwd=hunter2",
    "mysql://u@127.0.0.1:1/d?nonsense=hunter2",
    "mysql://u@127.0.0.1:1/d?sslpassword=hunter2&sslmode=hunter2",
    "http://u:hunter2@127.0.0.1:1",
    "ftp://u%3Ahunter2%40127.0.0.1:1",
    "http://127.0.0.1:1/x?sig=hunter2#hunter2",
    "minio://k:hunter2@127.0.0.1:1/b",
    "s4://b/x?token=hunter2",
    "nonsense;password=hunter2",
]


@pytest.mark.parametrize("where", WHERE)
def test_nothing_that_is_said_of_a_url_has_its_secret(
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Settings and errors, as text and as JSON, of every kind of URL in every place of one."""
    monkeypatch.chdir(tmp_path)
    for more in ((), ("--json",)):
        for words in (
            ("backup", "--meta-store", where, *BACKUPS),
            ("create-schema", "--release", "3.0.3", "--meta-store", where),
            ("backup", "--via-meta", where),
        ):
            assert main((*words, *more)) != 0
            out, err = capsys.readouterr()
            assert ("hunter2" in out + err, bool(err)) == (False, True), out + err
    for name in ("META_STORE", "BACKUP_STORAGE_URL", "HUMMOCK_STORAGE_URL"):
        monkeypatch.setenv(f"METASNAPSHOT_{name}", where)
    for more in ((), ("--json",)):
        assert main(("config", "show", *more)) == 0
        shown = capsys.readouterr().out
        assert ("hunter2" in shown, "****" in shown) == (False, True)
