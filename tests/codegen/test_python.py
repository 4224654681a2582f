from __future__ import annotations

import ast

import pytest

from metasnapshot_codegen import python


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", '"a"'),
        ('say "a\\b"', '"say \\"a\\\\b\\""'),
        (1, "1"),
        (True, "True"),
        (None, "None"),
        ((), "()"),
        (("a",), '("a",)'),
        (("map", "u32", ("list", "i32")), '("map", "u32", ("list", "i32"))'),
        ({}, "{}"),
        ({("a", "b"): "c", "d": 1}, '{("a", "b"): "c", "d": 1}'),
    ],
)
def test_a_literal_is_python(value: object, expected: str) -> None:
    """A literal is written as ruff writes it and reads as the value that it was."""
    assert expected == python.literal(value)
    assert value == ast.literal_eval(expected)


def test_what_fits_stands_on_one_line() -> None:
    """A call that ends with its comma at column 100 is not broken."""
    item = "x" * 90
    line = python.wrap("call(", [item], ")", 3)
    assert line == f"   call({item}),"
    assert len(line) == 100


def test_what_does_not_fit_has_one_item_a_line() -> None:
    """One column more, and each item stands on its own line with a comma."""
    item = "x" * 89
    assert python.wrap("call(", [item, "y"], ")", 4) == (
        f"    call(\n        {item},\n        y,\n    ),"
    )


def test_a_call_has_literals_and_then_keywords() -> None:
    """Positional arguments are values, keywords are source."""
    assert python.call("f", ["a", 1], {"key": "types.A"}, 4) == '    f("a", 1, key=types.A),'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((), "names=(),"),
        (("a",), 'names=("a",),'),
        (("a", "b"), 'names=("a", "b"),'),
        ((("a", "b"),), 'names=(("a", "b"),),'),
        ({}, "names={},"),
        ({"a": "b"}, 'names={"a": "b"},'),
        (("a" * 60, "b" * 60), f'names=(\n    "{"a" * 60}",\n    "{"b" * 60}",\n),'),
        ({"a" * 60: "b" * 60}, f'names={{\n    "{"a" * 60}": "{"b" * 60}",\n}},'),
    ],
)
def test_a_field_is_a_tuple_or_a_dict(value: object, expected: str) -> None:
    """A tuple of one keeps its comma, a long tuple or dict has one item a line."""
    assert expected == python.field(value, "names", 0)
