"""frozen.txt: one readable line per type, enum, shape, release, layout, DDL, V1 layout, era of
messages and turn of a rule that was released, each with its digest.

A line is `kind key digest body`. Lines are only ever appended: what a release shipped never
changes. A registry is compared with it layout by layout, section by section, column by column, so
that a change is named as its author would name it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import xxhash

from metasnapshot_codegen.history import History, LayoutState, ShapeColumn, TypeRef

Frozen = dict[tuple[str, str], str]
"""Bodies of lines by kind and key."""
ERA, RULE = "era", "rule"
RENAMED = ("shape", "type")
"""Kinds whose keys name the first layout that has them."""


@dataclass(frozen=True)
class Change:
    """One way in which a registry differs from what is frozen, in words."""

    text: str


def lines(history: History) -> list[str]:
    """Every line of a history, oldest layout first."""
    found: dict[tuple[str, str], str] = {}
    for layout in history.layouts:
        for shape in layout.shapes.values():
            for column in shape.columns:
                if column.type.since:
                    found.setdefault(_type_line(column.type), "")
            key = ("shape", shape.key)
            found[key] = " ".join(_column_text(column) for column in shape.columns)
        for name, key, body in (*_layout_lines(layout, history), *_ddl_lines(layout, history)):
            found[name, key] = body
    found |= {("v1", name): body for name, body in history.v1.items()}
    found |= {("v1_also", name): body for name, body in history.v1_also.items()}
    for era, packages in history.eras.items():
        found[ERA, era] = "; ".join(f"{package}={word}" for package, word in packages.items())
    for rule, switches in history.rules.items():
        found |= {(RULE, f"{rule}@{release}"): state for release, state in switches.items()}
    found |= {("prefix", service): prefixed for service, prefixed in history.prefixes.items()}
    return [_line(kind, key, body) for (kind, key), body in _with_types(found, history)]


def parse(text: str, name: str) -> tuple[Frozen, list[Change]]:
    """Read frozen.txt; a line whose digest does not fit its text was edited by hand: a change."""
    frozen: Frozen = {}
    changes: list[Change] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        kind, key, digest, body = (*line.split(" ", 3), "", "", "")[:4]
        if digest != _digest(kind, key, body):
            changes.append(Change(f"{name}:{number}: the line of {kind} {key} was edited by hand"))
        frozen[kind, key] = body
    return frozen, changes


def changes(frozen: Frozen, history: History) -> list[Change]:
    """What of the frozen lines a history no longer says the same way."""
    now, _ = parse("\n".join(lines(history)), "now")
    found = [change for key in frozen if key[0] == "layout" for change in _layout(key, frozen, now)]
    later = [*_eras(frozen, now), *_rules(frozen, history)]
    # A changed column shows in the lines of its type and shape as well: the layouts name it best.
    told = ("layout", "shape", "type") if found else ("layout",)
    for (kind, key), body in frozen.items():
        if kind in RENAMED and (kind, key) not in now:
            continue  # a layout that came in between is the first to have it; the layouts tell
        if kind not in (*told, ERA, RULE) and now.get((kind, key)) != body:
            what = "is gone" if (kind, key) not in now else "differs"
            found.append(
                Change(f"{kind} {key} {what}: frozen `{body}`, now `{now.get((kind, key), '')}`")
            )
    return found + later


def unfrozen(frozen: Frozen, history: History) -> list[str]:
    """Lines of a history that frozen.txt does not have yet."""
    known = set(frozen)
    return [line for line in lines(history) if tuple(line.split(" ", 2)[:2]) not in known]


def rewritten(before: str, after: str) -> list[Change]:
    """Lines of an earlier frozen.txt that a later one changed, moved or dropped."""
    kept = after.splitlines()
    found: list[Change] = []
    for number, line in enumerate(before.splitlines()):
        if number >= len(kept) or kept[number] != line:
            kind_and_key = " ".join(line.split(" ", 2)[:2])
            found.append(Change(f"line {number + 1} ({kind_and_key}) changed or vanished"))
    return found


def _layout(name: tuple[str, str], frozen: Frozen, now: Frozen) -> Iterator[Change]:
    if name not in now:
        yield Change(f"layout `{name[1]}` is frozen and gone")
        return
    before, after = _words(frozen[name]), _words(now[name])
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        where = f"layout `{name[1]}`, {key}"
        if old is None or new is None:
            yield Change(f"{where}: frozen {_or_none(old)}, now {_or_none(new)}")
        elif "@" in old and "@" in new:
            yield from _columns(where, old, new, frozen, now)
        elif old != new:
            yield Change(f"{where}: frozen `{old}`, now `{new}`")
    order = [key for key in before if key.startswith("section ")]
    if order != [key for key in after if key.startswith("section ")] and set(before) == set(after):
        yield Change(f"layout `{name[1]}`: the order of its sections changed")


def _columns(where: str, old: str, new: str, frozen: Frozen, now: Frozen) -> Iterator[Change]:
    before = _shape(old, frozen)
    after = _shape(new, now)
    for column in [*before, *(column for column in after if column not in before)]:
        if before.get(column) != after.get(column):
            yield Change(
                f"{where}, column `{column}`: frozen {_or_none(before.get(column))}, "
                f"now {_or_none(after.get(column))}"
            )
    if list(before) != list(after) and set(before) == set(after):
        yield Change(f"{where}: the order of its columns changed")


def _eras(frozen: Frozen, now: Frozen) -> Iterator[Change]:
    """Messages that changed: each package once, with the first era that tells."""
    told: set[str] = set()
    for key in [key for key in frozen if key[0] == ERA]:
        if key not in now:
            yield Change(f"era `{key[1]}` is frozen and gone")
            continue
        before, after = _words(frozen[key]), _words(now[key])
        for package in sorted(before.keys() | after.keys()):
            old, new = before.get(package), after.get(package)
            if old != new and package not in told:
                told.add(package)
                where = f"era `{key[1]}`, messages of {package}"
                yield Change(f"{where}: frozen {_or_none(old)}, now {_or_none(new)}")


def _rules(frozen: Frozen, history: History) -> Iterator[Change]:
    """Rules that released releases had otherwise; a line may end or begin between two of them."""
    turns: dict[str, dict[str, str]] = {}
    for kind, key in frozen:
        if kind == RULE:
            name, _, release = key.partition("@")
            turns.setdefault(name, {})[release] = frozen[kind, key]
    released = [name for name in history.migrations if ("release", name) in frozen]
    for name, states in turns.items():
        before, after = "", ""
        for release in history.migrations:
            before = states.get(release, before)
            after = history.rules.get(name, {}).get(release, after)
            if release in released and before != after:
                yield Change(f"rule `{name}` of {release}: frozen `{before}`, now `{after}`")
                break


def _shape(key: str, known: Frozen) -> dict[str, str]:
    """Column name -> its type spelled out, flags included."""
    columns: dict[str, str] = {}
    for word in known.get(("shape", key), "").split():
        name, _, rest = word.partition(":")
        type_key, *flags = rest.split("!")
        body = known.get(("type", type_key), type_key)
        columns[name] = "!".join([f"{type_key.partition('@')[0]}({body})", *flags])
    return columns


def _words(body: str) -> dict[str, str]:
    """`section sinks=sink@2.8.0; table …` -> pairs."""
    pairs = (part.partition("=") for part in body.split("; "))
    return {name: value for name, _, value in pairs}


def _layout_lines(layout: LayoutState, history: History) -> Iterator[tuple[str, str, str]]:
    in_section = {model for _, model in layout.sections}
    words = [f"hummock_version={layout.form}", f"era={layout.era}"]
    words += [f"table {name}={layout.tables[name]}" for name in layout.shapes]
    words += [f"section {name}={layout.shapes[model].key}" for name, model in layout.sections]
    words += [
        f"outside {name}={shape.key}"
        for name, shape in layout.shapes.items()
        if name not in in_section
    ]
    words += [f"excluded {name}={reason}" for name, reason in layout.excluded_tables.items()]
    words += [
        f"excluded {table}.{column}={reason}"
        for (table, column), reason in layout.excluded_columns.items()
    ]
    yield "layout", layout.name, "; ".join(words)
    for release in layout.releases:
        migrations = history.migrations[release]
        digest = xxhash.xxh64_hexdigest("\n".join(sorted(migrations)).encode())
        yield "release", release, f"layout={layout.name}; migrations={len(migrations)}:{digest}"


def _ddl_lines(layout: LayoutState, history: History) -> Iterator[tuple[str, str, str]]:
    for release in layout.releases:
        if words := history.ddl.get(release):
            digest = xxhash.xxh64_hexdigest("\n".join(words).encode())
            yield "ddl", release, f"lines={len(words)}:{digest}"


def _with_types(found: Frozen, history: History) -> Iterator[tuple[tuple[str, str], str]]:
    bodies = {
        _type_line(column.type): _type_body(column.type)
        for layout in history.layouts
        for shape in layout.shapes.values()
        for column in shape.columns
    }
    for key, body in found.items():
        yield key, bodies.get(key, body)


def _type_line(type_ref: TypeRef) -> tuple[str, str]:
    return "type", type_ref.key


def _type_body(type_ref: TypeRef) -> str:
    members = [f"{json}={db}" for json, db in type_ref.members]
    return "/".join([type_ref.kind, *type_ref.detail, *members])


def _column_text(column: ShapeColumn) -> str:
    flags = [
        flag for flag in ("pk", "auto_increment", "unique", "nullable") if getattr(column, flag)
    ]
    return "!".join([f"{column.name}:{column.type.key}", *flags])


def _line(kind: str, key: str, body: str) -> str:
    return f"{kind} {key} {_digest(kind, key, body)} {body}"


def _digest(kind: str, key: str, body: str) -> str:
    return xxhash.xxh64_hexdigest(f"{kind} {key} {body}".encode())


def _or_none(text: str | None) -> str:
    return "nothing" if text is None else f"`{text}`"
