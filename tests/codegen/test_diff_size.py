"""A new release touches no generated line that is not about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Run = Callable[..., CompletedProcess[str]]
LAYOUT = "- {layout: 2.0.0, era: v2, releases: [2.0.0]}\n"
SECRET = "  - {n: 1, name: id, type: uint32}\n"  # noqa: S105 - a message of that name


def changed(run: Run) -> dict[str, list[str]]:
    """Lines of the diff by generated file."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in run("--check").stdout.splitlines():
        if line.startswith("+++ "):
            name = line.rpartition("/")[2]
        elif line[:1] in "+-" and not line.startswith("--- "):
            found.setdefault(name, []).append(line)
    return found


def test_a_field_of_a_new_era_is_two_lines(run: Run, edit: Callable[..., int]) -> None:
    """The state and the field; every other field keeps its line."""
    run()
    edit("releases: [v1, v2]", "releases: [v1, v2, v3]", "messages.yaml")
    new = "  - {n: 2, name: owner, type: string, since: v3}\n"
    edit(SECRET, SECRET + new, "messages.yaml")
    assert changed(run) == {
        "messages.py": [
            '+    "v3",',
            '+        MessageField(2, "owner", "string", since="v3"),',
        ]
    }


def test_a_migration_is_said_once(run: Run, toy: Path) -> None:
    """A patch release with a migration of its own adds the name, and repeats none."""
    run()
    text = (toy / "models.yaml").read_text()
    text = text.replace("releases: [2.0.0]}", "releases: [2.0.0, 2.0.1]}")
    last = "- {migration: m0005_definition_moved, since: 2.0.0}\n"
    text = text.replace(last, f"{last}- {{migration: m0006_owner, since: 2.0.1}}\n")
    (toy / "models.yaml").write_text(text)
    lines = changed(run)["layouts.py"]
    assert '+MIGRATIONS["2.0.1"] = MIGRATIONS["2.0.0"] | {' in lines
    assert [line for line in lines if "m000" in line] == ['+    "m0006_owner",']
    assert len(lines) <= 6


def test_a_rule_that_goes_on_keeps_its_line(run: Run, toy: Path) -> None:
    """A new release does not touch the rules that the last one has."""
    rules = "rules:\n- {rule: late, since: 1.1.0}\nobject_prefixes: []\n"
    (toy / "rules.yaml").write_text(rules)
    run()
    new = "- {layout: 3.0.0, era: v2, releases: [3.0.0]}\n"
    path = toy / "models.yaml"
    path.write_text(path.read_text().replace(LAYOUT, LAYOUT + new))
    assert changed(run).keys() == {"layouts.py"}
