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


DDL = """\
charsets:
- {charset: utf8, collation: bin}
types:
- {type: any, sqlite: any, postgres: any, mysql: any}
tables:
- table: sink
  columns:
  - {column: sink_id, type: any, key: true}
  - {column: name, type: any}
  - {column: definition, type: any}
  - {column: sink_type, type: any}
  - {column: target, type: any}
  - {column: properties, type: any}
  - {column: columns, type: any}
  - {column: secret_ref, type: any, since: 1.1.0}
  - {column: created_at, type: any}
- table: refresh_jobs
  since: 1.1.0
  columns:
  - {column: job_id, type: any, key: true}
  - {column: attempt, type: any, key: true}
  - {column: format, type: any}
  - {column: parallelism, type: any}
  - {column: stats, type: any}
  - {column: cursor_that_the_next_attempt_of_this_job_resumes_from, type: any}
  - {column: enabled, type: any, until: 1.1.0}
"""
RULES = "rules:\n- {rule: late, since: 1.1.0}\nobject_prefixes: []\n"
NEW = {
    "models.yaml": """\
- {layout: 2.0.0, era: v2, releases: [2.0.0]}
+- {layout: 3.0.0, era: v3, releases: [3.0.0]}
- {migration: m0005_definition_moved, since: 2.0.0}
+- {migration: m0006_bag, since: 3.0.0}
- {section: refresh_jobs, model: refresh_job, since: 2.0.0}
+- {section: bags, model: bag, since: 3.0.0}
- sinks
+- bags
models:
+  bag:
+    table: bag
+    since: 3.0.0
+    columns:
+    - {name: bag_id, type: i64, pk: true}
    - {name: properties, type: Property}
+    - {name: weight, type: i64, nullable: true, since: 3.0.0}
  - {json: Retract, db: RETRACT, since: 1.1.0}
+  - {json: Throw, db: THROW, since: 3.0.0}
""",
    "messages.yaml": """\
  - {n: 1, name: id, type: uint32}
+  - {n: 2, name: owner, type: string, since: v3}
""",
    "rules.yaml": """\
- {rule: late, since: 1.1.0}
+- {rule: heavy, since: 3.0.0}
""",
    "ddl.yaml": """\
tables:
+- table: bag
+  since: 3.0.0
+  columns:
+  - {column: bag_id, type: any, key: true}
  - {column: created_at, type: any}
+  - {column: weight, type: any, since: 3.0.0}
+  foreign_keys:
+  - {name: FK_weight, columns: [weight], references: bag, referenced: [bag_id], since: 3.0.0}
""",
}
"""A release 3.0.0 of the toy with one of each: a table, a column in the middle, a member of an
enum, a migration, a protobuf field, a rule and a foreign key. Lines with a + follow those above."""
ABOUT = (
    *("3.0.0", "v3", "bag", "Bag", "weight", "Throw", "THROW", "m0006", "owner", "heavy"),
    *("I64 = ", "SINK_TYPE", '"SinkType"', '"enum"', "DdlTable(", "_codec("),
)
"""What each line of that release has; the last are those of a definition that begins."""
ENDED = [
    'Column("sink_type", types.SINK_TYPE_2_0_0, since="2.0.0"),',
    '("sink", ("1.0.0", "1.1.0", "2.0.0"), ""),',
    "(),",
]
"""A type and a shape that changed, and a table that had no foreign key."""


def add_release(schema: Path) -> None:
    """Put the lines of the release where they belong."""
    messages = schema / "messages.yaml"
    messages.write_text(
        messages.read_text().replace("releases: [v1, v2]", "releases: [v1, v2, v3]")
    )
    for name, added in NEW.items():
        text = (schema / name).read_text()
        after = ""
        for line in added.splitlines(keepends=True):
            if not line.startswith("+"):
                after = line
                assert f"\n{text}".count(f"\n{after}") == 1, after
            else:
                text = text.replace(after, f"{after}{line[1:]}", 1)
                after = f"{after}{line[1:]}"
        (schema / name).write_text(text)


def test_a_whole_release_is_what_is_new_of_it(run: Run, toy: Path) -> None:
    """Every line that comes is about something new; what goes is the line of a shape or type that
    changed, and comes again with its end."""
    (toy / "ddl.yaml").write_text(DDL)
    (toy / "rules.yaml").write_text(RULES)
    assert run().returncode == 0
    add_release(toy)
    shown = run("--check")
    assert "error: generated files are stale" in shown.stderr
    lines = [line for found in changed(run).values() for line in found]
    assert [line[1:].strip() for line in lines if line.startswith("-")] == ENDED
    named = [line for line in lines if line[0] == "+" and any(char.isalpha() for char in line)]
    assert [line for line in named if not any(word in line for word in ABOUT)] == []
    assert len(lines) < 65


def test_generated_code_is_small(repo_root: Path) -> None:
    """Differences, not layouts in full: a release adds what is new of it."""
    files = list((repo_root / "generated").rglob("*.py"))
    assert sum(len(path.read_text().splitlines()) for path in files) <= 9_000
