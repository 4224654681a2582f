"""The pages that people read: line lengths, links, and pages that are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINE_COLUMNS_MAX = 120
USERS = [
    "README.md",
    "docs/point-in-time.md",
    *(
        f"docs/{name}.md"
        for name in ["ci", "contract", "deploy", "guide", "losses", "meta-stores", "object-stores"]
    ),
]
"""Pages of users, whose tables are narrow too; cells of the others may be wide."""
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
WRITTEN = [page for page in PAGES if page.name != "releases.md"]
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def prose(text: str) -> list[str]:
    """Lines outside blocks of code and tables."""
    return [line for line in FENCE.sub("", text).splitlines() if not line.startswith("|")]


def anchor(heading: str) -> str:
    """The anchor that a heading gets on a page."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_lines_are_narrow(page: Path) -> None:
    """No line of prose is wider than 120 columns, and on the pages of users no line at all."""
    text = page.read_text(encoding="utf-8")
    is_user = str(page.relative_to(ROOT)) in USERS
    lines = text.splitlines() if is_user else prose(text)
    assert [line for line in lines if len(line) > LINE_COLUMNS_MAX] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each file that a page links to is there, and so is the heading."""
    text = page.read_text(encoding="utf-8")
    for target, fragment in LINK.findall(text):
        if ":" in target:
            continue
        path = page.parent / target if target else page
        assert path.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert fragment in map(anchor, headings), f"{target}#{fragment}"


def test_pages_that_the_program_names_are_there() -> None:
    """Errors and hints send people to pages that exist."""
    found = {
        name
        for folder in ("runtime", "codegen")
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"docs/[\w-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert len(found) >= 4
    assert [name for name in sorted(found) if not (ROOT / name).exists()] == []
