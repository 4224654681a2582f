"""rules.yaml -> plain data: what releases do otherwise than others, with lifespans as indexes into
the releases. A package whose readers need no rules does without the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from metasnapshot_codegen import source
from metasnapshot_codegen.registry import Span
from metasnapshot_codegen.source import Collector, Value
from metasnapshot_codegen.spans import LIFE, read_span

PREFIXED = ("always", "never")


@dataclass(frozen=True)
class Rule:
    """A rule, in the releases from since to until; it may stand more than once."""

    name: str
    span: Span


@dataclass
class Rules:
    """All of rules.yaml: the rules on their axis, and the services whose prefixes are fixed."""

    releases: list[str]
    rules: list[Rule]
    prefixes: dict[str, str]

    def switches(self) -> dict[str, dict[str, str]]:
        """For each rule `yes` or `no`, by the releases from which on it is so: the first release,
        and each where it turns.
        """
        found: dict[str, dict[str, str]] = {}
        for name in dict.fromkeys(rule.name for rule in self.rules):
            states = self.states(name)
            turns = [at for at, state in enumerate(states) if not at or state != states[at - 1]]
            found[name] = {self.releases[at]: states[at] for at in turns}
        return found

    def states(self, name: str) -> list[str]:
        """`yes` or `no` for each release."""
        spans = [rule.span for rule in self.rules if rule.name == name]
        every = range(len(self.releases))
        return ["yes" if any(at in span for span in spans) else "no" for at in every]


def read(path: Path, releases: list[str]) -> Rules | None:
    """Read rules.yaml, of these releases; None if there is no such file.

    Raises:
        SchemaError: with every mistake found.
    """
    if not path.exists():
        return None
    top = source.load(path).record(["rules", "object_prefixes"])
    found = Rules(releases, [], {})
    collector = Collector()
    for guard in collector.items(top["rules"]):
        with guard as value:
            found.rules.append(_rule(value, found))
    for guard in collector.items(top["object_prefixes"]):
        with guard as value:
            item = value.record(["service", "prefixed"])
            name = item["service"].word()
            if name in found.prefixes:
                raise value.fail(f"found service `{name}` twice, expected it once")
            found.prefixes[name] = item["prefixed"].choice(PREFIXED)
    collector.raise_any()
    return found


def _rule(value: Value, known: Rules) -> Rule:
    item = value.record(["rule"], LIFE)
    rule = Rule(item["rule"].name(), read_span(item, value, known.releases))
    for other in known.rules:
        if other.name == rule.name and other.span.overlaps(rule.span):
            raise value.fail(
                f"found rule `{rule.name}` twice at the same time, expected lifespans of their own"
            )
    return rule
