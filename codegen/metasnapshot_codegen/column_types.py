"""History -> the definitions of column types, each state of a type as what it has beside the state
before.
"""

from __future__ import annotations

from dataclasses import dataclass

from metasnapshot_codegen import jsontype
from metasnapshot_codegen.history import History, TypeRef
from metasnapshot_codegen.names import constant


@dataclass(frozen=True)
class TypeView:
    """A column type in one state; an enum's members are those beside the members of `base`."""

    constant: str
    arguments: dict[str, object]
    members: dict[str, str]
    base: str


def views(history: History) -> list[TypeView]:
    """The column types by name, states of a type in their order."""
    found = {
        column.type.key: column.type
        for layout in reversed(history.layouts)
        for shape in layout.shapes.values()
        for column in shape.columns
    }
    axis = ["", *(layout.name for layout in history.layouts)]
    types = sorted(found.values(), key=lambda item: (constant(item.name), axis.index(item.since)))
    views: list[TypeView] = []
    for before, state in zip([None, *types], types, strict=False):
        is_next = before is not None and before.name == state.name
        views.append(_view(state, before if is_next else None))
    return views


def _view(state: TypeRef, before: TypeRef | None) -> TypeView:
    """An enum that begins with all members of its state before says only the others."""
    arguments: dict[str, object] = {"name": state.name, "kind": state.kind}
    members, base = state.members, ""
    if state.kind == "integer":
        arguments["integer"] = state.detail[0]
    elif state.kind == "json":
        arguments["json"] = jsontype.parse(state.detail[0])
    elif state.kind == "message":
        arguments["message"], arguments["wrapper"] = state.detail
    elif before is not None and members[: len(before.members)] == before.members != ():
        members, base = members[len(before.members) :], constant(before.key)
    return TypeView(constant(state.key), arguments, dict(members), base)
