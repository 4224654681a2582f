"""A condition on the key of a table: comparisons of its columns with constants, joined by `and`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from metasnapshot.errors import UsageError
from metasnapshot.rows.days import days_of
from metasnapshot.sst.schema import TableSchema
from metasnapshot.sst.types import INTEGERS, Kind, Type

_TERM = re.compile(
    r"""\s*(?:"((?:[^"]|"")+)"|(\w+))\s*(<=|>=|<>|!=|=|<|>)\s*('(?:[^']|'')*'|[^\s']+)\s*"""
)
_AND = re.compile(r"and\b", re.IGNORECASE)
_MOMENT = re.compile(
    r"(\d{4,6})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?)?(?:\+00:00|Z)?"
)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NANOS, MICRO = 1_000_000_000, 1000
DAY_S = 86_400
HINT = "such as --where 'id >= 10 and id < 20'; only columns of the key can be compared"


class Comparison(NamedTuple):
    """A comparison of a column, by its place, with a constant. NULL is never right."""

    place: int
    compare: Callable[[Any, Any], bool]
    constant: Any

    def holds(self, value: Any) -> bool:
        """Whether it is right of a value."""
        return value is not None and self.compare(value, self.constant)


def parse_where(text: str, schema: TableSchema) -> tuple[Comparison, ...]:
    """Read a condition.

    Raises:
        UsageError: it is not a condition, or has a column that is not of the key, or a
            constant of another type than its column.
    """
    keys = {schema.columns[item.index].name: item.index for item in schema.key}
    found: list[Comparison] = []
    at = 0
    while True:
        term = _TERM.match(text, at)
        if term is None:
            raise UsageError(f"not a condition: {text!r}", hint=HINT)
        name = (term[1] or term[2]).replace('""', '"') if term[1] else term[2]
        if name not in keys:
            raise UsageError(
                f"column {name} is not of the key of table {schema.name}",
                hint=f"its key has {', '.join(keys) or 'no columns'}",
            )
        index = keys[name]
        constant = _constant(term[4], schema.columns[index].type)
        found.append(Comparison(index, _OPERATORS[term[3]], constant))
        at = term.end()
        if at == len(text):
            return tuple(found)
        joined = _AND.match(text, at)
        if joined is None:
            raise UsageError(f"not a condition: {text!r}", hint=HINT)
        at = joined.end()


def _constant(word: str, type_: Type) -> Any:
    text = word[1:-1].replace("''", "'") if word.startswith("'") else word
    try:
        return _value(text, type_.kind)
    except (ValueError, InvalidOperation):
        raise UsageError(f"{word} is no constant of type {type_}", hint=HINT) from None


def _value(text: str, kind: Kind) -> Any:
    if kind in INTEGERS:
        return int(text)
    if kind not in _CONSTANTS:
        raise UsageError(f"a key of type {kind} cannot be compared", hint=HINT)
    return _CONSTANTS[kind](text)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "t", "f"):
        raise ValueError(text)
    return text.lower().startswith("t")


def _nanos(text: str) -> int:
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(found[n] or 0) for n in range(1, 7))
    seconds = days_of(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second
    return seconds * NANOS + int((found[7] or "").ljust(9, "0"))


_CONSTANTS: dict[Kind, Callable[[str], Any]] = {
    Kind.VARCHAR: str,
    Kind.BOOLEAN: _boolean,
    Kind.DECIMAL: Decimal,
    Kind.BYTEA: lambda text: bytes.fromhex(text.removeprefix("\\x")),
    Kind.DATE: lambda text: _nanos(text) // (DAY_S * NANOS),
    Kind.TIMESTAMP: _nanos,
    Kind.TIMESTAMPTZ: lambda text: _nanos(text) // MICRO,
}
