"""A table that is loaded as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from metasnapshot.errors import ValueUnfit
from metasnapshot.format.columns import Columns
from metasnapshot.metastore.bulk.digest import TableDigest
from metasnapshot.metastore.bulk.fitting import fitted_columns
from metasnapshot.metastore.values import Fit
from metasnapshot_models.definitions import Column


class Table(Protocol):
    """A table in an open transaction. A digest is of the rows in a form that the engine gives of
    what it holds, so that equal digests mean equal values.
    """

    def insert(self, batches: Iterable[Columns]) -> TableDigest:
        """Insert columns of plain values that fit; returns the digest of what was sent."""
        ...

    def digest(self) -> TableDigest | None:
        """The digest of what the table holds; None if a column's type is not one that RisingWave
        makes, so that its form is not known.
        """
        ...


def fitted_batches(
    batches: Iterable[Columns], table: str, shape: Sequence[Column], fit: Fit
) -> Iterator[Columns]:
    """Batches as the engine will give them back; those without rows are left out.

    Raises:
        ValueUnfit: a value that the engine would change or refuse, with table and row.
    """
    first = 0
    for columns in batches:
        if not columns[0]:
            continue
        try:
            yield fitted_columns(columns, shape, fit, first)
        except ValueUnfit as error:
            raise ValueUnfit(f"table {table}, {error}", hint=error.hint) from None
        first += len(columns[0])
