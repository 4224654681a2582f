"""The page of all releases: what each is, and who reads its snapshots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import goldens
import pytest
import yaml

from metasnapshot_codegen import cli, history, messages, parse, readers, releases, v1
from metasnapshot_codegen.history import History
from metasnapshot_codegen.messages import Messages

Run = Callable[..., CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schema"
WHOLE, PART, NOT = "same", "read, loses what follows its last section", "not"


@cache
def registry() -> tuple[History, Messages]:
    found = messages.read(SCHEMA / "messages.yaml")
    return history.expand(parse.read(SCHEMA / "models.yaml"), messages=found), found


def judge(reader: str, snapshot: str) -> str:
    """What a release makes of another's snapshot."""
    expanded, found = registry()
    layouts = {name: layout for layout in expanded.layouts for name in layout.releases}
    for item in readers.readers(layouts[snapshot], expanded, found):
        if item.layout is layouts[reader]:
            return PART if item.unread else WHOLE
    return NOT


@pytest.mark.parametrize(
    ("reader", "snapshot", "expected"),
    [
        ("1.9.0", "1.9.2", WHOLE),
        ("1.9.2", "1.10.0", NOT),
        ("2.3.0", "2.4.0", WHOLE),
        ("2.4.0", "2.3.4", WHOLE),
        ("2.3.0", "2.4.1", PART),
        ("2.4.1", "2.4.0", NOT),
        ("2.5.0", "2.5.2", PART),
        ("2.5.2", "2.5.0", NOT),
        ("2.7.0", "2.7.4", PART),
        ("2.8.0", "2.8.5", WHOLE),
        ("2.8.5", "release-2.8", NOT),
        ("3.0.0", "3.0.3", WHOLE),
        ("main-2026-08-21", "3.0.3", NOT),
    ],
)
def test_who_reads_what(reader: str, snapshot: str, expected: str) -> None:
    """A release reads a snapshot in full, without its last sections, or not."""
    assert judge(reader, snapshot) == expected


def test_a_version_with_newer_fields_is_not_read() -> None:
    """The same tables, and a Hummock version that may hold what the older release does not know."""
    expanded, found = registry()
    old = next(layout for layout in expanded.layouts if layout.name == "2.8.0")
    new = replace(old, name="2.8.9", era="v3.0.3")
    both = replace(expanded, layouts=(old, new))
    assert [item.layout.name for item in readers.readers(old, both, found)] == ["2.8.0", "2.8.9"]
    assert [item.layout.name for item in readers.readers(new, both, found)] == ["2.8.9"]


def test_it_is_what_real_decoders_do() -> None:
    """Every pair of releases whose own code was asked; what it reads and changes is not read."""
    reference = goldens.reference()
    path = reference / "golden" / "cross-read.yaml" if reference else Path()
    if not path.is_file():
        pytest.skip("the whole golden set is not beside the checkout")
    asked: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())
    strangers = [
        (reader, snapshot, said)
        for reader, row in asked.items()
        for snapshot, said in row.items()
        if judge(reader.removeprefix("v"), snapshot.removeprefix("v"))
        != (said if said in (WHOLE, PART) else NOT)
    ]
    assert strangers == []


def test_the_page_is_that_of_the_registry() -> None:
    """docs/releases.md is as fresh as the generated code."""
    arguments = ["--schema", str(SCHEMA), "--out", str(ROOT / "generated"), "--check"]
    assert cli.main([*arguments, "--docs", str(ROOT / "docs")]) == 0


def test_every_release_and_table_is_told() -> None:
    """Each release has its line, and each layout its tables, its exclusions and its readers."""
    expanded, found = registry()
    (text,) = releases.render(expanded, found, v1.read(SCHEMA / "v1.yaml", found)).values()
    parts = {part.partition("\n")[0]: " ".join(part.split()) for part in text.split("\n## ")}
    for layout in expanded.layouts:
        told = parts[f"Layout {layout.name}"]
        for model, table in layout.tables.items():
            assert f" {table}" in told, model
        for name in layout.excluded_tables:
            assert f" {name}" in told.partition("Left out")[2]
        for table, column in layout.excluded_columns:
            assert f"{table}.{column}" in told
        for release in layout.releases:
            assert f"\n| {release} | [{layout.name}](#layout-" in text
            assert f" {release}" in told.partition("- Read by:")[2]
    assert "Read without user_default_privilege by: 2.5.0, 2.5.1." in parts["Layout 2.5.2"]
    for release in ("0.1.15", "1.8.2", "2.0.7"):
        assert release in parts["Snapshots of etcd"]


def test_the_page_is_written_where_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    """With --docs it is written, checked and stale like the code; without it there is none."""
    docs = tmp_path / "docs"
    assert run().returncode == 0
    assert not docs.exists()
    assert run("--docs", str(docs)).returncode == 0
    page = docs / "releases.md"
    before = page.read_text()
    assert "| 1.0.1 | [1.0.0](#layout-100) | 3 |" in before
    assert "- Tables (1): sink; and hummock_version, as json." in before
    assert "Snapshots of etcd" not in before
    assert run("--docs", str(docs), "--freeze").returncode == 0
    assert run("--docs", str(docs), "--check").returncode == 0
    page.write_text(before.replace("sink;", "sinks;"))
    stale = run("--docs", str(docs), "--check")
    assert (stale.returncode, "+- Tables (1): sink;" in stale.stdout) == (1, True)
    assert stale.stderr.endswith(f"hint: run metasnapshot-codegen --docs {docs}\n")
    assert run("--check").returncode == 0
