"""Which table and column stands where: in one model, in a section or excluded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from metasnapshot_codegen import check, history, parse
from metasnapshot_codegen.history import LayoutState
from metasnapshot_codegen.messages import Messages

Edit = Callable[..., int]
LineOf = Callable[..., int]
Run = Callable[..., CompletedProcess[str]]

SINKS = "- {section: sinks, model: sink}\n"
REFRESH_JOBS = "- {section: refresh_jobs, model: refresh_job, since: 2.0.0}\n"
MISSED = "  - {table: refresh_jobs, since: 1.1.0, until: 1.1.0, reason: missed}\n"
TARGET_NAME = "{table: sink, column: target_name, since: 2.0.0, reason: dead}"
SINK = "table: sink\n    columns"
SINK_AGAIN = "table: sink\n    since"
JOBS = "table: refresh_jobs\n    since"
JOB = "  refresh_job:\n"
OLD_JOB = (
    "  old_job:\n    table: refresh_jobs\n    until: 1.0.0\n"
    "    columns: [{name: id, type: i64, pk: true}]\n"
)
A_TABLE = "expected a model's table in its life"
A_PLACE = "expected a section, or a line under excluded with the reason"

# The line of an excluded column, what is said of it, and where the other place of it is.
MISTAKES = {
    "unknown table": (
        "{table: sinks, column: target_name, since: 2.0.0, reason: dead}",
        f"found unknown table `sinks`, {A_TABLE}",
        "",
    ),
    "table before its life": (
        "{table: refresh_jobs, column: priority, until: 1.0.0, reason: dead}",
        f"found unknown table `refresh_jobs`, {A_TABLE}",
        "",
    ),
    "column of all layouts": (
        "{table: sink, column: created_at, since: 2.0.0, reason: dead}",
        "found column sink.created_at excluded and in its model (line {}), ",
        "{name: created_at",
    ),
    "column in its last layout": (
        "{table: refresh_jobs, column: enabled, since: 1.1.0, reason: dead}",
        "found column refresh_jobs.enabled excluded and in its model (line {}), ",
        "{name: enabled",
    ),
    "column that came": (
        "{table: sink, column: secret_ref, until: 1.1.0, reason: dead}",
        "found column sink.secret_ref excluded and in its model (line {}), ",
        "{name: secret_ref",
    ),
}


@pytest.fixture
def layouts(toy: Path, toy_messages: Messages) -> Callable[[], list[LayoutState]]:
    """`layouts()` reads, checks and expands the toy registry as it was edited."""

    def expand() -> list[LayoutState]:
        registry = parse.read(toy / "models.yaml")
        check.check(registry, toy_messages)
        return list(history.expand(registry).layouts)

    return expand


@pytest.mark.parametrize(("new", "text", "other"), MISTAKES.values(), ids=MISTAKES)
def test_an_excluded_column_is_one_that_no_model_has(
    toy: Path, edit: Edit, line_of: LineOf, run: Run, new: str, text: str, other: str
) -> None:
    """An exclusion of an unknown table or of a column that its model has then is refused."""
    line = edit(TARGET_NAME, new)
    if other:
        text = text.format(line_of(other)) + "expected one of the two"
    outcome = run()
    assert outcome.stderr == f"error: {toy / 'models.yaml'}:{line}: {text}\n"
    assert outcome.returncode == 2


def test_a_column_is_excluded_once_at_a_time(
    toy: Path, edit: Edit, line_of: LineOf, run: Run
) -> None:
    """Two lines of one column whose lifespans overlap are refused."""
    first = edit(TARGET_NAME, f"{TARGET_NAME}\n  - {TARGET_NAME.replace('dead', 'missed')}")
    what = f"found excluded column `sink.target_name` with a lifespan that overlaps line {first}"
    outcome = run()
    place = f"{toy / 'models.yaml'}:{line_of('2.0.0, reason: missed')}"
    assert outcome.stderr == f"error: {place}: {what} (in 2.0.0), expected one at a time\n"
    assert outcome.returncode == 2


def test_a_column_is_excluded_beside_its_model(
    edit: Edit, layouts: Callable[[], list[LayoutState]]
) -> None:
    """A column may be excluded where its model lacks it, twice where the lifespans are apart, and
    under the name of another table's column.
    """
    lines = [
        "{table: sink, column: secret_ref, until: 1.0.0, reason: missed}",
        "{table: refresh_jobs, column: enabled, since: 2.0.0, reason: dead}",
        "{table: sink, column: target_name, until: 1.1.0, reason: runtime}",
        "{table: sink, column: attempt, since: 2.0.0, reason: dead}",
        TARGET_NAME,
    ]
    edit(TARGET_NAME, "\n  - ".join(lines))
    early = {("sink", "target_name"): "runtime"}
    assert [layout.excluded_columns for layout in layouts()] == [
        {("sink", "secret_ref"): "missed", **early},
        early,
        {
            ("refresh_jobs", "enabled"): "dead",
            ("sink", "attempt"): "dead",
            ("sink", "target_name"): "dead",
        },
    ]


def test_a_table_is_of_one_model_at_a_time(
    toy: Path, edit: Edit, line_of: LineOf, run: Run
) -> None:
    """Two models of one table that live at the same time are refused, with both lines."""
    edit(JOBS, SINK_AGAIN)
    edit(MISSED, "")
    edit(REFRESH_JOBS, REFRESH_JOBS.replace("2.0.0", "1.1.0"))
    outcome = run()
    place = f"{toy / 'models.yaml'}:{line_of(SINK_AGAIN)}"
    first = line_of(SINK)
    what = f"found table `sink` with a lifespan that overlaps line {first} (in 1.1.0)"
    assert outcome.stderr == f"error: {place}: {what}, expected one at a time\n"
    assert outcome.returncode == 2


def test_a_table_may_pass_to_another_model(
    edit: Edit, layouts: Callable[[], list[LayoutState]]
) -> None:
    """Two models of one table whose lives are apart each have it in their own."""
    edit(JOB, OLD_JOB + JOB)
    edit(MISSED, f"{MISSED}  - {{table: refresh_jobs, until: 1.0.0, reason: dead}}\n")
    assert [layout.tables for layout in layouts()] == [
        {"sink": "sink", "old_job": "refresh_jobs"},
        {"sink": "sink", "refresh_job": "refresh_jobs"},
        {"sink": "sink", "refresh_job": "refresh_jobs"},
    ]


def test_a_forgotten_table_is_said_once(toy: Path, edit: Edit, line_of: LineOf, run: Run) -> None:
    """A table that is forgotten in every layout is one line with the first and the last of them."""
    edit(SINKS, "")
    edit("- refresh_jobs\n- sinks\n", "- refresh_jobs\n")
    outcome = run()
    text = f"table sink of layout 1.0.0 to 2.0.0 in no section and not excluded: {A_PLACE}"
    place = f"{toy / 'models.yaml'}:{line_of(SINK)}"
    assert outcome.stderr == f"error: {place}: found {text}\n"
    assert outcome.returncode == 2


def test_a_table_in_a_section_and_excluded_is_said_once(
    toy: Path, edit: Edit, line_of: LineOf, run: Run
) -> None:
    """A table that is excluded all its life though a section has it is one line as well."""
    edit(REFRESH_JOBS, REFRESH_JOBS.replace("2.0.0", "1.1.0"))
    edit("since: 1.1.0, until: 1.1.0, reason", "since: 1.1.0, reason")
    outcome = run()
    text = "table refresh_jobs of layout 1.1.0 to 2.0.0 in a section and excluded"
    place = f"{toy / 'models.yaml'}:{line_of(JOBS)}"
    assert outcome.stderr == f"error: {place}: found {text}, expected one of the two\n"
    assert outcome.returncode == 2
