"""Values as RisingWave prints them in its text protocol, with time zone UTC.

Values are those of sst.values. Source: src/common/src/types/to_text.rs, interval.rs, datetime.rs,
src/common/src/array/list_array.rs, struct_array.rs at 3.0.3; golden rows prove it.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import numpy as np

from metasnapshot.rows.days import date_of
from metasnapshot.sst.leap import Leap
from metasnapshot.sst.types import Kind, Type

NULL = "NULL"
ZERO_TIME = "00:00:00"
MICROS, NANOS = 1_000_000, 1_000_000_000
DAY_S = 86_400
SIZE_32 = 32
_SPACES = " \t\n\r\v\f"
_IN_LIST = re.compile(rf"[{{}},\"\\{_SPACES}]")
_IN_STRUCT = re.compile(rf"[(),\"\\{_SPACES}]")
_EXACT = Context(prec=200)
_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|[:,]', re.DOTALL)
_PLAIN_DIGITS = {64: (16, -5), 32: (13, -6)}
"""Between which places of its point a number is written without an exponent, by its bits."""


def text_of(value: Any, type_: Type) -> str:
    """A value that is not NULL."""
    return _TEXTS[type_.kind](value, type_)


def float_text(bits: int, size: int) -> str:
    """A real (32) or double (64) by its IEEE bits, in the shortest digits that are the same."""
    layout = "<f" if size == SIZE_32 else "<d"
    (number,) = struct.unpack(layout, bits.to_bytes(size // 8, "little"))
    if math.isnan(number):
        return "NaN"
    sign = "-" if bits >> (size - 1) else ""
    number = abs(number)
    if number in (0.0, float("inf")):
        return f"{sign}{'Infinity' if number else '0'}"
    shown = np.format_float_scientific(_numpy(number, size), unique=True, trim="-")
    mantissa, _, exponent = shown.partition("e")
    digits = mantissa.replace(".", "")
    point = int(exponent) + 1
    high, low = _PLAIN_DIGITS[size]
    if low < point <= high:
        return sign + _pointed(digits, point)
    power = point - 1
    head = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{head}e{'-' if power < 0 else '+'}{abs(power):02}"


def _numpy(number: float, size: int) -> Any:
    return np.float32(number) if size == SIZE_32 else np.float64(number)


def _pointed(digits: str, point: int) -> str:
    """Digits with their point, and as many zeros as that takes."""
    if point <= 0:
        return f"0.{'0' * -point}{digits}"
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"


def decimal_text(value: Decimal) -> str:
    """With all digits of its scale."""
    return format(value, "f") if value.is_finite() else str(value)


def _fraction(part: int, digits: int) -> str:
    """A part of a second in none, three, six or nine digits."""
    if not part:
        return ""
    text = f"{part:0{digits}}"
    while text.endswith("000"):
        text = text[:-3]
    return f".{text}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def date_text(days: int) -> str:
    """Days since 1970 as a date; years before 1 count from 1 BC."""
    year, month, day = date_of(days)
    if year > 0:
        return f"{year:04}-{month:02}-{day:02}"
    return f"{1 - year:04}-{month:02}-{day:02} BC"


def _sixty(text: str) -> str:
    """The second of 60 that follows one of 59."""
    head, _, tail = text.rpartition(":59")
    return f"{head}:60{tail}"


def time_text(nanos: int) -> str:
    """Nanoseconds since midnight as a time."""
    if isinstance(nanos, Leap):
        return _sixty(time_text(nanos - NANOS))
    seconds, rest = divmod(nanos, NANOS)
    return _clock(seconds) + _fraction(rest, 9)


def timestamp_text(nanos: int) -> str:
    """Nanoseconds since 1970 as a timestamp."""
    if isinstance(nanos, Leap):
        return _sixty(timestamp_text(nanos - NANOS))
    return _moment(*divmod(nanos, NANOS), 9, "")


def timestamptz_text(micros: int) -> str:
    """Microseconds since 1970 as a timestamp in UTC."""
    return _moment(*divmod(micros, MICROS), 6, "+00:00")


def _moment(seconds: int, rest: int, digits: int, zone: str) -> str:
    days, of_day = divmod(seconds, DAY_S)
    date, _, era = date_text(days).partition(" ")
    clock = _clock(of_day) + _fraction(rest, digits)
    return f"{date} {clock}{zone}" + (f" {era}" if era else "")


def interval_text(value: tuple[int, int, int]) -> str:
    """Months, days and microseconds, in the style of PostgreSQL."""
    months, days, micros = value
    sign = -1 if months < 0 else 1
    years, rest = divmod(abs(months), 12)
    words: list[str] = []
    is_before = False
    for number, unit in ((years * sign, "year"), (rest * sign, "mon"), (days, "day")):
        if number:
            plus = "+" if is_before and number > 0 else ""
            words.append(f"{plus}{number} {unit}{'' if number == 1 else 's'}")
            is_before = number < 0
    if micros or not words:
        plus = "-" if micros < 0 else "+" if is_before else ""
        seconds, part = divmod(abs(micros), MICROS)
        fraction = f".{part:06}".rstrip("0") if part else ""
        words.append(f"{plus}{_clock(seconds)}{fraction}")
    return " ".join(words)


def jsonb_text(text: str) -> str:
    """JSON with a space behind each colon and comma, as stored it has none."""
    return _JSON.sub(lambda found: found[0] + " " if found[0] in ":," else found[0], text)


def list_text(items: list[Any], item: Type) -> str:
    """A list in braces."""
    parts = [
        NULL
        if value is None
        else text_of(value, item)
        if item.kind is Kind.LIST
        else _quoted_in_list(text_of(value, item))
        for value in items
    ]
    return "{" + ",".join(parts) + "}"


def _quoted_in_list(text: str) -> str:
    if text and text.upper() != NULL and not _IN_LIST.search(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def struct_text(value: tuple[Any, ...], type_: Type) -> str:
    """A struct in parentheses; NULL is nothing."""
    parts = (
        "" if item is None else _quoted_in_struct(text_of(item, field.type))
        for item, field in zip(value, type_.fields, strict=True)
    )
    return "(" + ",".join(parts) + ")"


def _quoted_in_struct(text: str) -> str:
    if text and not _IN_STRUCT.search(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'


def map_text(items: list[tuple[Any, Any]], type_: Type) -> str:
    """A map in braces."""
    key, value = (field.type for field in type_.fields)
    parts = (
        f"{text_of(one, key)}:{NULL if other is None else text_of(other, value)}"
        for one, other in items
    )
    return "{" + ",".join(parts) + "}"


def vector_text(bits: tuple[int, ...]) -> str:
    """A vector in brackets, its numbers without exponents."""
    return "[" + ",".join(map(_plain_real, bits)) + "]"


def _plain_real(bits: int) -> str:
    number = np.array([bits], np.uint32).view(np.float32)[0]
    if not np.isfinite(number):
        text = float_text(bits, 32)
        return {"Infinity": "inf", "-Infinity": "-inf"}.get(text, text)
    shown = np.format_float_positional(number, unique=True, trim="-").rstrip(".")
    # of two texts that are as short and as near, numpy takes the even one, Rust the larger
    exact = Decimal(float(number))
    larger = format(exact.quantize(Decimal(shown), ROUND_HALF_UP, _EXACT), "f")
    return larger if np.float32(larger) == number and "." in shown else shown


_TEXTS: dict[Kind, Callable[[Any, Type], str]] = {
    Kind.SMALLINT: lambda value, _: str(value),
    Kind.INT: lambda value, _: str(value),
    Kind.BIGINT: lambda value, _: str(value),
    Kind.SERIAL: lambda value, _: str(value),
    Kind.INT256: lambda value, _: str(value),
    Kind.REAL: lambda value, _: float_text(value, 32),
    Kind.DOUBLE: lambda value, _: float_text(value, 64),
    Kind.BOOLEAN: lambda value, _: "t" if value else "f",
    Kind.VARCHAR: lambda value, _: value,
    Kind.BYTEA: lambda value, _: f"\\x{value.hex()}",
    Kind.DECIMAL: lambda value, _: decimal_text(value),
    Kind.INTERVAL: lambda value, _: interval_text(value),
    Kind.DATE: lambda value, _: date_text(value),
    Kind.TIME: lambda value, _: time_text(value),
    Kind.TIMESTAMP: lambda value, _: timestamp_text(value),
    Kind.TIMESTAMPTZ: lambda value, _: timestamptz_text(value),
    Kind.JSONB: lambda value, _: jsonb_text(value),
    Kind.STRUCT: struct_text,
    Kind.LIST: lambda value, type_: list_text(value, type_.fields[0].type),
    Kind.MAP: map_text,
    Kind.VECTOR: lambda value, _: vector_text(value),
}
