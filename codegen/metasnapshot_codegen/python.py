"""Python source the way ruff formats it: a literal or call on one line if it fits, else one item a
line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

WIDTH = 100


def literal(value: object) -> str:
    """A literal on one line."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, (tuple, list)):
        parts = [literal(item) for item in cast("Iterable[object]", value)]
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in pairs) + "}"
    return repr(value)


def wrap(head: str, items: Iterable[str], tail: str, indent: int) -> str:
    """`head items tail` at an indent, with a comma behind it, on one line or with one item a
    line.
    """
    parts = list(items)
    line = f"{head}{', '.join(parts)}{tail}"
    if indent + len(line) + 1 <= WIDTH:
        return " " * indent + line + ","
    inner = " " * (indent + 4)
    body = "".join(f"{inner}{part},\n" for part in parts)
    return f"{' ' * indent}{head}\n{body}{' ' * indent}{tail},"


def call(name: str, positional: Iterable[object], keywords: dict[str, str], indent: int) -> str:
    """A call whose positional arguments are literals and whose keywords are source text."""
    items = [literal(value) for value in positional]
    return wrap(
        f"{name}(", [*items, *(f"{key}={text}" for key, text in keywords.items())], ")", indent
    )


def field(value: object, name: str, indent: int) -> str:
    """`name=literal,` where the literal is a tuple or dict of any length."""
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        items = [f"{literal(key)}: {literal(item)}" for key, item in pairs]
        return wrap(f"{name}={{", items, "}", indent)
    parts = [literal(item) for item in cast("Iterable[object]", value)]
    if len(parts) == 1:
        return f"{' ' * indent}{name}=({parts[0]},),"
    return wrap(f"{name}=(", parts, ")", indent)
