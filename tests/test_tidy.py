"""The house rules that a number can hold; the numbers only go down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for folder in ("runtime", "codegen", "tests", "integration_tests")
    for path in (ROOT / folder).rglob("*.py")
    if "__snapshots__" not in path.parts
)
FILE_LINES_MAX = 330
FUNCTION_LINES_MAX = 50
LINE_COLUMNS_MAX = 100


def functions(text: str) -> list[tuple[str, int]]:
    """Name and number of lines of each function, by indentation."""
    lines = text.splitlines()
    found: list[tuple[str, int]] = []
    for start, line in enumerate(lines):
        match = re.match(r"( *)def (\w+)", line)
        if match is None:
            continue
        indent = len(match[1])
        end = start + 1
        last = start
        while end < len(lines):
            text_line = lines[end]
            if text_line.strip() and not text_line.strip().startswith(")"):
                if len(text_line) - len(text_line.lstrip()) <= indent:
                    break
                last = end
            end += 1
        found.append((match[2], last - start + 1))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    """No source file outgrows its limits on lines, columns and lines of a function."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES_MAX
    assert [line for line in text.splitlines() if len(line) > LINE_COLUMNS_MAX] == []
    assert [item for item in functions(text) if item[1] > FUNCTION_LINES_MAX] == []


def test_the_measure_of_functions_measures() -> None:
    """The function counter sees a function of three lines as three lines."""
    assert functions("def one(\n    a,\n) -> int:\n    return 1\n\n\nx = 1\n") == [("one", 4)]


def test_nothing_names_a_package_registry() -> None:
    """The lock file pins by name, version and hash; where packages come from is the machine's
    business."""
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")
