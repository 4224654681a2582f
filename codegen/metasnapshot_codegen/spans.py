"""The lifespan that the keys `since` and `until` of a record name, on an axis of names."""

from __future__ import annotations

from collections.abc import Sequence

from metasnapshot_codegen.registry import Span
from metasnapshot_codegen.source import Value

LIFE = ("since", "until")


def read_span(
    found: dict[str, Value], place: Value, axis: Sequence[str], default: Span | None = None
) -> Span:
    """Read a lifespan; without the keys it is the default, or the whole axis.

    Args:
        found: the record's values.
        place: the record.
        axis: names of layouts, releases or states, oldest first.
        default: where an end is that is not named.

    Raises:
        SchemaError: a name that is not on the axis, or an until before its since.
    """
    ends = default or Span(0, len(axis) - 1)
    since = _index(found["since"], axis) if "since" in found else ends.since
    until = _index(found["until"], axis) if "until" in found else ends.until
    if until < since:
        raise place.fail(
            f"found until {axis[until]} before since {axis[since]}, expected since to come first"
        )
    return Span(since, until)


def _index(value: Value, axis: Sequence[str]) -> int:
    return axis.index(value.choice(axis))
