from __future__ import annotations

import pytest

from metasnapshot_codegen import jsontype

A_TYPE = "expected an integer, String, a message, list<> or map<>"


@pytest.mark.parametrize(
    ("text", "parsed", "annotation", "messages"),
    [
        ("u32", "u32", "int", []),
        ("String", "String", "str", []),
        ("toy.Stats", "toy.Stats", "dict[str, object]", ["toy.Stats"]),
        ("list<i64>", ("list", "i64"), "list[int]", []),
        ("map<u64,String>", ("map", "u64", "String"), "dict[int, str]", []),
        ("map<String, i16>", ("map", "String", "i16"), "dict[str, int]", []),
        (
            "map<i32,list<list<i32>>>",
            ("map", "i32", ("list", ("list", "i32"))),
            "dict[int, list[list[int]]]",
            [],
        ),
        (
            "list<map<u32,toy.A>>",
            ("list", ("map", "u32", "toy.A")),
            "list[dict[int, dict[str, object]]]",
            ["toy.A"],
        ),
    ],
)
def test_a_type_is_parsed_and_annotated(
    text: str, parsed: object, annotation: str, messages: list[str]
) -> None:
    """A type is nested tuples of plain data, and these say annotation and messages."""
    found = jsontype.parse(text)
    assert parsed == found
    assert annotation == jsontype.annotation(found)
    assert messages == jsontype.messages(found)


def test_parallelism_is_a_type_of_its_own() -> None:
    """`parallelism` is no message and stands alone: no list or map holds it."""
    assert jsontype.parse("parallelism") == jsontype.PARALLELISM
    assert jsontype.messages(jsontype.PARALLELISM) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", f"found ``, {A_TYPE}"),
        ("string", f"found `string`, {A_TYPE}"),
        ("set<u32>", f"found `set`, {A_TYPE}"),
        ("list<>", f"found ``, {A_TYPE}"),
        ("list<u32", "found `the end` in `list<u32`, expected `>`"),
        ("list<u32,u32>", "found `,u32>` in `list<u32,u32>`, expected `>`"),
        ("list<parallelism>", f"found `parallelism`, {A_TYPE}"),
        ("map<u32,parallelism>", f"found `parallelism`, {A_TYPE}"),
        ("map<parallelism,u32>", f"found `parallelism`, {A_TYPE}"),
        ("list<u32>>", "found `>` after a complete type, expected the end"),
        ("u32,u32", "found `,u32` after a complete type, expected the end"),
        ("map<u32>", "found `>` after the key of a map, expected `,`"),
        ("map<u32,u32", "found `the end` in `map<u32,u32`, expected `>`"),
        ("map<u32,u128>", f"found `u128`, {A_TYPE}"),
        (
            "map<toy.Stats,u32>",
            "found `map<toy.Stats,u32>`, expected an integer or String as a map's key",
        ),
    ],
)
def test_a_bad_type_says_what_was_found_and_expected(text: str, problem: str) -> None:
    """Whatever is no type is refused with what stands there and what may."""
    with pytest.raises(ValueError, match=r"^found") as error:
        jsontype.parse(text)
    assert problem == str(error.value)
