"""Things of the registry -> the calls that make them in the generated code."""

from __future__ import annotations

from collections.abc import Sequence

from metasnapshot_codegen import python
from metasnapshot_codegen.ddl import ENGINES, Column, ForeignKey, Index, SqlType
from metasnapshot_codegen.history import ShapeColumn
from metasnapshot_codegen.messages import MessageField
from metasnapshot_codegen.names import constant
from metasnapshot_codegen.registry import Span
from metasnapshot_codegen.rules import Rule
from metasnapshot_codegen.v1 import V1Family, V1Member


def message_field(field: MessageField) -> str:
    values = (field.number, field.name, field.type, field.label, field.oneof)
    return python.call("MessageField", (*values, field.since, field.until), {}, 8)


def shape_column(column: ShapeColumn) -> str:
    type_name = f"types.{constant(column.type.key)}"
    flags = ("pk", "auto_increment", "unique", "nullable")
    set_flags = [f"{flag}=True" for flag in flags if getattr(column, flag)]
    return python.wrap("Column(", [python.literal(column.name), type_name, *set_flags], ")", 16)


def ddl_type(item: SqlType) -> str:
    return python.call("DdlType", (item.name, *item.sql, item.span.since, item.span.until), {}, 4)


def ddl_column(column: Column) -> str:
    flags = ("key", "auto_increment", "not_null", "unique")
    keywords = {flag: "True" for flag in flags if getattr(column, flag)}
    if column.default:
        keywords["default"] = python.literal(column.default)
    if column.engines != ENGINES:
        keywords["engines"] = python.literal(column.engines)
    values = (column.name, column.type, column.span.since, column.span.until)
    return python.call("DdlColumn", values, keywords, 12)


def ddl_foreign_key(key: ForeignKey) -> str:
    keywords = {"on_delete": python.literal(key.on_delete)} if key.on_delete else {}
    if key.engines != ENGINES:
        keywords["engines"] = python.literal(key.engines)
    ends = (key.columns, key.references, key.referenced)
    return python.call(
        "DdlForeignKey", (key.name, *ends, key.span.since, key.span.until), keywords, 12
    )


def ddl_index(index: Index) -> str:
    keywords = {flag: "True" for flag in ("unique", "constraint") if getattr(index, flag)}
    if index.engines != ENGINES:
        keywords["engines"] = python.literal(index.engines)
    values = (index.name, index.columns, index.span.since, index.span.until)
    return python.call("DdlIndex", values, keywords, 12)


def v1_member(member: V1Member) -> str:
    rest = (member.message, member.key)[: bool(member.message) + bool(member.key)]
    return python.call("V1Member", (member.name, member.form, *rest), {}, 12)


def rule(rule: Rule, releases: Sequence[str]) -> str:
    return python.call("Rule", (rule.name,), ends(rule.span, releases), 4)


def ends(span: Span, axis: Sequence[str], life: Span | None = None) -> dict[str, str]:
    """The ends of a lifespan by name, each only where its thing does not live as long as what it
    belongs to: the whole axis, or a life on it.
    """
    outer = life or Span(0, len(axis) - 1)
    ends = {"since": (span.since, outer.since), "until": (span.until, outer.until)}
    return {
        name: python.literal(axis[at]) for name, (at, open_end) in ends.items() if at != open_end
    }


def v1_family(family: V1Family) -> str:
    return python.call("V1Family", (family.name, family.member, family.keys), {}, 12)
