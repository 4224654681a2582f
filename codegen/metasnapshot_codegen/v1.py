"""v1.yaml -> plain data: the members of V1 snapshots by layout, and where a restore puts them. A
package that reads no V1 snapshots does without the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from metasnapshot_codegen import source
from metasnapshot_codegen.messages import Messages
from metasnapshot_codegen.registry import Span
from metasnapshot_codegen.source import Collector, Problem, Value
from metasnapshot_codegen.spans import LIFE, read_span

HEADERS = ("id", "version_id")
FORMS = ("pairs", "message", "messages", "text")
KEYS = {
    "own": "pairs",
    "field": "messages",
    "zero": "message",
    "names": "message",
    "fixed": "text",
}
"""Kinds of keys in etcd, each with the form of the member that has them."""
T = TypeVar("T")


@dataclass(frozen=True)
class V1Layout:
    """`eras` are all states of the messages that its files can hold, oldest first."""

    name: str
    era: str
    header: str
    releases: tuple[str, ...]
    place: Value
    eras: tuple[str, ...] = ()


@dataclass(frozen=True)
class V1Member:
    name: str
    form: str
    message: str
    key: str
    span: Span
    place: Value


@dataclass(frozen=True)
class V1Family:
    name: str
    member: str
    keys: str
    span: Span
    place: Value


@dataclass
class V1:
    """All of v1.yaml."""

    layouts: list[V1Layout]
    members: list[V1Member] = field(default_factory=list[V1Member])
    families: list[V1Family] = field(default_factory=list[V1Family])
    also: list[V1Family] = field(default_factory=list[V1Family])

    @property
    def axis(self) -> list[str]:
        """Names of the layouts."""
        return [layout.name for layout in self.layouts]

    def members_of(self, index: int) -> list[V1Member]:
        """The members of a layout in the order of its files."""
        return [member for member in self.members if index in member.span]

    def families_of(self, index: int) -> list[V1Family]:
        """The families of a layout in the order of its restore."""
        return [family for family in self.families if index in family.span]

    def also_of(self, index: int) -> list[V1Family]:
        """The families that the restore of a layout writes last, of what is kept elsewhere."""
        return [family for family in self.also if index in family.span]

    def also_words(self, index: int) -> str:
        """These, for frozen.txt; empty where there are none."""
        found = self.also_of(index)
        return "; ".join(f"family {item.name}={item.member}/{item.keys}" for item in found)

    def words(self, index: int) -> str:
        """Everything of a layout, for frozen.txt."""
        layout = self.layouts[index]
        words = [f"header={layout.header}", f"era={layout.era}"]
        words.append(f"releases={','.join(layout.releases)}")
        for member in self.members_of(index):
            rest = "/".join(part for part in (member.form, member.message, member.key) if part)
            words.append(f"member {member.name}={rest}")
        families = self.families_of(index)
        words += [f"family {item.name}={item.member}/{item.keys}" for item in families]
        return "; ".join(words)


def read(path: Path, messages: Messages) -> V1 | None:
    """Read v1.yaml and check it against the messages; None if there is no such file.

    Raises:
        SchemaError: with every mistake found.
    """
    if not path.exists():
        return None
    top = source.load(path).record(["layouts", "members", "families"], ["also"])
    reader = _Reader(top, messages)
    reader.collector.problems += _problems(reader.found, messages)
    reader.collector.raise_any()
    return reader.found


class _Reader:
    """Reads part after part; what fails leaves its problems in the collector."""

    def __init__(self, top: dict[str, Value], messages: Messages) -> None:
        self.collector = Collector()
        self.found = V1([])
        states = messages.states
        layouts = self._each(top["layouts"], lambda value: _layout(value, states))
        if not layouts:
            self.collector.problems.append(top["layouts"].problem("found no layout, expected one"))
        self.collector.raise_any()  # without layouts no lifespan can be read
        ends = [states.index(layout.era) for layout in layouts[1:]] + [len(states)]
        self.found.layouts = [
            _with_eras(layout, states, end) for layout, end in zip(layouts, ends, strict=True)
        ]
        self.axis = [layout.name for layout in layouts]
        self.found.members = self._each(top["members"], self._member)
        self.found.families = self._each(top["families"], self._family)
        if "also" in top:
            self.found.also = self._each(top["also"], self._family)
        self.collector.raise_any()

    def _each(self, values: Value, read_one: Callable[[Value], T]) -> list[T]:
        found: list[T] = []
        for guard in self.collector.items(values):
            with guard as value:
                found.append(read_one(value))
        return found

    def _member(self, value: Value) -> V1Member:
        found = value.record(["member", "form"], ["message", "key", *LIFE])
        form = found["form"].choice(FORMS)
        message = found["message"].word() if "message" in found else ""
        key = found["key"].name() if "key" in found else ""
        if bool(message) != (form in ("message", "messages")) or bool(key) != (form == "messages"):
            raise value.fail(
                f"found form {form} with message `{message}` and key `{key}`, expected a message "
                "with the forms message and messages, and a key with the latter"
            )
        return V1Member(
            found["member"].name(), form, message, key, read_span(found, value, self.axis), value
        )

    def _family(self, value: Value) -> V1Family:
        found = value.record(["family", "member", "keys"], LIFE)
        keys = found["keys"].choice(tuple(KEYS))
        span = read_span(found, value, self.axis)
        return V1Family(found["family"].word(), found["member"].name(), keys, span, value)


def _layout(value: Value, states: Sequence[str]) -> V1Layout:
    found = value.record(["layout", "era", "header", "releases"])
    releases = tuple(item.word() for item in found["releases"].items())
    if not releases:
        raise value.fail("found no release, expected at least one")
    header = found["header"].choice(HEADERS)
    return V1Layout(found["layout"].word(), found["era"].choice(states), header, releases, value)


def _with_eras(layout: V1Layout, states: Sequence[str], end: int) -> V1Layout:
    start = states.index(layout.era)
    if end <= start:
        raise layout.place.fail(f"found era {layout.era}, expected eras in their order")
    eras = tuple(states[start:end])
    return V1Layout(layout.name, layout.era, layout.header, layout.releases, layout.place, eras)


def _problems(found: V1, messages: Messages) -> Iterator[Problem]:
    """Members and families that do not fit each other, or the messages of their time."""
    for index, layout in enumerate(found.layouts):
        members = {member.name: member for member in found.members_of(index)}
        if len(members) != len(found.members_of(index)):
            yield layout.place.problem(f"found a member twice in {layout.name}, expected it once")
        for member in members.values():
            if member.message and not _has_key(member, messages, layout.era):
                yield member.place.problem(
                    f"found message `{member.message}` with key `{member.key}`, expected them in "
                    f"messages.yaml at {layout.era}, the key as field 1"
                )
        for family in (*found.families_of(index), *found.also_of(index)):
            form = members[family.member].form if family.member in members else "none"
            if form != KEYS[family.keys]:
                yield family.place.problem(
                    f"found keys {family.keys} of `{family.member}` in {layout.name}, expected a "
                    f"member of form {KEYS[family.keys]}"
                )


def _has_key(member: V1Member, messages: Messages, era: str) -> bool:
    state = messages.states.index(era)
    fields = messages.messages.get(member.message)
    if fields is None:
        return False
    alive = {item.name: item.number for item in fields if item.since <= state <= item.until}
    return not member.key or alive.get(member.key) == 1
