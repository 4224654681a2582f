"""Things of the registry -> the calls that make them in the generated code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metasnapshot_codegen import python
from metasnapshot_codegen.ddl import ENGINES, Charset, Column, ForeignKey, Index, SqlType
from metasnapshot_codegen.history import LayoutState, Shape, ShapeColumn
from metasnapshot_codegen.messages import EnumValue, MessageField
from metasnapshot_codegen.names import constant
from metasnapshot_codegen.registry import Span
from metasnapshot_codegen.rules import Rule
from metasnapshot_codegen.v1 import V1Family, V1Layout, V1Member


def message_field(field: MessageField, states: Sequence[str]) -> str:
    label = (field.label,) if field.label else ()
    keywords = {"oneof": python.literal(field.oneof)} if field.oneof else {}
    keywords |= ends(Span(field.since, field.until), states)
    return python.call("MessageField", (field.number, field.name, field.type, *label), keywords, 8)


def enum_value(value: EnumValue, states: Sequence[str]) -> str:
    keywords = ends(Span(value.since, value.until), states)
    return python.call("EnumValue", (value.number, value.name), keywords, 8)


def shape_column(column: ShapeColumn, span: Span, life: Span, axis: Sequence[str]) -> str:
    type_name = f"types.{constant(column.type.key)}"
    flags = ("pk", "auto_increment", "unique", "nullable")
    parts = [f"{flag}=True" for flag in flags if getattr(column, flag)]
    parts += [f"{name}={end}" for name, end in ends(span, axis, life).items()]
    return python.wrap("Column(", [python.literal(column.name), type_name, *parts], ")", 8)


def column_type(
    arguments: Mapping[str, object], name: str, members: Mapping[str, str], base: str
) -> str:
    """The definition of a column type under a name of its own; an enum's members are those beside
    the members of a base.
    """
    values = dict(arguments)
    parts = [python.literal(values.pop(key)) for key in ("name", "kind")]
    parts += [f"{key}={python.literal(value)}" for key, value in values.items()]
    if not members:
        return python.wrap(f"{name} = ColumnType(", parts, ")", 0).removesuffix(",")
    items = [f"**{base}.members"] if base else []
    items += [f"{python.literal(json)}: {python.literal(db)}" for json, db in members.items()]
    text = python.wrap("members={", items, "}", 4)
    line = f"{name} = ColumnType({', '.join([*parts, text.strip().removesuffix(',')])})"
    if "\n" not in text and len(line) <= python.WIDTH:
        return line
    lines = [f"{name} = ColumnType(", *(f"    {part}," for part in parts), text, ")"]
    return "\n".join(lines)


def state(layout: LayoutState) -> str:
    return python.call("", (layout.name, layout.era, layout.releases), {}, 4)


def lived(words: Sequence[str], span: Span, axis: Sequence[str]) -> str:
    return python.call("Lived", (tuple(words),), ends(span, axis), 4)


def shapes(shapes: Sequence[Shape], model: str, life: Span, axis: Sequence[str]) -> str:
    starts = tuple(shape.since for shape in shapes)
    until = axis[life.until] if life.until < len(axis) - 1 else ""
    return python.call("", (model, starts, until), {}, 4)


def ddl_charset(item: Charset, releases: Sequence[str]) -> str:
    return python.call("DdlCharset", (item.name, item.collation), ends(item.span, releases), 4)


def ddl_type(item: SqlType, releases: Sequence[str]) -> str:
    return python.call("DdlType", (item.name, *item.sql), ends(item.span, releases), 4)


def ddl_column(column: Column, releases: Sequence[str]) -> str:
    flags = ("key", "auto_increment", "not_null", "unique")
    keywords = {flag: "True" for flag in flags if getattr(column, flag)}
    if column.default:
        keywords["default"] = python.literal(column.default)
    if column.engines != ENGINES:
        keywords["engines"] = python.literal(column.engines)
    keywords |= ends(column.span, releases)
    values = (column.name, column.type)
    return python.call("DdlColumn", values, keywords, 12)


def ddl_foreign_key(key: ForeignKey, releases: Sequence[str]) -> str:
    keywords = {"on_delete": python.literal(key.on_delete)} if key.on_delete else {}
    if key.engines != ENGINES:
        keywords["engines"] = python.literal(key.engines)
    keywords |= ends(key.span, releases)
    values = (key.name, key.columns, key.references, key.referenced)
    return python.call("DdlForeignKey", values, keywords, 12)


def ddl_index(index: Index, releases: Sequence[str]) -> str:
    keywords = {flag: "True" for flag in ("unique", "constraint") if getattr(index, flag)}
    if index.engines != ENGINES:
        keywords["engines"] = python.literal(index.engines)
    keywords |= ends(index.span, releases)
    values = (index.name, index.columns)
    return python.call("DdlIndex", values, keywords, 12)


def v1_member(member: V1Member, axis: Sequence[str]) -> str:
    rest = (member.message, member.key)[: bool(member.message) + bool(member.key)]
    values = (member.name, member.form, *rest)
    return python.call("V1Member", values, ends(member.span, axis), 4)


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


def v1_family(family: V1Family, axis: Sequence[str]) -> str:
    values = (family.name, family.member, family.keys)
    return python.call("V1Family", values, ends(family.span, axis), 4)


def v1_state(layout: V1Layout) -> str:
    values = (layout.name, layout.header, layout.eras, layout.releases)
    return python.call("", values, {}, 4)
