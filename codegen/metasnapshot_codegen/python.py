"""Python source as ruff formats it: a literal or call on one line, or an item a line."""

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
    """`head items tail` at an indent, with a comma behind it, on one line or an item a line."""
    parts = list(items)
    line = f"{head}{', '.join(parts)}{tail}"
    if indent + len(line) + 1 <= WIDTH:
        return " " * indent + line + ","
    inner = " " * (indent + 4)
    body = "".join(f"{inner}{part},\n" for part in parts)
    return f"{' ' * indent}{head}\n{body}{' ' * indent}{tail},"


def call(name: str, positional: Iterable[object], keywords: dict[str, str], indent: int) -> str:
    """A call whose positional arguments are literals and whose keywords are source text."""
    values = list(positional)
    named = [f"{key}={text}" for key, text in keywords.items()]
    line = wrap(f"{name}(", [*map(literal, values), *named], ")", indent)
    if "\n" not in line:
        return line
    return wrap(
        f"{name}(", [*(_nested(value, indent + 4) for value in values), *named], ")", indent
    )


def _nested(value: object, indent: int) -> str:
    """A literal; a tuple that is too long for its line has one item a line."""
    line = literal(value)
    if not isinstance(value, tuple) or indent + len(line) + 1 <= WIDTH:
        return line
    items = [literal(item) for item in cast("tuple[object, ...]", value)]
    return wrap("(", items, ")", indent).strip().removesuffix(",")


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


def tuple_of(value: Iterable[str], indent: int) -> str:
    """A tuple of calls that are indented already, each with a comma behind it."""
    calls = list(value)
    margin = " " * indent
    if not calls:
        return f"{margin}(),"
    short = f"{margin}({calls[0].strip()}),"
    if len(calls) == 1 and "\n" not in short and len(short) <= WIDTH:
        return short
    return "\n".join([f"{margin}(", *calls, f"{margin}),"])


def assign(value: Iterable[str], head: str) -> str:
    """`head = (calls)`, of calls that are indented by 4, each with a comma behind it."""
    calls = list(value)
    line = f"{head} = ({''.join(calls).strip()})"
    if not calls or (len(calls) == 1 and "\n" not in line and len(line) <= WIDTH):
        return line
    return "\n".join([f"{head} = (", *calls, ")"])
