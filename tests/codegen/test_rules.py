"""rules.yaml: what releases do otherwise, held on the registry's axis and frozen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from project_schema import ProjectSchema

from metasnapshot_codegen import cli, rules

Run = Callable[..., CompletedProcess[str]]
RULES = """\
rules:
- {rule: early, until: 1.0.1}
- {rule: late, since: 1.1.0}
- {rule: between, since: 1.0.1, until: 1.1.0}
object_prefixes:
- {service: s3, prefixed: always}
"""
LAYOUT = "- {layout: 2.0.0, era: v2, releases: [2.0.0]}\n"


@pytest.fixture
def with_rules(toy: Path, run: Run) -> Path:
    """The toy registry with three rules, frozen."""
    path = toy / "rules.yaml"
    path.write_text(RULES)
    assert run("--freeze").returncode == 0
    return path


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("until: 1.0.1", "until: 1.0.0", "rule `early` of 1.0.1: frozen `yes`, now `no`"),
        ("until: 1.0.1", "until: 1.1.0", "rule `early` of 1.1.0: frozen `no`, now `yes`"),
        ("since: 1.1.0", "since: 2.0.0", "rule `late` of 1.1.0: frozen `yes`, now `no`"),
        ("since: 1.1.0", "since: 1.0.0", "rule `late` of 1.0.0: frozen `no`, now `yes`"),
        (", until: 1.1.0", "", "rule `between` of 2.0.0: frozen `no`, now `yes`"),
        ("- {rule: late, since: 1.1.0}\n", "", "rule `late` of 1.0.0: frozen `no`, now ``"),
        ("rule: late", "rule: later", "rule `late` of 1.0.0: frozen `no`, now ``"),
        ("prefixed: always", "prefixed: never", "prefix s3 differs"),
        ("service: s3", "service: s4", "prefix s3 is gone"),
    ],
)
def test_a_released_rule_never_changes(
    with_rules: Path, run: Run, old: str, new: str, change: str
) -> None:
    """A line that says otherwise of a frozen release is refused by make gen and by --check."""
    text = with_rules.read_text().replace(old, new)
    with_rules.write_text(text)
    for arguments in ((), ("--check",), ("--freeze",)):
        outcome = run(*arguments)
        assert outcome.returncode == 1
        assert change in outcome.stderr


@pytest.mark.parametrize("after", ["2.0.0", "1.1.0", "1.0.1"])
def test_what_follows_a_release_does_as_that_release(with_rules: Path, after: str) -> None:
    """A release at the end, and one amid a rule's life, has the rules of the one before it."""
    axis = ["1.0.0", "1.0.1", "1.1.0", "2.0.0"]
    axis.insert(axis.index(after) + 1, "new")
    found = rules.read(with_rules, axis)
    assert found is not None
    at = axis.index("new")
    alive = {name: found.states(name)[at] for name in ("late",)}
    assert alive == {"late": found.states("late")[at - 1]}


def test_a_new_release_may_end_and_begin_rules(with_rules: Path, toy: Path, run: Run) -> None:
    """Rules turn where a release that is not frozen yet begins."""
    path = toy / "models.yaml"
    new = "- {layout: 3.0.0, era: v2, releases: [3.0.0]}\n"
    path.write_text(path.read_text().replace(LAYOUT, LAYOUT + new))
    text = RULES.replace("since: 1.1.0", "since: 1.1.0, until: 2.0.0")
    with_rules.write_text(text.replace("object_", "- {rule: newest, since: 3.0.0}\nobject_"))
    assert run("--freeze").stdout == "froze 5 lines\n"
    lines = (toy / "frozen.txt").read_text().splitlines()[-3:]
    assert [line.split(" ")[1::2] for line in lines] == [
        ["late@3.0.0", "no"],
        ["newest@1.0.0", "no"],
        ["newest@3.0.0", "yes"],
    ]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("until: 1.0.1", "until: 9.0.0", "found `9.0.0`, expected one of 1.0.0, 1.0.1"),
        ("rule: late, since: 1.1.0", "rule: early, since: 1.0.0", "found rule `early` twice"),
        ("since: 1.0.1, until: 1.1.0", "since: 1.1.0, until: 1.0.1", "before since"),
        ("prefixed: always", "prefixed: perhaps", "expected one of always, never"),
        ("rule: late", "rule: la te", "expected a Python identifier"),
        ("- {rule: early, until: 1.0.1}", "- {rule: early, ends: 1.0.1}", "unknown key `ends`"),
    ],
)
def test_a_mistake_is_named(toy: Path, run: Run, old: str, new: str, text: str) -> None:
    """With file and line, exit code 2."""
    (toy / "rules.yaml").write_text(RULES.replace(old, new))
    outcome = run()
    assert outcome.returncode == 2
    assert f"{toy / 'rules.yaml'}:" in outcome.stderr
    assert text in outcome.stderr


def test_a_released_rule_of_the_project_never_changes(schema: ProjectSchema, out: Path) -> None:
    """No line of the project's rules.yaml can be taken away."""
    path = schema.path / "rules.yaml"
    text = path.read_text()
    path.write_text(text.replace("- {rule: logs_written, until: 3.0.3}\n", ""))
    assert text != path.read_text()
    assert cli.main(["--schema", str(schema.path), "--out", str(out)]) == 1
