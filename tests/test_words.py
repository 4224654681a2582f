"""Words that a reader of English as a second language stumbles over stay rare."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path for path in (ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"))
) + sorted((ROOT / "docs").glob("*.md"))
SOURCES = sorted(
    path for folder in ("runtime", "codegen") for path in (ROOT / folder).rglob("*.py")
)
RARE = {
    r"\bwho(?:m)?ever\b": 2,
    r"\bof fsspec's\b": 0,
    r"\b(?:leaves?|left) with (?:exit )?(?:code )?\d+": 0,
    r"\brightly\b": 0,
    r"\btries\b[^.;]*\bafter the first\b": 0,
    r"\bits file's\b": 0,
    r"\bwhere things are\b": 0,
    r"\bwhatsoever\b": 0,
    r"\bwherever\b": 12,
    r"\bwhichever\b": 16,
    r"\bwhatever\b": 60,
    r"(?<!there )\b(?:is|are) (?-i:none)\b": 26,
}
"""How often each may stand on all pages, and in all texts of the code: docstrings, help, errors."""


def texts(source: str) -> Iterator[str]:
    """Every text of a program that people may read: docstrings, help, errors, notes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def found(pattern: str, many: list[str]) -> list[str]:
    """Each place with a little around it, so that a failure says where to look."""
    lines = [" ".join(text.split()) for text in many]
    return [
        line[max(0, match.start() - 40) : match.end() + 40]
        for line in lines
        for match in re.finditer(pattern, line, re.IGNORECASE)
    ]


@pytest.mark.parametrize("pattern", RARE)
def test_odd_words_are_rare(pattern: str) -> None:
    """On pages, and in what the code says, together."""
    pages = [path.read_text(encoding="utf-8") for path in PAGES]
    said = [text for path in SOURCES for text in texts(path.read_text(encoding="utf-8"))]
    places = found(pattern, pages + said)
    assert len(places) <= RARE[pattern], places


@pytest.mark.parametrize(
    ("text", "pattern", "count"),
    [
        ("Whoever waits, and whomever he\nwaits for.", r"\bwho(?:m)?ever\b", 2),
        ("The second one leaves\nwith 11.", r"\b(?:leaves?|left) with (?:exit )?(?:code )?\d+", 1),
        ("It leaves with the lock.", r"\b(?:leaves?|left) with (?:exit )?(?:code )?\d+", 0),
        ("Tries of a request after the first; 3.", r"\btries\b[^.;]*\bafter the first\b", 1),
        ("It tries. Rows after the first stay.", r"\btries\b[^.;]*\bafter the first\b", 0),
    ],
)
def test_an_odd_word_is_found(text: str, pattern: str, count: int) -> None:
    """Across lines, at the start of a sentence too; and nothing that only looks like it."""
    assert pattern in RARE
    assert len(found(pattern, [text])) == count


def test_what_the_code_says_is_read() -> None:
    """Docstrings, help, and the fixed parts of errors; no comment and no name."""
    source = 'def whoever() -> str:\n    """One."""\n    # two\n    return f"three {1} four"\n'
    assert [text.strip() for text in texts(source)] == ["One.", "three", "four"]
