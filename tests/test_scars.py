"""Text that a tool wrapped without reading it leaves scars; this finds them in every source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from test_tidy import LINE_COLUMNS_MAX, ROOT, SOURCES

PART_COLUMNS_MIN = 25
"""What the first of two parts of a text has at least: less is a scrap."""
_PART = re.compile(r"""\s*(?:\w+=)?[rbfRBF]{0,2}(["'])(?!\1\1)(?P<text>.*)""")
_MELTED = re.compile(r"^ *(Attributes|Args|Returns|Raises|Yields): +\S.*$", re.MULTILINE)
_STRAY = re.compile(r'" *\n *"')


def scars(text: str) -> list[str]:
    """The scars of a module, each with its line."""
    lines = text.splitlines()
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr | ast.Constant):
            found |= set(_torn(node, lines))
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found |= set(_wrapped(node))
    return sorted(found)


def _torn(node: ast.JoinedStr | ast.Constant, lines: list[str]) -> Iterator[str]:
    """Where two parts of a text stand on lines of their own although one line holds both, or the
    first is a scrap. A part that ends a line of what is shown is whole.
    """
    if node.end_lineno is None or node.end_lineno == node.lineno:
        return
    first = lines[node.lineno - 1].encode()[: node.col_offset].decode()
    rows = [lines[node.lineno - 1][len(first) :], *lines[node.lineno : node.end_lineno]]
    parts = [_PART.match(row) for row in rows]
    widths = [len(first) + len(rows[0]), *map(len, rows[1:])]
    for at, (part, following) in enumerate(pairwise(parts)):
        if part is None or following is None:  # a text in triple quotes, or a nested expression
            return
        if part["text"].endswith('\\n"'):
            continue
        joined = widths[at] - 1 + len(following["text"])
        if joined <= LINE_COLUMNS_MAX or len(part["text"]) <= PART_COLUMNS_MIN:
            yield f"{node.lineno + at}: a text is torn: {rows[at].strip()}"


def _wrapped(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> Iterator[str]:
    """Sections of a docstring that melted into a paragraph, and quotes of a text that was torn."""
    docstring = ast.get_docstring(node) or ""
    for match in _MELTED.finditer(docstring):
        yield f"{node.body[0].lineno}: a list melted: {match[0].strip()}"
    if _STRAY.search(docstring):
        yield f"{node.body[0].lineno}: stray quotes"


def test_no_text_was_wrapped_blindly() -> None:
    """No text is torn in two where one line holds it, no list of a docstring melted into a
    paragraph, no quotes of a torn text stayed in a sentence."""
    found = {
        str(path.relative_to(ROOT)): scars(path.read_text(encoding="utf-8")) for path in SOURCES
    }
    assert {path: those for path, those in found.items() if those} == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('x = (\n    "another order "\n    "of "\n    "columns"\n)', ["2: a text is torn", "3:"]),
        (
            'x = f(\n    f"{a} rows that snapshots leave out: "\n    "lost"\n)',
            ["2: a text is torn"],
        ),
        (f'x = (\n    "{"long " * 19}"\n    "of "\n    "{"long " * 18}"\n)', ["3: a text is torn"]),
        (f'x = f(\n    hint=f"{{a}}; "\n    "{"long " * 18}"\n)', ["2: a text is torn"]),
        ("x = (\n    b'1'\n    b'2'\n)", ["2: a text is torn"]),
        (f'x = (\n    "{"long " * 12}"\n    "{"long " * 12}"\n)', []),
        ('x = (\n    "a line\\n"\n    "another\\n"\n)', []),
        ('x = """a\n"b"\n"c"\n"""', []),
        (
            'class A:\n    """One.\n\n    Attributes: a: this. b: that.\n    """',
            ["2: a list melted"],
        ),
        ('def f():\n    """One.\n\n    Args:\n        a: this.\n    """', []),
        ('def f():\n    """Not "\n    "found."""', ["2: stray quotes"]),
        ('"""It says "this"\nand "that"."""', []),
    ],
)
def test_a_scar_is_seen(text: str, expected: list[str]) -> None:
    """Each kind of scar, and what only looks like one."""
    found = scars(text)
    assert len(found) == len(expected)
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True))
