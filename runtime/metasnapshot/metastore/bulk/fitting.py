"""Does an engine hold the values of a column? Asked of the whole column first; only where the
answer is not plainly yes, value by value, which names the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from metasnapshot.errors import ValueUnfit
from metasnapshot.format.columns import Columns
from metasnapshot.format.scalars import SECOND, Timestamp
from metasnapshot.metastore.bulk.convert import is_numeric
from metasnapshot.metastore.values import Fit, fitted
from metasnapshot_models.definitions import Column


def fitted_columns(columns: Columns, shape: Sequence[Column], fit: Fit, first: int) -> Columns:
    """Columns of plain values as the engine will give them back.

    Args:
        columns: of plain values.
        shape: the columns that they are.
        fit: what the engine holds.
        first: the number of the first row.

    Raises:
        ValueUnfit: a value that the engine would change or refuse, with its row.
    """
    found: Columns = []
    for column, values in zip(shape, columns, strict=True):
        is_timestamp = column.type.kind == "timestamp"
        width = _width(fit)
        if is_timestamp and width and fit.cut_timestamps:
            found.append(_cut(values, width))
            continue
        if not _is_plainly_fit(column, values, fit):
            _look_at_each(column, values, fit, first)
        found.append(values)
    return found


def _width(fit: Fit) -> int | None:
    """Characters of the longest timestamp that an engine holds; None if it holds all."""
    digits = fit.forms.fraction_digits
    if digits is None:
        return None
    return SECOND + 1 + digits if digits else SECOND


def _cut(values: Sequence[Any], width: int) -> Sequence[Any]:
    return [value and value[:width] for value in values]


def _is_plainly_fit(column: Column, values: Sequence[Any], fit: Fit) -> bool:
    """False means perhaps not."""
    kind = column.type.kind
    if kind == "timestamp" and (width := _width(fit)) is not None:
        return max((len(value) for value in values if value is not None), default=0) <= width
    if kind not in ("string", "json") or not (fit.forms.without_zero or fit.is_narrow):
        return True
    if kind == "json" and is_numeric(column.type.json):
        return True
    texts = "".join(filter(None, values)) if kind == "string" else _json_lines(values)
    if fit.forms.without_zero:
        return "\0" not in texts and "\\u0000" not in texts
    return texts.isascii()


def _json_lines(values: Sequence[Any]) -> str:
    return msgspec.json.encode(values).decode()


def _look_at_each(column: Column, values: Sequence[Any], fit: Fit, first: int) -> None:
    look = fitted(column, fit)
    if look is None:
        return
    is_timestamp = column.type.kind == "timestamp"
    for number, value in enumerate(values, first):
        if value is None:
            continue
        try:
            look(Timestamp(value) if is_timestamp else value)
        except ValueUnfit as error:
            raise ValueUnfit(f"row {number}, {error}", hint=error.hint) from None
