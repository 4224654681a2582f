"""Every test says in a sentence what it proves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for folder in ("tests", "integration_tests", "generated/tests")
    for path in (ROOT / folder).rglob("*.py")
)


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions that pytest collects, of classes too."""
    for node in ast.walk(tree):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function and node.name.startswith("test_"):
            yield node


def without_sentence(text: str) -> list[str]:
    """Names of the tests that open with no sentence, or with a torn one."""
    found: list[str] = []
    for test in functions_of(ast.parse(text)):
        sentence = (ast.get_docstring(test) or "").strip()
        is_torn = sentence.count('"') % 2 == 1 or not sentence.endswith((".", "!", "?", "`", '"'))
        if not sentence or is_torn:
            found.append(test.name)
    return found


def test_every_test_opens_with_a_sentence() -> None:
    """It is whole: it ends with a full stop and has no stray quote."""
    found = {
        str(path.relative_to(ROOT)): without_sentence(path.read_text(encoding="utf-8"))
        for path in FILES
    }
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def test_a():\n    '''It is so.'''\n", []),
        ("def helper():\n    pass\n", []),
        ("def test_a():\n    assert True\n", ["test_a"]),
        ("async def test_a():\n    pass\n", ["test_a"]),
        ("class TestIt:\n    def test_a(self):\n        pass\n", ["test_a"]),
        ("if True:\n    def test_a():\n        '''  '''\n", ["test_a"]),
        ("def test_a():\n    '''It is not \"\n    \"so.'''\n", []),
        ("def test_a():\n    '''It is \"so.'''\n", ["test_a"]),
        ("def test_a():\n    '''It is'''\n", ["test_a"]),
        ("def test_a():\n    x = 1\n    '''Too late.'''\n", ["test_a"]),
    ],
)
def test_a_test_without_a_sentence_is_found(text: str, found: list[str]) -> None:
    """Wherever it stands, and however its sentence is missing."""
    assert without_sentence(text) == found
