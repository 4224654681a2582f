"""YAML with positions: every value knows its file and line, so that a mistake can be named where it
stands.

The registry is read from the node graph rather than from plain values: `1.10.0`, `2.6` and `main`
all stay text, and a duplicate key is seen instead of swallowed. A reader asks for what it expects;
what it finds instead is a `Problem`.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Problem:
    """One mistake in a schema file: where it is, what was found, what was expected."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


class SchemaError(Exception):
    """The schema files hold mistakes; `problems` lists all that were found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


@dataclass(frozen=True)
class Value:
    """A YAML value and its place. Accessors return what their name says or raise `SchemaError`."""

    file: str
    node: yaml.Node

    @property
    def line(self) -> int:
        return self.node.start_mark.line + 1

    def problem(self, text: str) -> Problem:
        return Problem(self.file, self.line, text)

    def fail(self, text: str) -> SchemaError:
        return SchemaError([self.problem(text)])

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.fail(f"found a {self._kind()}, expected a text")
        value = str(self.node.value)
        if not value:
            raise self.fail("found an empty text, expected a name")
        return value

    def name(self) -> str:
        """A text that is a Python identifier, for it becomes one."""
        text = self.text()
        if not text.isidentifier() or keyword.iskeyword(text):
            raise self.fail(f"found `{text}`, expected a Python identifier")
        return text

    def word(self) -> str:
        """A text without the characters that separate things in frozen.txt."""
        text = self.text()
        if any(char.isspace() or char in ";=!" for char in text):
            raise self.fail(f"found `{text}`, expected a word without spaces, `;`, `=` and `!`")
        return text

    def settled(self) -> str:
        """The name of a type; one with a `?` is a guess of `coverage --scaffold`."""
        text = self.text()
        if text.endswith("?"):
            raise self.fail(
                f"found the guess `{text}`, expected a type: look it up in RisingWave's code, then "
                "write it without `?`"
            )
        return text

    def choice(self, choices: Sequence[str]) -> str:
        text = self.text()
        if text not in choices:
            raise self.fail(f"found `{text}`, expected one of {', '.join(choices)}")
        return text

    def flag(self) -> bool:
        text = self.text()
        if text not in ("true", "false"):
            raise self.fail(f"found `{text}`, expected true or false")
        return text == "true"

    def items(self) -> list[Value]:
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.fail(f"found a {self._kind()}, expected a list")
        return [Value(self.file, node) for node in self.node.value]

    def fields(self) -> dict[str, Value]:
        """The pairs of a mapping whose keys are free, in their order."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.fail(f"found a {self._kind()}, expected a mapping")
        found: dict[str, Value] = {}
        for key_node, value_node in self.node.value:
            key = Value(self.file, key_node)
            name = key.text()
            if name in found:
                raise key.fail(f"found `{name}` twice, expected it once")
            found[name] = Value(self.file, value_node)
        return found

    def record(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Value]:
        """The pairs of a mapping that has these keys and no others."""
        found = self.fields()
        known = [*required, *optional]
        for name, value in found.items():
            if name not in known:
                raise value.fail(f"found unknown key `{name}`, expected one of {', '.join(known)}")
        for name in required:
            if name not in found:
                raise self.fail(f"found no key `{name}`, expected one")
        return found

    def _kind(self) -> str:
        kinds = {yaml.ScalarNode: "text", yaml.SequenceNode: "list", yaml.MappingNode: "mapping"}
        return next(name for kind, name in kinds.items() if isinstance(self.node, kind))


def load(path: Path) -> Value:
    """Read one YAML file.

    Raises:
        SchemaError: the file is missing, is not UTF-8 or not YAML.
    """
    try:
        node = _compose(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SchemaError([Problem(str(path), 1, f"cannot be read: {reason}")]) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark: object = getattr(error, "problem_mark", None)
        line = mark.line + 1 if isinstance(mark, yaml.Mark) else 1
        text = " ".join(str(error).split())
        raise SchemaError([Problem(str(path), line, f"found no YAML: {text}")]) from error
    if node is None:
        raise SchemaError([Problem(str(path), 1, "found an empty file, expected a mapping")])
    return Value(str(path), node)


def _compose(text: str) -> yaml.Node | None:
    """The tree of a text, by libyaml where PyYAML has it: it is ten times as fast. A text that it
    does not take is read again by PyYAML's own parser, whose words and lines the errors have.
    """
    with suppress(AttributeError, yaml.YAMLError):
        return yaml.compose(text, Loader=yaml.CSafeLoader)
    return yaml.compose(text, Loader=yaml.SafeLoader)


class Collector:
    """Gathers the problems of independent items, so that one run names them all.

    `with collector:` keeps the problems of its block; `each` and `guard` do so for values.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def each(self, values: Sequence[Value]) -> Iterator[_Guard]:
        return (self.guard(value) for value in values)

    def items(self, value: Value) -> Iterator[_Guard]:
        """A guard for each item of a list; none, and a problem, if it is no list."""
        with self:
            yield from self.each(value.items())

    def guard(self, value: Value) -> _Guard:
        return _Guard(value, self)

    def raise_any(self) -> None:
        if self.problems:
            raise SchemaError(self.problems)

    def __enter__(self) -> None:
        """Start a block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, SchemaError):
            self.problems.extend(error.problems)
            return True
        return False


class _Guard:
    """`with guard as value:` runs a block for one item and keeps its problems."""

    def __init__(self, value: Value, collector: Collector) -> None:
        self._value = value
        self._collector = collector

    def __enter__(self) -> Value:
        return self._value

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return self._collector.__exit__(kind, error, trace)
