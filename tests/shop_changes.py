"""Changes that people make to a shop, each with what a timeline says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from made_cluster import replaced

from metasnapshot import Event

Sections = dict[str, list[Any]]


def row_of(sections: Sections, section: str, name: str) -> tuple[list[Any], int]:
    rows = sections[section]
    return rows, next(place for place, row in enumerate(rows) if row.name == name)


def edit(section: str, name: str, /, **fields: Any) -> Callable[[Sections], None]:
    """A change of a row that has this name."""

    def change(sections: Sections) -> None:
        rows, place = row_of(sections, section, name)
        rows[place] = replaced(rows[place], **fields)

    return change


def drop(section: str, name: str) -> Callable[[Sections], None]:
    """A row less."""

    def change(sections: Sections) -> None:
        rows, place = row_of(sections, section, name)
        del rows[place]

    return change


def own(name: str, /, **fields: Any) -> Callable[[Sections], None]:
    """A change of the object of a table."""

    def change(sections: Sections) -> None:
        rows, place = row_of(sections, "tables", name)
        number = rows[place].table_id
        objects = sections["objects"]
        (at,) = (place for place, row in enumerate(objects) if row.oid == number)
        objects[at] = replaced(objects[at], **fields)

    return change


def made_again(sections: Sections) -> None:
    """The table of products, dropped and made again."""
    own("products", oid=777)(sections)
    edit("tables", "products", table_id=777)(sections)


def second_schema(sections: Sections) -> None:
    """A schema, into which a table moves."""
    sections["schemas"].append(replaced(sections["schemas"][0], schema_id=9, name="old"))
    sections["objects"].append(replaced(sections["objects"][1], oid=9, schema_id=None))
    own("products", schema_id=9)(sections)


TABLE = "dev.public.products"
CASES: dict[str, tuple[Callable[[Sections], object], list[Event]]] = {
    "a table is dropped": (
        drop("tables", "products"),
        [Event("tables", "removed", TABLE, 103, owner="root")],
    ),
    "a view is dropped": (
        drop("tables", "top_customers"),
        [Event("materialized views", "removed", "dev.public.top_customers", 107, owner="root")],
    ),
    "a table is dropped and made again": (
        made_again,
        [
            Event("tables", "removed", TABLE, 103, owner="root"),
            Event("tables", "added", TABLE, 777, owner="root"),
        ],
    ),
    "a table is renamed": (
        edit("tables", "products", name="goods"),
        [
            Event(
                "tables",
                "changed",
                "dev.public.goods",
                103,
                ("name",),
                "root",
                TABLE,
                "dev.public.goods",
            )
        ],
    ),
    "a table is altered": (
        edit("tables", "products", append_only=True),
        [Event("tables", "changed", TABLE, 103, ("append_only",), "root")],
    ),
    "a table has another owner": (
        own("products", owner_id=2),
        [Event("tables", "changed", TABLE, 103, ("owner",), "postgres", "root", "postgres")],
    ),
    "its owner is unknown": (
        own("products", owner_id=99),
        [Event("tables", "changed", TABLE, 103, ("owner",), "#99", "root", "#99")],
    ),
    "a table moves": (
        second_schema,
        [
            Event(
                "tables",
                "changed",
                "dev.old.products",
                103,
                ("name",),
                "root",
                TABLE,
                "dev.old.products",
            ),
            Event("schemas", "added", "dev.old", 9, owner="root"),
        ],
    ),
    "the schema has another name": (
        edit("schemas", "public", name="private"),
        [
            Event(
                "schemas",
                "changed",
                "dev.private",
                2,
                ("name",),
                "root",
                "dev.public",
                "dev.private",
            )
        ],
    ),
    "a user goes": (drop("users", "postgres"), [Event("users", "removed", "postgres", 2)]),
    "a user has more rights": (
        edit("users", "postgres", is_super=True),
        [Event("users", "changed", "postgres", 2, ("is_super",))],
    ),
    "a password changes": (
        edit("users", "postgres", auth_info=None),
        [Event("users", "changed", "postgres", 2, ("auth_info",))],
    ),
    "a source is altered": (
        edit("sources", "orders_topic", with_properties={"connector": "kafka", "password": "s3"}),
        [Event("sources", "changed", "dev.public.orders_topic", 100, ("with_properties",), "root")],
    ),
    "a parameter changes": (
        edit("system_parameters", "barrier_interval_ms", value="77"),
        [
            Event(
                "system parameters",
                "changed",
                "barrier_interval_ms",
                None,
                ("value",),
                None,
                "250",
                "77",
            )
        ],
    ),
    "a parameter goes": (
        drop("system_parameters", "barrier_interval_ms"),
        [Event("system parameters", "removed", "barrier_interval_ms", before="250")],
    ),
}
