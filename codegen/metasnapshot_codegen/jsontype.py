"""The little grammar of `json:` types, `list<T>` and `map<K,V>`, parsed into nested tuples."""

from __future__ import annotations

from typing import cast

from metasnapshot_codegen.registry import INTEGERS

JsonType = str | tuple[str, ...] | tuple[object, ...]
"""`"u32"`, `"String"`, a message name, `("list", T)` or `("map", K, V)`."""

PARALLELISM = "parallelism"


def parse(text: str) -> JsonType:
    """Parse a `json:` type.

    Raises:
        ValueError: with what was found and what was expected.
    """
    if text == PARALLELISM:
        return text
    parsed, rest = _parse(text)
    if rest:
        raise ValueError(f"found `{rest}` after a complete type, expected the end")
    return parsed


def messages(parsed: object) -> list[str]:
    """Names of the messages that a parsed type mentions."""
    if isinstance(parsed, tuple):
        parts = cast("tuple[object, ...]", parsed)[1:]
        return [name for part in parts for name in messages(part)]
    return [str(parsed)] if "." in str(parsed) else []


def annotation(parsed: object) -> str:
    """The Python annotation of a parsed type; a message is a dict in the form of proto3 JSON."""
    if isinstance(parsed, tuple):
        kind, *inner = cast("tuple[object, ...]", parsed)
        parts = [annotation(part) for part in inner]
        return f"{'list' if kind == 'list' else 'dict'}[{', '.join(parts)}]"
    if parsed in INTEGERS:
        return "int"
    return "str" if parsed == "String" else "dict[str, object]"


def _parse(text: str) -> tuple[JsonType, str]:
    for name in ("list", "map"):
        if not text.startswith(f"{name}<"):
            continue
        first, rest = _parse(text[len(name) + 1 :])
        parts: list[object] = [name, first]
        if name == "map":
            if first not in (*INTEGERS, "String"):
                raise ValueError(f"found `{text}`, expected an integer or String as a map's key")
            if not rest.startswith(","):
                raise ValueError(f"found `{rest}` after the key of a map, expected `,`")
            second, rest = _parse(rest[1:].lstrip())
            parts.append(second)
        if not rest.startswith(">"):
            raise ValueError(f"found `{rest or 'the end'}` in `{text}`, expected `>`")
        return tuple(parts), rest[1:]
    end = next((i for i, char in enumerate(text) if char in "<>,"), len(text))
    leaf = text[:end].strip()
    if leaf not in (*INTEGERS, "String") and "." not in leaf:
        raise ValueError(f"found `{leaf}`, expected an integer, String, a message, list<> or map<>")
    return leaf, text[end:]
