"""PostgreSQL's foreign keys during a load: dropped before it and added again after it, in the same
transaction.

Row by row they take longer than all the rest. Added to tables that are full, each is checked by one
join, and refused as a row would have been. Who does not own the tables, or has to wait for them,
loads with the keys in place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc

from metasnapshot.errors import InconsistentStore

_KEYS = """
SELECT CAST(CAST(k.conrelid AS regclass) AS text), quote_ident(k.conname),
  pg_get_constraintdef(k.oid),
  k.convalidated AND k.conparentid = 0 AND obj_description(k.oid, 'pg_constraint') IS NULL
    AND pg_has_role(t.relowner, 'USAGE') AND pg_has_role(r.relowner, 'USAGE')
FROM pg_constraint k
JOIN pg_class t ON t.oid = k.conrelid
JOIN pg_class r ON r.oid = k.confrelid
WHERE k.contype = 'f' AND pg_table_is_visible(t.oid) ORDER BY 1, 2
"""


class _Key(NamedTuple):
    """A foreign key, and whether it can be made again just as it was."""

    table: str
    name: str
    definition: str
    is_ours: bool


@contextmanager
def foreign_keys_last(connection: sa.Connection) -> Generator[bool]:
    """Load tables in the block; their foreign keys hold at its end.

    Yields:
        Whether rows may come before the rows that they refer to.

    Raises:
        DatabaseError: rows refer to rows that are not there.
    """
    keys = _keys(connection)
    if not all(key.is_ours for key in keys) or not _drop(connection, keys):
        yield False
        return
    yield True
    _alter(connection, keys, "ADD CONSTRAINT {name} {definition}")
    if _keys(connection) != keys:
        raise InconsistentStore("the foreign keys are not what they were", hint="nothing was done")


def _keys(connection: sa.Connection) -> list[_Key]:
    return [_Key(*row) for row in connection.exec_driver_sql(_KEYS)]


def _drop(connection: sa.Connection, keys: list[_Key]) -> bool:
    """Drop keys; False if somebody holds the tables, or we may not."""
    try:
        with connection.begin_nested():
            _alter(connection, keys, "DROP CONSTRAINT {name}")
    except (exc.OperationalError, exc.ProgrammingError):
        return False
    return True


def _alter(connection: sa.Connection, keys: list[_Key], change: str) -> None:
    """Change the keys of each table by one statement."""
    changes: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        changes[key.table].append(change.format(name=key.name, definition=key.definition))
    for table, listed in changes.items():
        connection.exec_driver_sql(f"ALTER TABLE {table} {', '.join(listed)}")
