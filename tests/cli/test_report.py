"""report and diff --html as operators meet them."""

from __future__ import annotations

import time
from pathlib import Path

import goldens
import pytest
from made_cluster import MARK, copies, laid, shop, wide
from shell import BACKUPS, STORE, Shell

import metasnapshot
from metasnapshot.library import reporting

HERE = ("--backup-storage-url", "fs://.")
LOOKS_MAX = 4
"""A page may take so many times as long as it takes to look at what it reads."""
BYTES_MAX = 5 << 20


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Where golden snapshots 1, 2 and 7 are."""
    monkeypatch.chdir(tmp_path)
    goldens.copy_backups(goldens.SHIPPED / "v3.0.3", tmp_path)
    goldens.copy_store(goldens.SHIPPED / "v3.0.3", tmp_path / "meta.db")
    return Shell(tmp_path, capsys, *HERE)


def test_a_report_is_written(here: Shell) -> None:
    """Of the newest by default; what it says stands on stdout too, and it changes nothing."""
    before = here.files()
    ran = here.run("report", "--to", "report.html")
    assert (ran.code, ran.err) == (0, "")
    assert "look  Snapshot 7 was never verified." in ran.out.replace("doubtful", "look")
    assert "report.html: snapshot 7" in ran.out
    page = Path("report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Snapshot 7" in page
    assert {
        path: data for path, data in here.files().items() if path.name != "report.html"
    } == before


def test_a_report_of_all(here: Shell) -> None:
    """JSON says what was written, and how things stand."""
    code, found = here.answer("report", "--all", "--to", "all.html")
    assert (code, found["all"], found["snapshot_id"]) == (0, True, 7)
    assert found["bytes"] == Path("all.html").stat().st_size
    assert found["level"] == "doubtful"
    assert {each["level"] for each in found["sentences"]} == {"doubtful", "good"}
    assert "All snapshots" in Path("all.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("report", "77", "--to", "a.html"), 12, "snapshot id 77 not found"),
        (("report", "x", "--to", "a.html"), 2, "not a snapshot id"),
        (("report", "7", "--all", "--to", "a.html"), 2, "--all and snapshot 7"),
        (("report", "7"), 2, "--to"),
        (("report", "7", "--to", "meta.db"), 11, "exists already"),
        (("report", "7", "--to", "no/such/a.html"), 1, "cannot write"),
        (("diff", "2", "7", "--html", "meta.db"), 11, "exists already"),
        (("diff", "2", "7", "--html", "a.html", "--json"), 2, "--html and --json"),
        (("diff", "2", "7", "--html", "a.html", "--data"), 2, "--html and --data"),
        (("diff", "2", "77", "--html", "a.html"), 12, "77"),
    ],
)
def test_what_cannot_be_is_refused(
    here: Shell, words: tuple[str, ...], code: int, says: str
) -> None:
    """With a typed error, and no file is left."""
    before = here.files()
    ran = here.run(*words)
    assert ran.code == code
    assert says in ran.err
    assert here.files() == before


def test_a_damaged_snapshot_has_its_page_and_its_code(here: Shell) -> None:
    """Whoever sees the page sees why; a script sees the code."""
    path = Path("backup/7.snapshot")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    ran = here.run("report", "7", "--to", "bad.html")
    assert ran.code == 4
    assert "checksum mismatch" in ran.out
    assert "Not sound" in Path("bad.html").read_text(encoding="utf-8")


def test_an_empty_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of nothing is a page; the newest of nothing is not found."""
    monkeypatch.chdir(tmp_path)
    laid(tmp_path, [])
    shell = Shell(tmp_path, capsys, *HERE)
    assert shell.run("report", "--all", "--to", "all.html").code == 0
    assert shell.run("report", "--to", "one.html").code == 12


def test_without_the_extra(here: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that installs it, before anything is read."""
    monkeypatch.setattr(reporting, "find_spec", lambda _: None)
    for words in (("report", "--to", "a.html"), ("diff", "2", "7", "--html", "a.html")):
        ran = here.run(*words)
        assert ran.code == 2
        assert "pip install 'metasnapshot[report]'" in ran.err


def test_a_comparison_is_written(here: Shell) -> None:
    """Two snapshots, and a snapshot with a live meta store, in the same style."""
    ran = here.run("diff", "2", "7", "--html", "two.html")
    assert (ran.code, ran.err) == (0, "")
    page = Path("two.html").read_text(encoding="utf-8")
    expected = here.lines("diff", "2", "7")
    for change in expected:
        if change.get("by") == "name" and change["key"].isalnum():
            assert change["key"] in page
    assert f"{sum(one.get('by') == 'name' for one in expected)} change" in ran.out
    ran = here.run("diff", "7", *STORE, "--html", "live.html")
    assert ran.code == 0
    assert "the meta store" in Path("live.html").read_text(encoding="utf-8")


def test_a_drill_is_recorded(shell: Shell) -> None:
    """list tells when and for how long, report too; another snapshot's is none of it."""
    assert shell.run("backup", *STORE, *BACKUPS).code == 0
    assert shell.run("backup", *STORE, *BACKUPS).code == 0
    code, drilled = shell.answer("drill", "9", *BACKUPS)
    assert (code, drilled["ok"], drilled["engine"]) == (0, True, "sqlite")
    code, listed = shell.answer("list", *BACKUPS)
    first, second = listed["snapshots"]
    assert (first["drill"]["rows"], first["drill"]["ok"]) == (drilled["rows"], True)
    assert first["drill"]["seconds"] == drilled["seconds"]
    assert first["taken_by"] == "clock"
    assert second["drill"] is None
    assert ", drilled 20" in shell.run("list", *BACKUPS).out
    assert shell.run("report", *BACKUPS, "--to", "report.html").code == 0
    assert "Last rehearsed with snapshot 9" in Path("report.html").read_text(encoding="utf-8")


def test_a_directory_that_takes_no_note_is_told(shell: Shell) -> None:
    """The drill proved no less, and the notes of somebody else stay as they are."""
    assert shell.run("backup", *STORE, *BACKUPS).code == 0
    facts = Path("backups/backup/metasnapshot.facts.json")
    facts.write_text("none of ours")
    ran = shell.run("drill", "latest", *BACKUPS)
    assert ran.code == 0
    assert "the drill of snapshot 9 is not noted" in ran.err
    assert facts.read_text() == "none of ours"


def measured(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> float:
    """Seconds of the processor that a page takes."""
    start = time.process_time()
    ran = Shell(path, capsys).run("report", *words, "--to", str(path / "page.html"))
    seconds = time.process_time() - start
    assert ran.code == 0
    assert (path / "page.html").stat().st_size <= BYTES_MAX
    return seconds


def test_twenty_thousand_tables_are_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of five MiB at most, the change from the one before too, in the time of a few looks at both:
    that is 3.5 to 4.5 seconds on an idle machine.
    """
    copies(tmp_path, wide(1, 20_000, [*range(500), MARK]), 2)
    here = ("--backup-storage-url", f"fs://{tmp_path}")
    start = time.process_time()
    for number in ("1", "2"):
        assert Shell(tmp_path, capsys).run("show", number, *here).code == 0
    shown = time.process_time() - start
    seconds = measured(tmp_path, capsys, *here)
    assert seconds <= LOOKS_MAX * shown, (seconds, shown)


def test_a_thousand_snapshots_are_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the time of a few looks at each of them: 2 seconds on an idle machine. The size of every
    object is known.
    """
    copies(tmp_path, shop().finished([*range(60), MARK]), 1000)
    backups = metasnapshot.Backups(f"fs://{tmp_path}")
    start = time.process_time()
    for number in backups.ids():
        with backups.open(number) as reader:
            assert reader.id == number
    opened = time.process_time() - start
    seconds = measured(tmp_path, capsys, "--all", "--backup-storage-url", backups.url)
    assert seconds <= LOOKS_MAX * opened, (seconds, opened)
    assert "not measured" not in (tmp_path / "page.html").read_text(encoding="utf-8")
