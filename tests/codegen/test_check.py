from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from metasnapshot_codegen import check, parse
from metasnapshot_codegen.messages import Messages

Run = Callable[..., CompletedProcess[str]]

JOB_ID = "{name: job_id, type: Uuid, pk: true}"
SINKS = "{section: sinks, model: sink}"
REFRESH_JOBS = "{section: refresh_jobs, model: refresh_job, since: 2.0.0}"
LOAD_ORDER = "load_order:\n- refresh_jobs\n- sinks"
SINK, JOB = "table: sink\n", "table: refresh_jobs\n"
ELECTION = "{table: election, reason: runtime}"
MISSED = "{table: refresh_jobs, since: 1.1.0, until: 1.1.0, reason: missed}"
STATS = "map<u32,list<toy.Stats>>"
A_TYPE = "expected a primitive, or a name under types or enums"
A_PLACE = "expected a section, or a line under excluded with the reason"
A_JSON_TYPE = "expected an integer, String, a message, list<> or map<>"
ONE_OF_TWO = "expected one of the two"
A_MESSAGE = "expected one of messages.yaml"
NOWHERE = f"in no section and not excluded: {A_PLACE}"

# The line that is edited, what it becomes, where the second one of the two stands, what overlaps
# with what, and where first.
OVERLAPS = {
    "section": (
        (SINKS, f"{SINKS}\n- {{section: sinks, model: sink, since: 1.1.0}}", "sink, since: 1.1.0"),
        ("section `sinks`", "{section: sinks, model: sink}", "1.1.0"),
    ),
    "column": (
        ("TableId, nullable: true, since: 2.0.0", "TableId, since: 1.1.0", "TableId, since"),
        ("column of sink `target`", "target, type: i32", "1.1.0"),
    ),
    "enum member": (
        ("json: Retract", "json: ForceAppendOnly", "ForceAppendOnly, db: RETRACT"),
        ("member of enum SinkType `ForceAppendOnly`", "db: FORCE_APPEND_ONLY", "1.1.0"),
    ),
    "type": (
        ("[{json: parallelism}]", "\n  - {json: parallelism}\n  - {json: list<u64>}", "list<u64>"),
        ("type `Parallelism`", "{json: parallelism}", "1.0.0"),
    ),
    "migration": (
        ("m0005_definition_moved", "m0003_patch", "m0003_patch, since: 2.0.0"),
        ("migration `m0003_patch`", "since: 1.0.1", "2.0.0"),
    ),
    "excluded table": (
        (MISSED, f"{MISSED}\n  - {{table: election, since: 2.0.0, reason: dead}}", "election, si"),
        ("excluded table `election`", ELECTION, "2.0.0"),
    ),
}

# The line that is edited, what it becomes, where the mistake stands then, what is said of it.
MISTAKES = {
    "unknown type": (
        JOB_ID,
        "{name: job_id, type: Uid, pk: true}",
        "type: Uid",
        f"found unknown type `Uid` of column refresh_job.job_id, {A_TYPE}",
    ),
    "type without a state": (
        "{integer: i32, until: 1.1.0}, ",
        "",
        "{name: sink_id",
        "found type `SinkId` of column sink.sink_id without a state in layout 1.0.0, expected one",
    ),
    "name of a type and of an enum": (
        "  TableId: [",
        "  SinkType: [{integer: i16}]\n  TableId: [",
        "{integer: i16}",
        "found `SinkType` under types and under enums, expected it once",
    ),
    "two forms of hummock_version": (
        "{form: json, until: 1.1.0}",
        "{form: json}",
        "{layout: 2.0.0",
        "found 2 forms of hummock_version in layout 2.0.0, expected one",
    ),
    "no form of hummock_version": (
        "{form: json, until: 1.1.0}",
        "{form: json, until: 1.0.0}",
        "{layout: 1.1.0",
        "found 0 forms of hummock_version in layout 1.1.0, expected one",
    ),
    "table neither in a section nor excluded": (
        f"  - {MISSED}\n",
        "",
        JOB,
        f"found table refresh_jobs of layout 1.1.0 {NOWHERE}",
    ),
    "table in a section and excluded": (
        MISSED,
        MISSED.replace("until: 1.1.0", "until: 2.0.0"),
        JOB,
        f"found table refresh_jobs of layout 2.0.0 in a section and excluded, {ONE_OF_TWO}",
    ),
    "no primary key": (
        "SinkId, pk: true",
        "SinkId",
        SINK,
        "found model sink without a primary key in layout 1.0.0, expected a column with pk: true",
    ),
    "primary key that ends early": (
        "SinkId, pk: true, auto_increment: true",
        "SinkId, pk: true, auto_increment: true, until: 1.1.0",
        SINK,
        "found model sink without a primary key in layout 2.0.0, expected a column with pk: true",
    ),
    "section not in load_order": (
        LOAD_ORDER,
        "load_order:\n- sinks",
        REFRESH_JOBS,
        "found section refresh_jobs not in load_order, expected it there",
    ),
    "unknown section in load_order": (
        LOAD_ORDER,
        "load_order:\n- refresh_jobs\n- jobs\n- sinks",
        "jobs\n- sinks",
        "found unknown section `jobs`, expected one of sections",
    ),
    "section twice in load_order": (
        LOAD_ORDER,
        "load_order:\n- refresh_jobs\n- sinks\n- refresh_jobs",
        "refresh_jobs\n\nmodels:",
        "found `refresh_jobs` twice in load_order, expected it once",
    ),
    "unknown message": (
        "{message: toy.Format}",
        "{message: toy.Fmt}",
        "toy.Fmt",
        f"found unknown message `toy.Fmt` in type Format, {A_MESSAGE}",
    ),
    "unknown message in json": (
        STATS,
        "list<toy.State>",
        "toy.State>",
        f"found unknown message `toy.State` in type Stats, {A_MESSAGE}",
    ),
    "bad json type": (
        STATS,
        "list<u128>",
        "list<u128>",
        f"type Stats: found `u128`, {A_JSON_TYPE}",
    ),
    "unknown era": (
        "era: v2",
        "era: v3",
        "era: v3",
        "found era `v3`, expected one of v1, v2",
    ),
    "release twice": (
        "releases: [2.0.0]",
        "releases: [2.0.0, 1.0.1]",
        "{layout: 2.0.0",
        "found release `1.0.1` twice, expected it once",
    ),
}


@pytest.mark.parametrize(("old", "new", "at", "text"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_of_meaning_is_named_where_it_stands(
    toy: Path,
    edit: Callable[..., int],
    line_of: Callable[..., int],
    run: Run,
    old: str,
    new: str,
    at: str,
    text: str,
) -> None:
    """A mistake is exit code 2 and one line: file, line, what was found, what was expected."""
    edit(old, new)
    outcome = run()
    assert outcome.stderr == f"error: {toy / 'models.yaml'}:{line_of(at)}: {text}\n"
    assert outcome.returncode == 2


@pytest.mark.parametrize(("change", "overlap"), OVERLAPS.values(), ids=OVERLAPS)
def test_lifespans_of_one_name_must_not_overlap(
    toy: Path,
    edit: Callable[..., int],
    line_of: Callable[..., int],
    run: Run,
    change: tuple[str, str, str],
    overlap: tuple[str, str, str],
) -> None:
    """A name that stands twice at a time is said with both lines and the first layout of both."""
    old, new, second = change
    what, first, since = overlap
    edit(old, new)
    outcome = run()
    text = f"found {what} with a lifespan that overlaps line {line_of(first)} (in {since})"
    place = f"{toy / 'models.yaml'}:{line_of(second)}"
    assert outcome.stderr == f"error: {place}: {text}, expected one at a time\n"
    assert outcome.returncode == 2


def test_a_section_needs_a_model_that_lives(
    toy: Path,
    edit: Callable[..., int],
    line_of: Callable[..., int],
    run: Run,
) -> None:
    """A section of no known model is said, and so is the table that it leaves behind."""
    line = edit(REFRESH_JOBS, REFRESH_JOBS.replace("refresh_job,", "job,"))
    file = toy / "models.yaml"
    model = "found section refresh_jobs of unknown model `job`, expected one of models"
    table = f"found table refresh_jobs of layout 2.0.0 {NOWHERE}"
    expected = [f"error: {file}:{line}: {model}", f"error: {file}:{line_of(JOB)}: {table}"]
    assert expected == run().stderr.splitlines()


def test_a_section_lives_within_its_model(
    toy: Path,
    edit: Callable[..., int],
    line_of: Callable[..., int],
    run: Run,
) -> None:
    """A section that is older than its model is said, and that its table is excluded there."""
    line = edit(REFRESH_JOBS, "{section: refresh_jobs, model: refresh_job}")
    file = toy / "models.yaml"
    model = "outside the life of its model refresh_job, expected it within 1.1.0 to 2.0.0"
    table = f"table refresh_jobs of layout 1.1.0 in a section and excluded, {ONE_OF_TWO}"
    expected = [
        f"error: {file}:{line}: found section refresh_jobs {model}",
        f"error: {file}:{line_of(JOB)}: found {table}",
    ]
    assert expected == run().stderr.splitlines()


def test_a_section_ends_with_its_model(
    toy: Path, edit: Callable[..., int], line_of: Callable[..., int], run: Run
) -> None:
    """A section that outlives its model is said."""
    edit("since: 1.1.0\n    columns", "since: 1.1.0\n    until: 1.1.0\n    columns")
    place = f"{toy / 'models.yaml'}:{line_of(REFRESH_JOBS)}"
    text = "outside the life of its model refresh_job, expected it within 1.1.0 to 1.1.0"
    assert run().stderr == f"error: {place}: found section refresh_jobs {text}\n"


def test_all_mistakes_of_meaning_are_reported_at_once(
    toy: Path, edit: Callable[..., int], line_of: Callable[..., int], run: Run
) -> None:
    """One run names them all, in the order of the file."""
    edit("{form: json, until: 1.1.0}", "{form: json, until: 1.0.0}")
    lines = [
        line_of("{layout: 1.1.0"),
        edit("era: v2", "era: v3"),
        edit("m0005_definition_moved", "m0003_patch"),
        edit("type: Property", "type: Properties"),
        edit(JOB_ID, "{name: job_id, type: Uid, pk: true}"),
        edit(STATS, "list<u128>"),
        edit("{message: toy.Format}", "{message: toy.Fmt}"),
        edit("json: Retract", "json: Upsert"),
    ]
    outcome = run()
    start = f"error: {toy / 'models.yaml'}:"
    found = [int(line.removeprefix(start).split(":")[0]) for line in outcome.stderr.splitlines()]
    assert lines == found


def test_a_table_without_model_may_be_excluded(
    toy: Path, toy_messages: Messages, edit: Callable[..., int]
) -> None:
    """Tables that the registry does not describe need no more than their exclusion."""
    edit(ELECTION, f"{ELECTION}\n  - {{table: brand_new, since: 2.0.0, reason: dead}}")
    registry = parse.read(toy / "models.yaml")
    check.check(registry, toy_messages)
    assert "brand_new" in [item.name for item in registry.excluded_tables]
