"""The house rules that a number can hold; the numbers only go down."""

from __future__ import annotations

import ast
import tomllib
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
PLAIN_MODULES = {"cli", "errors", "heap", "spans", "surface", "version"}
"""What of the package the command may import besides the public names."""


def functions(text: str) -> list[tuple[str, int]]:
    """Name and number of lines of each function, from its `def` to its last statement."""
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def outgrown(text: str) -> list[object]:
    """What of a file is beyond the limits: its lines, wide lines, long functions."""
    lines = text.splitlines()
    wide: list[object] = [line for line in lines if len(line) > LINE_COLUMNS_MAX]
    long = [item for item in functions(text) if item[1] > FUNCTION_LINES_MAX]
    return [*([len(lines)] if len(lines) > FILE_LINES_MAX else []), *wide, *long]


def test_a_file_can_be_read_in_one_sitting() -> None:
    """No source file outgrows its limits on lines, columns and lines of a function."""
    found = {
        str(path.relative_to(ROOT)): outgrown(path.read_text(encoding="utf-8")) for path in SOURCES
    }
    assert {path: those for path, those in found.items() if those} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def one(\n    a,\n) -> int:\n    return 1\n\n\nx = 1\n", [("one", 4)]),
        ('def two():\n    """A\nB\n"""\n\n    return 1\n', [("two", 6)]),
        ("@a\n@b\nasync def three():\n    pass\n", [("three", 2)]),
        ("class A:\n    def f(self):\n        def g():\n            pass\n", [("f", 3), ("g", 2)]),
    ],
    ids=["signature", "docstring at column 0", "decorated", "nested"],
)
def test_the_measure_of_functions_measures(text: str, found: list[tuple[str, int]]) -> None:
    """A function counts from its `def` to its last statement, whatever stands in column 0."""
    assert functions(text) == found


def test_nothing_names_a_package_registry() -> None:
    """The lock file pins by name, version and hash; where packages come from is the machine's
    business."""
    for lock in ("requirements.lock", "requirements.core.lock"):
        assert "://" not in (ROOT / lock).read_text(encoding="utf-8")


def test_the_command_has_no_way_past_the_library() -> None:
    """No contract between modules has an exception, and the one of the command names every module
    that is neither public nor plain words."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    assert [item["name"] for item in contracts if item.keys() & {"ignore_imports"}] == []
    (forbidden,) = (
        set(item["forbidden_modules"])
        for item in contracts
        if item.get("source_modules") == ["metasnapshot.cli"]
    )
    package = ROOT / "runtime" / "metasnapshot"
    modules = {path.stem for path in package.iterdir() if (path / "__init__.py").exists()}
    modules |= {path.stem for path in package.glob("*.py") if not path.stem.startswith("__")}
    assert {f"metasnapshot.{name}" for name in modules - PLAIN_MODULES} <= forbidden
