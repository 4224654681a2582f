"""What schema/models.yaml must say of a release that it does not have yet (ddl, rules: and what the
files of their names must).

In go what `coverage` found in a meta store of that release and the store's tables; out come the
registry's lines in blocks, each with the place where it goes, so precisely that `pasting` can put
them there. What no database tells has a `# check`, a type with a `?`, or a line at the end.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from metasnapshot.errors import UsageError
from metasnapshot.format.layout import shape_of
from metasnapshot.operations.coverage import Coverage
from metasnapshot.scaffold import rules
from metasnapshot.scaffold.block import Block, word
from metasnapshot.scaffold.ddl import DdlScaffold
from metasnapshot.scaffold.declarations import Field, Table, family, suggest
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Column, Layout
from metasnapshot_models.layouts import LAYOUTS, RELEASES

RELEASE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*")
HEAD = """\
# schema/models.yaml: RisingWave {release}, compared with layout {layout}.
# `KEY: after X`: what follows goes into KEY, after the line (in models: the block) of X that
# {layout} has. `KEY: X gets`: that line of X gets this, instead of its own if it has one.
# `check`: what no database tells; a type with `?` is a guess, which `make gen` refuses until
# somebody looked it up and took the `?` away. Then `metasnapshot coverage` exits 0."""
BY_HAND = """\
# By hand, out of RisingWave's src/meta/model and src/storage/backup, for no database shows it:
# - an enum's new member, at the enum's end: - {{json: Name, db: NAME, {life}}}
# - the order of sections and of columns in a row, and which columns are nullable there
# - a table that snapshots leave out: a line with the reason under excluded, and no section
# - protobuf messages that changed: schema/messages.yaml, and their state as the layout's era"""


def check_release(release: str) -> None:
    """Refuse what cannot be the name of a new release.

    Raises:
        UsageError: it is no name, or the registry has it.
    """
    if not RELEASE.fullmatch(release):
        raise UsageError(f"not a release: {release!r:.60}", hint="--scaffold 9.9.0")
    if re.match(r"v\d", release):
        raise UsageError(
            f"not a release as the registry writes it: {release}", hint=f"--scaffold {release[1:]}"
        )
    if release in RELEASES or release in LAYOUTS:
        layout = RELEASES[release].layout if release in RELEASES else release
        raise UsageError(
            f"the registry has {release} already, in layout {layout}",
            hint="coverage without --scaffold says whether the meta store fits its layout",
        )


@dataclass(frozen=True)
class Scaffold:
    """What makes a release known.

    Attributes:
        release: its name.
        layout: the one that it was compared with.
        blocks: lines for the files of schema/, with their places.
        text: all of it, for an author to read: what no database shows stands there too.
        by_hand: that part alone.
    """

    release: str
    layout: str
    blocks: tuple[Block, ...]
    text: tuple[str, ...]
    by_hand: tuple[str, ...]


def scaffold(release: str, found: Coverage, tables: dict[str, Table], engine: str) -> Scaffold:
    """The lines for schema/ that make the release of a meta store known.

    Args:
        release: its name, as the registry writes names.
        found: what coverage says of the store.
        tables: the store's tables.
        engine: the store's, as ddl.yaml names it.

    Raises:
        UsageError: the release is not written as one, or is known already.
    """
    check_release(release)
    made = _Scaffold(release, found, tables)
    before = made.layout.releases[-1]
    ddl = DdlScaffold(release, before, tables, engine)
    parts = (
        list(made.blocks()),
        list(ddl.blocks(made.new_tables())),
        list(rules.blocks(release, before)),
    )
    by_hand = [*made.by_hand(), "", *rules.head(release, before, made.life)]
    text = HEAD.format(release=release, layout=found.layout).splitlines()
    text += [line for block in parts[0] for line in block.text]
    text += ["", *by_hand, *(line for block in parts[2] for line in block.text)]
    text += ["", *ddl.head()] if parts[1] else []
    text += [line for block in parts[1] for line in block.text]
    blocks = tuple(block for part in parts for block in part)
    return Scaffold(release, found.layout, blocks, tuple(text), tuple(by_hand))


class _Scaffold:
    """Knows the new release, the layout nearest to it, and the one that follows in the registry."""

    def __init__(self, release: str, found: Coverage, tables: dict[str, Table]) -> None:
        self.release = release
        self.layout = LAYOUTS[found.layout]
        self.found = found
        self.tables = tables
        self.models = {CODECS[model].table: model for model in self.layout.shapes}
        later = list(LAYOUTS)[list(LAYOUTS).index(found.layout) + 1 :]
        self.following = LAYOUTS[later[0]] if later else None
        self.life = f"since: {release}" + (f", until: {release}" if later else "")
        self.is_layout = bool(found.unknown or found.missing)

    def blocks(self) -> Iterator[Block]:
        """All of them, roughly in the order of the registry's keys."""
        if self.is_layout:
            yield Block(f"layouts: after {self.layout.name}", (self._layout_line(),))
        else:
            last = self.layout.releases[-1]
            yield Block(f"layouts.{self.layout.name}.releases: after {last}", (self.release,))
        new = self.found.candidates.unknown
        lines = tuple(f"- {{migration: {word(name)}, {self.life}}}" for name in new)
        if lines:
            yield Block("migrations: at the end", lines)
        yield from self._new_tables()
        yield from self._new_columns()
        yield from self._gone()
        yield from self._prolonged()

    def by_hand(self) -> Iterator[str]:
        """What the author looks up in RisingWave's source."""
        yield from BY_HAND.format(life=self.life).splitlines()
        if not self.is_layout:
            yield f"# Did any of this change, it is a layout of its own: {self._layout_line()}"
        if self.following:
            yield f"# It stands before {self.following.name}: what came or went there did not here."

    def _layout_line(self) -> str:
        release = self.release
        return f"- {{layout: {release}, era: {self.layout.era}, releases: [{release}]}}"

    def new_tables(self) -> list[str]:
        """Tables that the registry does not have, in an order in which they can be made."""
        names = [item.table for item in self.found.unknown if not item.column]
        return _by_reference(names, self.tables)

    def _new_tables(self) -> Iterator[Block]:
        tables = self.new_tables()
        if not tables:
            return
        section, model = self.layout.sections[-1]
        sections = [
            f"- {{section: {_section_name(table)}, model: {_model_name(table)}, {self.life}}}"
            "  # check: its name"
            for table in tables
        ]
        yield Block(f"sections: after {section}", tuple(sections))
        yield Block("load_order: at the end", tuple(f"- {_section_name(name)}" for name in tables))
        lines: list[str] = []
        for table in tables:
            lines += [f"  {_model_name(table)}:", f"    table: {word(table)}"]
            lines += [f"    {part}" for part in self.life.split(", ")]
            lines += ["    columns:"]
            lines += [self._column(table, field, "") for field in self.tables[table].columns]
        yield Block(f"models: after {model}", tuple(lines))

    def _new_columns(self) -> Iterator[Block]:
        new = [(item.table, item.column) for item in self.found.unknown if item.column]
        for table in dict.fromkeys(table for table, _ in new):
            model = self.models[table]
            known = [column.name for column in shape_of(self.layout, model).columns]
            fields = self.tables[table].columns
            last = max((at for at, field in enumerate(fields) if field.name in known), default=-1)
            places: dict[str, list[str]] = {}
            before = ""
            for at, field in enumerate(fields):
                if field.name in known:
                    before = field.name
                elif (table, field.name) in new:
                    # What a migration added stands last in the table; most often in the row too.
                    place = known[-1] if at > last else before
                    places.setdefault(place, []).append(self._column(table, field, self.life))
            for place, lines in places.items():
                where = f"after {place}" if place else "first"
                yield Block(f"models.{model}.columns: {where}", tuple(lines))

    def _gone(self) -> Iterator[Block]:
        """What the layout has and the store has not."""
        life = [f"until: {self.layout.name}"]
        if self.following:
            life += [f"# check: if {self.following.name} has it, a second line with since"]
        for item in self.found.missing:
            model = self.models[item.table]
            places = [f"models.{model}.columns: {item.column}"]
            if not item.column:
                places = [
                    f"sections: {name}" for name, held in self.layout.sections if held == model
                ]
                places += [f"models: {model}"]
            yield from (Block(f"{place} gets", tuple(life)) for place in places)

    def _prolonged(self) -> Iterator[Block]:
        """What ended with the layout and is still there; only before another layout."""
        if self.following is None:
            return
        life = (f"until: {self.release}",)
        last, first = RELEASES[self.layout.releases[-1]], RELEASES[self.following.releases[0]]
        for name in sorted(last.migrations - first.migrations):
            yield Block(f"migrations: {name} gets", life)
        if not self.is_layout:
            return
        gone = {item.name for item in self.found.missing}
        for place, table, column in _ended(self.layout, self.following):
            if table in self.tables and not gone & {table, f"{table}.{column}"}:
                yield Block(f"{place} gets", life)

    def _column(self, table: str, field: Field, life: str) -> str:
        name, check = self._type(table, field)
        flags = ("pk", "auto_increment", "unique", "nullable")
        parts = [f"name: {word(field.name)}", f"type: {name}{'?' if check else ''}"]
        parts += [f"{flag}: true" for flag in flags if getattr(field, flag)]
        parts += [life] if life else []
        return f"    - {{{', '.join(parts)}}}" + (f"  # check: {check}" if check else "")

    def _type(self, table: str, field: Field) -> tuple[str, str]:
        """The type of a column, and what to check of it.

        It is taken to be of the type that it had in this table before, or that most columns of its
        name have.
        """
        guess, check = suggest(field.sql_type)

        def fits(column: Column) -> bool:
            return column.name == field.name and family(column.type) == guess

        shapes = CODECS[self.models[table]].shapes.values() if table in self.models else ()
        for shape in reversed(shapes):
            for column in filter(fits, shape.columns):
                return column.type.name, ""
        same = [
            (column.type.name, model)
            for model in self.layout.shapes
            for column in filter(fits, shape_of(self.layout, model).columns)
        ]
        names = Counter(name for name, _ in same)
        for name, count in names.most_common(1):
            if 2 * count > names.total():
                model = next(model for found, model in same if found == name)
                return name, "" if name == guess else f"as in {model}"
        is_id = guess == "i32" and field.name.endswith("id")
        return guess, "an id? then its type" if is_id else check


def _ended(layout: Layout, following: Layout) -> Iterator[tuple[str, str, str]]:
    """Places of the registry's lines that end with a layout, each with its table and column."""
    for section, model in layout.sections:
        if (section, model) not in following.sections:
            yield f"sections: {section}", CODECS[model].table, ""
    for model in layout.shapes:
        if model not in following.shapes:
            yield f"models: {model}", CODECS[model].table, ""
            continue
        kept = {(item.name, item.type.name) for item in shape_of(following, model).columns}
        for column in shape_of(layout, model).columns:
            if (column.name, column.type.name) not in kept:
                yield f"models.{model}.columns: {column.name}", CODECS[model].table, column.name
    for table, reason in layout.excluded_tables.items():
        if following.excluded_tables.get(table) != reason:
            yield f"excluded.tables: {table}", table, ""


def _by_reference(names: list[str], tables: dict[str, Table]) -> list[str]:
    """The same tables, each after those that its foreign keys name, if there is such an order."""
    graph = {name: sorted(tables[name].refers_to & set(names) - {name}) for name in names}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        return names


def _model_name(table: str) -> str:
    """The table's, unless an earlier model has it: a model has one life."""
    name = re.sub(r"\W", "_", table)
    while name in CODECS:
        name += "_again"
    return name


def _section_name(table: str) -> str:
    """The plural, as most fields of RisingWave's MetadataV2 have it."""
    name = re.sub(r"\W", "_", table)
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    if re.search(r"(ss|x|ch|sh)$", name):
        return f"{name}es"
    return name if name.endswith("s") else f"{name}s"
