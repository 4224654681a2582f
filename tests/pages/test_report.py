"""The page of a report: one file, whole, without script, secret or foreign markup."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_cluster import EPOCH, Made, laid, shop

from metasnapshot.catalogue.times import epoch_time
from metasnapshot.operations.report.gather import gather
from metasnapshot.pages.environment import number, plain, size, span, when
from metasnapshot.pages.report import render_report

EVIL = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Tags in a page: that they are closed in order, ids, and what leads anywhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.leads: list[str] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "src", "action", "data", "srcset", "xlink:href"):
                self.leads.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1] == tag, (self.open, tag)
        self.open.pop()


def page(made: Made, path: Path, *, history: bool = False) -> str:
    made.snapshot.id = 7
    repository = laid(path, [shop(3).finished(range(3, 30)), made.finished(range(40))])
    now = epoch_time(EPOCH) + timedelta(hours=9)
    return render_report(
        gather(repository, 7, repository.manifest().entries, history=history, now=now)
    )


@pytest.mark.parametrize("history", [False, True])
def test_a_page_is_whole(tmp_path: Path, *, history: bool) -> None:
    """Every tag is closed, every id is there once, links lead to parts of it, and there is no
    script and no style sheet, picture or font from elsewhere.
    """
    text = page(shop(grown=True), tmp_path, history=history)
    found = Page(text)
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    assert {lead for lead in found.leads if lead.startswith("#")} <= {f"#{i}" for i in found.ids}
    assert [lead for lead in found.leads if not lead.startswith("#")] == ["data:,"]
    assert not found.tags & {"script", "iframe", "object", "embed", "form", "img", "base"}
    assert not re.search(r"@import|url\((?!#)", text)
    assert "default-src 'none'" in text


@pytest.mark.parametrize("where", ["table", "source", "sink", "remarks", "parameter", "cluster"])
def test_markup_in_names_is_text(tmp_path: Path, where: str) -> None:
    """Whoever names a table writes no page."""
    made = shop()
    if where == "table":
        made.table(EVIL, "orders", view=True)
    elif where == "source":
        made.source(EVIL, connector=EVIL + "-cdc", **{"slot.name": EVIL})
    elif where == "sink":
        made.sink(EVIL, "orders", connector=EVIL)
    elif where == "parameter":
        made.sections["system_parameters"][0].value = EVIL
    elif where == "cluster":
        made.sections["databases"][0].name = EVIL
    text = page(made, tmp_path)
    if where == "remarks":
        manifest = tmp_path / "backup" / "manifest.json"
        escaped = EVIL.replace('"', '\\"')
        manifest.write_text(manifest.read_text().replace("null", f'"{escaped}"', 1))
    found = Page(text)
    assert (found.open, found.handlers) == ([], [])
    assert not found.tags & {"script", "img"}
    assert "<script" not in text


def test_what_nobody_sees_is_shown(tmp_path: Path) -> None:
    """Control characters and those that turn a line around do not reach the reader."""
    made = shop()
    made.table("evil\u202etxt\x00\x1b[31m\u2066")
    text = page(made, tmp_path)
    assert not set(text) & set("\u202e\x00\x1b\u2066")
    assert "evil\ufffdtxt" in text


def test_no_secret_is_on_the_page(tmp_path: Path) -> None:
    """Wherever the cluster keeps one: properties, URLs of parameters, definitions, remarks of
    changes.
    """
    made, secret = shop(), "hunter2secret"
    made.source("pg", "postgres-cdc", password=secret, hostname="db")
    made.sink("out", "orders", connector=f"jdbc:postgresql://u:{secret}@db")
    for row in made.sections["system_parameters"]:
        if row.name == "state_store":
            row.value = f"hummock+minio://admin:{secret}@127.0.0.1:9301/b"
        if row.name == "license_key":
            row.value = secret
    for row in made.sections["sources"]:
        row.definition = f"CREATE SOURCE s WITH (password = '{secret}')"
    text = page(made, tmp_path, history=True)
    assert "hummock+minio://" in text
    assert secret not in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (131447, "131.4 kB"),
        (10**9, "1.0 GB"),
        (5 * 10**15, "5.0 PB"),
        (10**19, "10000.0 PB"),
        (None, "not known"),
    ],
)
def test_sizes(value: int | None, shown: str) -> None:
    """In the largest unit above one; what is not known says so."""
    assert size(value) == shown


def test_other_values() -> None:
    """Counts in groups, times to the minute in UTC, spans in words."""
    assert number(1234567) == "1\u202f234\u202f567"
    assert when("2026-11-30T12:49:46+01:00") == "2026-11-30 11:49 UTC"
    assert when("yesterday") == "yesterday"
    assert (span(3.21), span(95.0), span(None)) == (
        *("3.2 seconds", "1 minute 35 seconds", "not known"),
    )
    assert plain("a\tb") == "a\ufffdb"
