"""Rows that stand twice in a section: the same primary key, or the same of another key that the
tables of its release hold unique. RisingWave never writes such; no database takes them.

Of each row only the hash of its keys is kept, 8 bytes. Where hashes are equal, the rows are read
once more, and the keys themselves compared.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any

import numpy as np

from metasnapshot.errors import RowError
from metasnapshot.format.columns import Columns
from metasnapshot.format.layout import model_of, shape_of
from metasnapshot.metastore.ddl import alive_at
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.ddl import RELEASES, TABLES
from metasnapshot_models.definitions import Layout


class UniqueKeys:
    """The keys of a section, noted as its rows go by.

    Attributes:
        section: which.
        names: the columns of each key, the primary key first.
    """

    def __init__(self, layout: Layout, section: str) -> None:
        model = model_of(layout, section)
        self.section = section
        self.names = keys_of(layout, model)
        columns = [column.name for column in shape_of(layout, model).columns]
        self._of_row = [attrgetter(*names) for names in self.names]
        self._places = [[columns.index(name) for name in names] for names in self.names]
        self._hashes = [array("q") for _ in self.names]

    def note_row(self, row: Any) -> None:
        """Note a row, as a model."""
        for key_of, hashes in zip(self._of_row, self._hashes, strict=True):
            hashes.append(hash(key_of(row)))

    def noting(self, batches: Iterable[Columns]) -> Iterator[Columns]:
        """The same batches, noted on the way."""
        for columns in batches:
            for places, hashes in zip(self._places, self._hashes, strict=True):
                hashes.extend(map(hash, _keys(columns, places)))
            yield columns

    def repeated_in_rows(self, again: Callable[[], Iterable[Any]]) -> Iterator[str]:
        """What is wrong with each key that rows share; `again` reads the same rows once more."""
        return self._repeated(lambda number: map(self._of_row[number], again()))

    def require(self, again: Callable[[], Iterable[Columns]]) -> None:
        """Refuse a section with a row twice; `again` reads the same batches once more.

        Raises:
            RowError: there is one.
        """

        def keys(number: int) -> Iterator[Any]:
            return (key for columns in again() for key in _keys(columns, self._places[number]))

        for problem in self._repeated(keys):
            raise RowError(problem, section=self.section)

    def _repeated(self, keys: Callable[[int], Iterable[Any]]) -> Iterator[str]:
        """Look once more at the keys whose hashes are equal; a NULL equals no other."""
        for number, (names, hashes) in enumerate(zip(self.names, self._hashes, strict=True)):
            found, counts = np.unique(np.frombuffer(hashes, dtype=np.int64), return_counts=True)
            suspects = set(found[counts > 1].tolist())
            if not suspects:
                continue
            rows = Counter(key for key in keys(number) if hash(key) in suspects)
            for key, count in rows.items():
                values = key if len(names) > 1 else (key,)
                if count > 1 and None not in values:
                    pairs = zip(names, values, strict=True)
                    shown = ", ".join(f"{name} {value}" for name, value in pairs)
                    yield f"{count} rows have {shown}, which the table holds once"


def keys_of(layout: Layout, model: str) -> tuple[tuple[str, ...], ...]:
    """The columns of each key of a table, the primary key first."""
    columns = shape_of(layout, model).columns
    names = {column.name for column in columns}
    release = RELEASES.index(layout.releases[-1])
    found = [tuple(column.name for column in columns if column.pk)]
    for table in alive_at(TABLES, release):
        if table.name == CODECS[model].table:
            found += [(item.name,) for item in alive_at(table.columns, release) if item.unique]
            indexes = alive_at(table.indexes, release)
            found += [item.columns for item in indexes if item.unique or item.constraint]
    return tuple(dict.fromkeys(key for key in found if names.issuperset(key)))


def _keys(columns: Columns, places: list[int]) -> Iterable[Any]:
    """The values of a key: of one column as they are, of more as tuples."""
    if len(places) == 1:
        return columns[places[0]]
    return zip(*(columns[at] for at in places), strict=True)
