"""Triggers and rules on the tables of a meta store. RisingWave makes none; what somebody else put
there acts on every row that a restore loads.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from metasnapshot.metastore.values import MYSQL, POSTGRES, SQLITE, engine_of

_TRIGGERS = {
    SQLITE: "SELECT tbl_name, 'trigger', name FROM sqlite_master WHERE type = 'trigger'",
    MYSQL: """
SELECT event_object_table, 'trigger', trigger_name FROM information_schema.triggers
WHERE event_object_schema = database()
""",
    POSTGRES: """
SELECT t.relname, 'trigger', g.tgname FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND pg_table_is_visible(t.oid)
UNION ALL
SELECT t.relname, 'rule', r.rulename FROM pg_rewrite r JOIN pg_class t ON t.oid = r.ev_class
WHERE r.rulename <> '_RETURN' AND r.ev_enabled <> 'D' AND pg_table_is_visible(t.oid)
""",
}
"""Table, kind and name; those that are switched off do nothing."""


def triggers_on(connection: sa.Connection, tables: Collection[str]) -> list[str]:
    """Triggers and rules on these tables, each as `trigger NAME on TABLE`."""
    known = {name.lower() for name in tables}
    rows = connection.exec_driver_sql(_TRIGGERS[engine_of(connection)]).fetchall()
    return sorted(
        f"{kind} {name} on {table}" for table, kind, name in rows if table.lower() in known
    )


def fire_deferred(connection: sa.Connection) -> None:
    """Let triggers and constraints act now that PostgreSQL would keep for the commit."""
    if engine_of(connection) == POSTGRES:
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
