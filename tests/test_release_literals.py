"""What a release does stands in schema/, not in Python: the runtime names no release."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from metasnapshot_models.layouts import LAYOUTS, RELEASES
from metasnapshot_models.messages import STATES
from metasnapshot_models.v1 import V1_LAYOUTS

RUNTIME = Path(__file__).parents[1] / "runtime" / "metasnapshot"
OUR_OWN = RUNTIME / "version.py"
"""The one version that is no release of RisingWave's."""
V1_RELEASES = {name for layout in V1_LAYOUTS.values() for name in layout.releases}
NAMES = {*RELEASES, *LAYOUTS, *STATES, *V1_LAYOUTS, *V1_RELEASES}
NUMBER = re.compile(r"v?\d+\.\d+(\.\d+)?")
PARTS, MAJOR_END, PART_END = 3, 10, 100
HTTP = {"HEAD"}
"""Also a word of another trade."""
DUCKDB = {"operations/query/sections.py:main", "rows/views.py:main"}
"""Where it is the name of DuckDB's first catalog or schema."""


def literals(source: str) -> Iterator[tuple[int, object]]:
    """The releases that a module names: as a text, or as a tuple of three numbers."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if (text in NAMES and text not in HTTP) or NUMBER.fullmatch(text):
                yield node.lineno, text
        elif isinstance(node, ast.Tuple) and len(node.elts) == PARTS:
            values = [item.value for item in node.elts if isinstance(item, ast.Constant)]
            if ".".join(map(str, values)) in NAMES or is_number(values):
                yield node.lineno, tuple(values)


def is_number(values: Sequence[object]) -> bool:
    """Whether numbers look like a release: not like codes of errors, nor like a count from 0."""
    numbers = [value for value in values if type(value) is int]
    return len(numbers) == PARTS and 0 < numbers[0] < MAJOR_END and max(numbers) < PART_END


def test_the_runtime_names_no_release() -> None:
    """A release in Python would be a rule that no registry has and that nobody froze."""
    found = [
        f"{path.relative_to(RUNTIME)}:{line}: {literal!r}"
        for path in sorted(RUNTIME.rglob("*.py"))
        if path != OUR_OWN
        for line, literal in literals(path.read_text())
        if f"{path.relative_to(RUNTIME)}:{literal}" not in DUCKDB
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        'SINCE = "3.0.1"',
        'if layout.name == "main": pass',
        'ERA = "v2.3.0"',
        "is_new = at >= (2, 2, 1)",
        'LAYOUTS = {"v1-2.0": 1}',
        'match x:\n    case "release-2.8": pass',
        'def f(release="9.9.0"): pass',
        'x = f"{a}" + "1.10.0"',
    ],
)
def test_a_release_is_seen(source: str) -> None:
    """Wherever it stands, known or not."""
    assert len(list(literals(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        'x = "such as 3.0.3"',
        "x = (1, 2)",
        "x = (0, 1, 2)",
        "x = (1044, 1045, 1698)",
        'method = "HEAD"',
        "x = 2.3",
    ],
)
def test_other_words_are_none(source: str) -> None:
    """A sentence with a release in it, and other numbers."""
    assert list(literals(source)) == []
