"""Writes docs/library-reference.md out of signatures and docstrings, which griffe reads without
running anything. `make reference` calls it; a test fails while the page says something else.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "library-reference.md"
WIDTH = 110
HEAD = """\
<!-- @generated from docstrings. Edit those and run "make reference". -->
# Reference of the library

Every name of `metasnapshot.__all__`, with what it takes, gives and raises.
[library.md](library.md) shows them at work. The errors stand in `metasnapshot.errors`, as a tree.
"""
KINDS = {"class": "Classes", "function": "Functions", "attribute": "Values"}
_griffe: Any = griffe


def page() -> str:
    """The page."""
    sys.path.insert(0, str(ROOT / "runtime"))
    try:
        from metasnapshot.surface import HOMES  # noqa: PLC0415 - of this checkout
    finally:
        sys.path.pop(0)
    package = _griffe.load(
        "metasnapshot", search_paths=[str(ROOT / "runtime")], docstring_parser="google"
    )
    found = {name: package[f"{module}.{name}"] for name, module in HOMES.items()}
    lines = [HEAD]
    for kind, title in KINDS.items():
        lines.append(f"## {title}\n")
        for name in sorted(name for name, item in found.items() if item.kind.value == kind):
            lines += _item(found[name], name)
    return "\n".join(lines).rstrip() + "\n"


def _item(item: Any, name: str, level: int = 3) -> Iterator[str]:
    """A heading, the signature, and what the docstring says; of a class its own methods too."""
    yield f"{'#' * level} {name}\n"
    if item.kind.value == "attribute":
        yield f"```text\n{name} = {item.value}\n```\n"
    elif signature := _signature(item, name):
        yield f"```text\n{signature}\n```\n"
    yield from _docstring(item)
    if item.kind.value == "class":
        for method in _methods(item):
            yield from _item(method, f"{name}.{method.name}", level + 1)


def _methods(item: Any) -> list[Any]:
    """Public methods and properties that have words, those of bases of ours too."""
    members = {**item.inherited_members, **item.members}
    found = [member for name, member in members.items() if not name.startswith("_")]
    return [member for member in found if member.docstring and _is_callable(member)]


def _is_callable(member: Any) -> bool:
    return member.is_function or (member.is_attribute and "property" in member.labels)


def _signature(item: Any, name: str) -> str:
    function = item
    if item.kind.value == "class":
        function = item.all_members.get("__init__")
        if function is None:
            return ""
    elif not item.is_function:
        return ""
    shown = [text for text in _parameters(function) if text not in ("self", "cls")]
    gives = f" -> {function.returns}" if item.is_function and function.returns else ""
    line = f"{name}({', '.join(shown)}){gives}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {text},\n" for text in shown) + f"){gives}"


def _parameters(function: Any) -> Iterator[str]:
    """Parameters as they are written, with the marks between their kinds."""
    kinds = [parameter.kind.value for parameter in function.parameters]
    has_star = False
    for parameter, kind in zip(function.parameters, kinds, strict=True):
        if kind == "keyword-only" and not has_star:
            has_star = True
            yield "*"
        prefix = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
        has_star = has_star or prefix == "*"
        of = f": {parameter.annotation}" if parameter.annotation is not None else ""
        equals = " = " if of else "="
        is_optional = parameter.default is not None and not prefix
        yield f"{prefix}{parameter.name}{of}{f'{equals}{parameter.default}' if is_optional else ''}"


def _docstring(item: Any) -> Iterator[str]:
    if item.docstring is None:
        return
    for section in item.docstring.parsed:
        match section.kind.value:
            case "text":
                for paragraph in str(section.value).split("\n\n"):
                    yield _wrapped(paragraph) + "\n"
            case "parameters" | "other parameters" | "attributes":
                yield from _list((f"`{each.name}`", each.description) for each in section.value)
            case "raises":
                yield "Raises:\n"
                yield from _list(
                    (f"`{each.annotation}`", each.description) for each in section.value
                )
            case kind:
                raise ValueError(f"{item.path}: a section that this page does not know: {kind}")


def _list(items: Iterator[tuple[str, str]]) -> Iterator[str]:
    for name, text in items:
        yield _wrapped(f"- {name}: {text}", "  ")
    yield ""


def _wrapped(text: str, indent: str = "") -> str:
    words = " ".join(text.split())
    return textwrap.fill(
        words, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
