"""Triggers and rules on the tables of a meta store. RisingWave makes none; what somebody else put
there acts on every row that a restore loads.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from metasnapshot.metastore.engines import engine_of


def triggers_on(connection: sa.Connection, tables: Collection[str]) -> list[str]:
    """Triggers and rules on these tables, each as `trigger NAME on TABLE`."""
    known = {name.lower() for name in tables}
    rows = engine_of(connection).triggers(connection)
    return sorted(
        f"{kind} {name} on {table}" for table, kind, name in rows if table.lower() in known
    )
