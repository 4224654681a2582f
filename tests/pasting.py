"""What an author does with the output of `metasnapshot coverage --scaffold`: paste each block where
its comment says. Nothing here knows more than the comments and the registry. And a meta store to
begin with: of the newest release that there is, so that a made-up one comes after all others."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import goldens

from metasnapshot_codegen import parse
from metasnapshot_codegen.registry import Column, Named, Registry
from metasnapshot_models.layouts import LAYOUTS

LAST = list(LAYOUTS.values())[-1]
"""The newest layout."""
NEWEST = next(
    path
    for release in LAST.releases
    for path in (goldens.SHIPPED / release, goldens.SHIPPED / f"v{release}")
    if path.is_dir()
)
"""Its golden folder; a release comes with one."""


def make_store(path: Path, tag: Path, script: str = "") -> None:
    """A meta store with the schema and migrations of a golden release, empty, after some SQL."""
    with sqlite3.connect(path) as connection:
        connection.executescript((tag / "schema.sqlite.sql").read_text())
        rows = [(name, 1) for name in (tag / "migrations.txt").read_text().split()]
        connection.executemany("INSERT INTO seaql_migrations VALUES (?, ?)", rows)
        connection.executescript(script)
    connection.close()


def paste(scaffold: Sequence[str], models: Path) -> None:
    """Put the lines of a scaffold into a models.yaml, and the ddl.yaml beside it."""
    compared = re.search(r"compared with layout (\S+)\.", scaffold[0])
    assert compared is not None
    page = _Page(parse.read(models), models.read_text().splitlines(), compared[1])
    for place, lines in _blocks(scaffold):
        key, _, where = place.partition(": ")
        if key.startswith("ddl."):
            _paste_ddl(models.with_name("ddl.yaml"), key.removeprefix("ddl."), where, lines)
        elif where.endswith(" gets"):
            page.set(key, where.removesuffix(" gets"), lines)
        elif key.endswith(".releases"):
            page.add_release(key.removeprefix("layouts.").removesuffix(".releases"), lines)
        else:
            page.insert(page.line_before(key, where), lines)
    models.write_text("\n".join(page.result()) + "\n")


def _paste_ddl(path: Path, key: str, where: str, lines: Sequence[str]) -> None:
    """Put a block into ddl.yaml."""
    text = path.read_text()
    if (key, where) == ("tables", "at the end"):
        path.write_text(text + "".join(f"{line}\n" for line in lines))
        return
    _, table, part = f"{key}..".split(".")[:3]
    start, end = 0, len(text)
    if part:
        start = text.index(f"- table: {table}\n")
        end = text.find("- table: ", start + 1) if "- table: " in text[start + 1 :] else len(text)
    block = text[start:end]
    if where == "at the end":
        items = list(re.finditer(r"  - \{column: .*\n", block))
        at = items[-1].end()
        block = block[:at] + "".join(f"{line}\n" for line in lines) + block[at:]
    else:
        block = _with_life(block, where.removesuffix(" gets"), lines[0])
    path.write_text(text[:start] + block + text[end:])


def _with_life(block: str, name: str, life: str) -> str:
    """`until: X` for the lines of a name, instead of their own; of those that live last."""
    if re.search(rf"^- table: {name}\n", block, re.MULTILINE):
        head = re.search(
            rf"^- table: {name}\n(  since: .*\n)?(  until: .*\n)?", block, re.MULTILINE
        )
        assert head is not None
        new = f"- table: {name}\n{head[1] or ''}  {life}\n"
        return block[: head.start()] + new + block[head.end() :]
    key = r"(?:column|name|type|charset)"
    (*_, line) = re.findall(rf"^ *- \{{{key}: {name},.*$", block, re.MULTILINE)
    new = re.sub(r", until: [^,}]+", "", line).replace("}", f", {life}}}")
    return block.replace(line, new)


def _blocks(scaffold: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Place and lines of each block; remarks, which have no lines below them, are none."""
    for part in "\n".join(scaffold).split("\n\n"):
        head, *lines = part.splitlines()
        lines = [line for line in lines if not line.startswith("#")]
        if lines:
            yield head.removeprefix("# "), lines


class _Page:
    """The lines of models.yaml, numbered from 1 as the registry's places are, and what is to be
    added after them."""

    def __init__(self, registry: Registry, lines: list[str], layout: str) -> None:
        self.registry = registry
        self.lines = lines
        self.added: dict[int, list[str]] = {}
        names = [item.name for item in registry.layouts]
        self.index = names.index(layout)
        self.release = registry.releases.index(registry.layouts[self.index].releases[-1])

    def result(self) -> list[str]:
        return [
            text
            for number, line in enumerate(self.lines, 1)
            for text in (line, *self.added.get(number, ()))
        ]

    def insert(self, number: int, lines: Sequence[str]) -> None:
        self.added.setdefault(number, []).extend(lines)

    def add_release(self, layout: str, lines: Sequence[str]) -> None:
        number = next(item.place.line for item in self.registry.layouts if item.name == layout)
        line = self.lines[number - 1]
        self.lines[number - 1] = line.replace("]", f", {', '.join(lines)}]")

    def set(self, key: str, name: str, lines: Sequence[str]) -> None:
        """`since: X` or `until: X` for one line, instead of its own."""
        if key == "models":
            first = self.registry.models[name].place.line  # its table
            own = [at for at in (first, first + 1) if self.lines[at].startswith("    until:")]
            for at in own:
                self.lines[at] = f"    {lines[0]}"
            if not own:
                self.insert(first, [f"    {line}" for line in lines])
            return
        number = self._line(key, name)
        line = re.sub(rf", {lines[0].partition(':')[0]}: [^,}}]+", "", self.lines[number - 1])
        self.lines[number - 1] = line.replace("}", f", {', '.join(lines)}}}")

    def line_before(self, key: str, where: str) -> int:
        """The line after which a block goes."""
        if where == "at the end":
            items = {
                "migrations": [item.place.line for item in self.registry.migrations],
                "load_order": [value.line for value in self.registry.load_order],
            }
            return max(items[key])
        if where == "first":
            return min(column.place.line for column in self._columns(key)) - 1
        name = where.removeprefix("after ")
        if key == "layouts":
            return self.registry.layouts[self.index].place.line
        if key == "models":
            return max(column.place.line for column in self.registry.models[name].columns)
        return self._line(key, name)

    def _line(self, key: str, name: str) -> int:
        """The line of a name, of those with that name the one that the layout has."""
        index = self.release if key == "migrations" else self.index
        (found,) = [
            item.place.line for item in self._items(key) if item.name == name and index in item.span
        ]
        return found

    def _items(self, key: str) -> Sequence[Named | Column]:
        named = {
            "migrations": self.registry.migrations,
            "sections": self.registry.sections,
            "excluded.tables": self.registry.excluded_tables,
        }
        return named[key] if key in named else self._columns(key)

    def _columns(self, key: str) -> Sequence[Column]:
        match = re.fullmatch(r"models\.(\w+)\.columns", key)
        assert match is not None, key
        return self.registry.models[match[1]].columns
