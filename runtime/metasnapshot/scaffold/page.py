"""A file of the registry as lines: where each item stands, when it lives, and what is to be added.

It reads the form in which these files are written, an item a line, and keeps every byte that it
does not have to change: comments, order and spacing are the author's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from metasnapshot.errors import UsageError

ITEM = re.compile(r'( *- \{)((?:[^"}]|"(?:[^"\\]|\\.)*")*)(\}.*)')
PAIR = re.compile(r'(\w+): ("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^,\[]+)')
SCALAR = re.compile(r"- (\S+)")
KEY = re.compile(r"( *)(?:- table: (.+)|([\w]+):)")
OF_HEAD = re.compile(r" +(?:table|since|until): ")
LIFE = re.compile(r" +(since|until): (\S+)")


@dataclass
class Item:
    """A line that names something: a column, a section, a table; with its lifespan."""

    path: str
    name: str
    at: int
    fields: dict[str, str] = field(default_factory=dict[str, str])
    is_head: bool = False

    def is_alive(self, axis: Sequence[str], name: str) -> bool:
        """Whether it lives at a name of an axis; an end that is not there is open."""
        since, until = self.fields.get("since", axis[0]), self.fields.get("until", axis[-1])
        return axis.index(since) <= axis.index(name) <= axis.index(until)


class Page:
    """The lines of one file, and what is added after them."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = text.split("\n")
        self.items = list(_items(self.lines))
        self._added: dict[int, list[str]] = {}
        self._new: set[int] = set()

    def text(self) -> str:
        """The file as it is to be."""
        return "\n".join(line for line, _ in self._result())

    def touched(self) -> list[tuple[int, str]]:
        """Numbers and text of the lines that are new or changed."""
        return [(number, line) for number, (line, is_new) in enumerate(self._result(), 1) if is_new]

    def of(self, path: str, name: str = "") -> list[Item]:
        """The items of a list, or those of one name in it.

        Raises:
            UsageError: there is none.
        """
        found = [item for item in self.items if item.path == path and name in ("", item.name)]
        if not found:
            raise UsageError(
                f"{self.name} has no {path}{f': {name}' if name else ''}",
                hint="take the schema/ of the checkout that metasnapshot is installed from",
            )
        return found

    def has(self, path: str) -> bool:
        """Whether there is such a list."""
        return any(item.path == path for item in self.items)

    def end_of(self, path: str) -> int:
        """The last line of a list, or of a block of lists."""
        inside = [item.at for item in self.items if f"{item.path}.".startswith(f"{path}.")]
        return max(inside or [item.at for item in self.of(path)])

    def insert(self, after: int, lines: Sequence[str]) -> None:
        """Add lines after one."""
        self._added.setdefault(after, []).extend(lines)

    def change(self, at: int, line: str) -> None:
        """Write a line anew."""
        self.lines[at] = line
        self._new.add(at)

    def set_life(self, item: Item, life: str) -> None:
        """`until: X`, or `since: X`, for an item, instead of its own."""
        key = life.partition(":")[0]
        if item.is_head:
            last = item.at
            while OF_HEAD.match(self.lines[last + 1]):
                last += 1
            own = [at for at in range(item.at, last + 1) if f" {key}: " in self.lines[at]]
            text = " " * (2 + len(self.lines[item.at]) - len(self.lines[item.at].lstrip())) + life
            if own:
                self.change(own[0], text)
            else:
                self.insert(last, [text])
            return
        match = ITEM.fullmatch(self.lines[item.at])
        assert match is not None, "items with a life are read by this form"
        body = re.sub(rf", {key}: [^,]+", "", match[2])
        self.change(item.at, f"{match[1]}{body}, {life}{match[3]}")

    def _result(self) -> list[tuple[str, bool]]:
        found = [(line, True) for line in self._added.get(-1, ())]
        for at, line in enumerate(self.lines):
            found.append((line, at in self._new))
            found += [(added, True) for added in self._added.get(at, ())]
        return found


def _items(lines: Sequence[str]) -> list[Item]:
    """What the lines name. A path is made of the keys above: `sections`, `models.sink.columns`,
    `tables.sink.foreign_keys`.
    """
    found: list[Item] = []
    keys: list[str] = []
    for at, line in enumerate(lines):
        if item := ITEM.fullmatch(line):
            fields = {key: _plain(text) for key, text in PAIR.findall(item[2])}
            found.append(Item(".".join(keys), next(iter(fields.values()), ""), at, fields))
        elif key := KEY.fullmatch(line):
            indent, table, name = key.groups()
            depth = 1 if table else len(indent) // 2
            # ddl.yaml's tables are a list: what a table has stands one step further in.
            depth += keys[:1] == ["tables"] and not table and depth > 0
            keys = [*keys[:depth], _plain(table or name)]
            if table or (keys[:1] == ["models"] and depth == 1):
                found.append(Item(keys[0], keys[1], at, is_head=True))
        elif scalar := SCALAR.fullmatch(line):
            found.append(Item(".".join(keys), _plain(scalar[1]), at))
        elif life := LIFE.fullmatch(line):
            found[-1].fields[life[1]] = life[2]
    return found


def _plain(text: str) -> str:
    return str(json.loads(text)) if text.startswith('"') else text.strip()
