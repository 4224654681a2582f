"""timeline as operators meet it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from made_cluster import EPOCH, laid, shop
from shell import Shell

from metasnapshot.catalogue.times import epoch_time
from metasnapshot.library import reporting
from metasnapshot.pages import timeline as page

HERE = ("--backup-storage-url", "fs://.")
OTHER = "00000000-0000-0000-0000-00000000000b"
START = epoch_time(EPOCH)


def at(minutes: float) -> str:
    """So many minutes after START, as it is typed."""
    return (START + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Snapshots of a shop, one a minute but for a hole of six; two tables are dropped."""
    monkeypatch.chdir(tmp_path)
    minutes = [0, 1, 2, 3, 4, 10, 11]
    hours = {number: minute / 60 for number, minute in enumerate(minutes, 1)}
    laid(tmp_path, [shop(n, grown=n < 4).finished() for n in hours], hours)
    return Shell(tmp_path, capsys, *HERE)


def test_who_dropped_that_table(here: Shell) -> None:
    """Between which two moments, and whose it was; the earlier moment, as it is printed, brings it
    back.
    """
    ran = here.run("timeline", "--expect", "1m", "--to", at(11))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "7 snapshots can be read: 0 full, 7 partial, 0 verified",
        f"first: snapshot 1, {at(0)}",
        f"last:  snapshot 7, {at(11)}",
        "1 gap of more than 1 minute",
        f"  {at(4)}, snapshot 5 to snapshot 6: 6 minutes",
        "2 changes by name",
        f"{at(2)} to {at(3)}, snapshots 3 and 4:",
        "  - materialized views dev.public.stock #111, owner root",
        "  - sinks dev.public.stock_to_table #112, owner root",
    ]
    code, found = here.answer("show", "--at", at(2))
    assert (code, found["snapshot"]["id"]) == (0, 3)
    assert "stock" in found["names"]["materialized views"]


def test_for_scripts(here: Shell) -> None:
    """The same as JSON, each change with both moments."""
    code, found = here.answer("timeline", "--from", at(1.5), "--to", at(10.5), "--expect", "5m")
    assert code == 0
    numbers = [found[name] for name in ("count", "full", "verified", "expected_seconds")]
    assert numbers == [6, 0, 0, 300]
    assert (found["first"]["snapshot_id"], found["last"]["snapshot_id"]) == (2, 7)
    assert [(gap["after_id"], gap["before_id"], gap["seconds"]) for gap in found["gaps"]] == [
        (5, 6, 360)
    ]
    assert [change["name"] for change in found["changes"]] == [
        "dev.public.stock",
        "dev.public.stock_to_table",
    ]
    change = found["changes"][0]
    assert (change["earlier"]["snapshot_id"], change["later"]["snapshot_id"]) == (3, 4)
    assert (change["change"], change["owner"], change["id"]) == ("removed", "root", 111)
    assert (found["unread"], found["untimed"]) == ([], [])


def test_a_damaged_one_is_named(here: Shell) -> None:
    """Exit 3; the page, the text and the JSON say which, and tell the rest."""
    path = Path("backup/4.snapshot")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    ran = here.run("timeline")
    assert ran.code == 3
    assert "error: snapshot 4 cannot be read: snapshot 4 (backup/4.snapshot): checksum" in ran.err
    assert f"{at(2)} to {at(4)}, snapshots 3 and 5:" in ran.out
    code, found = here.answer("timeline")
    assert (code, [item["error"]["exit_code"] for item in found["unread"]]) == (3, [4])
    assert here.run("timeline", "--html", "bad.html").code == 3
    text = Path("bad.html").read_text(encoding="utf-8")
    assert "Snapshot 4, " in text
    assert "cannot be read: snapshot 4" in text


def test_a_page(here: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file that says what the text says, with moments that can be typed."""
    ran = here.run("timeline", "--html", "page.html", "--expect", "1m")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("page.html: 2 changes, ")
    text = Path("page.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert f"Between {at(2)} (snapshot 3) and {at(3)} (snapshot 4)" in text
    for word in ("dev.public.stock_to_table", "6 minutes", "7 moments", "Content-Security-Policy"):
        assert word in text
    monkeypatch.setattr(page, "LISTED_MAX", 1)
    assert here.run("timeline", "--html", "less.html").code == 0
    text = Path("less.html").read_text(encoding="utf-8")
    assert "stock_to_table" not in text
    assert "1 older ones are not listed" in text


def test_a_name_is_no_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does it move a terminal's cursor, whoever made it."""
    monkeypatch.chdir(tmp_path)
    made = [shop(n).finished() for n in (1, 2)]
    rows = made[0].sections["tables"]
    rows[0] = msgspec.structs.replace(rows[0], name="<script>x</script>\x1b[2J\u202e")
    laid(tmp_path, made)
    shell = Shell(tmp_path, capsys, *HERE)
    assert "\x1b" not in shell.run("timeline").out
    assert shell.run("timeline", "--html", "a.html").code == 0
    text = Path("a.html").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--expect", "0s"), 2, "--expect is zero"),
        (("--expect", "soon"), 2, "not a duration"),
        (("--from", "yesterday"), 2, "not a time"),
        (("--from", "2026-11-30T03:00"), 2, "a time without its zone"),
        (("--from", "1h", "--to", "2h"), 2, "--to lies before --from"),
        (("--html", "a.html", "--json"), 2, "--html and --json"),
        (("--html", "backup/manifest.json"), 11, "exists already"),
        (("--cluster", OTHER), 2, f"no snapshot of cluster {OTHER}"),
    ],
)
def test_what_cannot_be_is_refused(
    here: Shell, words: tuple[str, ...], code: int, says: str
) -> None:
    """With a typed error, and nothing is written."""
    before = here.files()
    ran = here.run("timeline", *words)
    assert (ran.code, says in ran.err) == (code, True), ran.err
    assert here.files() == before


def test_without_the_extra(here: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that installs it, before anything is read."""
    monkeypatch.setattr(reporting, "find_spec", lambda _: None)
    ran = here.run("timeline", "--html", "a.html")
    assert ran.code == 2
    assert "pip install 'metasnapshot[report]'" in ran.err


def test_an_empty_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Has nothing to go back to; without a manifest it says where one was looked for."""
    monkeypatch.chdir(tmp_path)
    laid(tmp_path, [])
    shell = Shell(tmp_path, capsys, *HERE)
    code, found = shell.answer("timeline")
    assert (code, found["count"], found["first"], found["changes"]) == (0, 0, None, [])
    assert shell.run("timeline", "--html", "a.html").code == 0
    Path("backup/manifest.json").unlink()
    assert "there is no manifest.json" in shell.run("timeline").err
