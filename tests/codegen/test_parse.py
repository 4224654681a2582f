from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from metasnapshot_codegen import parse
from metasnapshot_codegen.registry import Registry, Span

LAYOUTS = "1.0.0, 1.1.0, 2.0.0"
RELEASES = "1.0.0, 1.0.1, 1.1.0, 2.0.0"
TOP = (
    "package, layouts, migrations, hummock_version, sections, load_order, models, types, enums, "
    "excluded"
)
COLUMN = "name, type, pk, auto_increment, unique, nullable, since, until"
WITHIN_ITS_MODEL = "expected it within its model's life, 1.1.0 to 2.0.0"
JOB_ID = "{name: job_id, type: Uuid, pk: true}"
REFRESH_JOBS = "{section: refresh_jobs, model: refresh_job, since: 2.0.0}"
PARALLELISM = "[{json: parallelism}]"
ALL_LAYOUTS = """layouts:
- {layout: 1.0.0, era: v1, releases: [1.0.0, 1.0.1]}
- {layout: 1.1.0, era: v1, releases: [1.1.0]}
- {layout: 2.0.0, era: v2, releases: [2.0.0]}
"""
MISTAKES = {
    "no layout": (ALL_LAYOUTS, "layouts: []\n", "found no layout, expected at least one"),
    "unknown key": (
        "type: String, unique: true",
        "type: String, uniqe: true",
        f"found unknown key `uniqe`, expected one of {COLUMN}",
    ),
    "unknown key at the top": (
        "package: toy_models",
        "packages: toy_models",
        f"found unknown key `packages`, expected one of {TOP}",
    ),
    "missing key": (
        "{section: sinks, model: sink}",
        "{section: sinks}",
        "found no key `model`, expected one",
    ),
    "duplicate key": (
        JOB_ID,
        "{name: job_id, name: id, type: Uuid, pk: true}",
        "found `name` twice, expected it once",
    ),
    "model twice": (
        "  refresh_job:\n    table",
        "  sink:\n    table",
        "found `sink` twice, expected it once",
    ),
    "wrong flag": (
        JOB_ID,
        "{name: job_id, type: Uuid, pk: yes}",
        "found `yes`, expected true or false",
    ),
    "flag that is a list": (
        JOB_ID,
        "{name: job_id, type: Uuid, pk: [true]}",
        "found a list, expected a text",
    ),
    "text for a list": (
        "load_order:\n- refresh_jobs\n- sinks",
        "load_order: sinks",
        "found a text, expected a list",
    ),
    "layout without release": (
        "releases: [1.1.0]",
        "releases: []",
        "found no release, expected at least one",
    ),
    "layout twice": (
        "layout: 1.1.0, era",
        "layout: 1.0.0, era",
        "found layout `1.0.0` twice, expected it once",
    ),
    "unknown layout in until": (
        "{form: json, until: 1.1.0}",
        "{form: json, until: 0.9}",
        f"found `0.9`, expected one of {LAYOUTS}",
    ),
    "unknown layout in since": (
        REFRESH_JOBS,
        REFRESH_JOBS.replace("2.0.0", "3.0.0"),
        f"found `3.0.0`, expected one of {LAYOUTS}",
    ),
    "unknown release in since": (
        "m0003_patch, since: 1.0.1",
        "m0003_patch, since: 1.0.2",
        f"found `1.0.2`, expected one of {RELEASES}",
    ),
    "until before since": (
        REFRESH_JOBS,
        REFRESH_JOBS.replace("2.0.0", "2.0.0, until: 1.1.0"),
        "found until 1.1.0 before since 2.0.0, expected since to come first",
    ),
    "column outside its model's life": (
        JOB_ID,
        "{name: job_id, type: Uuid, pk: true, since: 1.0.0}",
        f"found column refresh_job.job_id from 1.0.0 to 2.0.0, {WITHIN_ITS_MODEL}",
    ),
    "unknown integer": (
        "{integer: i32, until: 1.1.0}",
        "{integer: i128, until: 1.1.0}",
        "found `i128`, expected one of i16, i32, i64, u32, u64",
    ),
    "two kinds of type": (
        PARALLELISM,
        "[{json: parallelism, integer: i32}]",
        "found integer and json of integer, json and message, expected exactly one",
    ),
    "no kind of type": (
        PARALLELISM,
        "[{since: 1.0.0}]",
        "found none of integer, json and message, expected exactly one",
    ),
    "wrapper without message": (
        PARALLELISM,
        "[{json: parallelism, wrapper: list}]",
        "found a wrapper beside json, expected it beside message only",
    ),
    "unknown wrapper": (
        "wrapper: map",
        "wrapper: set",
        "found `set`, expected one of single, list, map",
    ),
    "unknown form": (
        "{form: json,",
        "{form: xml,",
        "found `xml`, expected one of json, protobuf",
    ),
    "unknown reason": (
        "reason: missed",
        "reason: because",
        "found `because`, expected one of runtime, derived, replayed, dead, missed",
    ),
}


@pytest.mark.parametrize(("old", "new", "text"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_of_form_is_named_where_it_stands(
    toy: Path,
    edit: Callable[..., int],
    run: Callable[..., CompletedProcess[str]],
    old: str,
    new: str,
    text: str,
) -> None:
    """A mistake is exit code 2 and one line: file, line, what was found, what was expected."""
    line = edit(old, new)
    outcome = run()
    assert outcome.stderr == f"error: {toy / 'models.yaml'}:{line}: {text}\n"
    assert outcome.returncode == 2


def test_all_mistakes_of_form_are_reported_at_once(
    toy: Path,
    edit: Callable[..., int],
    run: Callable[..., CompletedProcess[str]],
) -> None:
    """One run names the mistakes of every part of the file, in the order of its parts."""
    lines = [
        edit("m0003_patch, since: 1.0.1", "m0003_patch, since: 1.0.2"),
        edit("{section: sinks, model: sink}", "{section: sinks}"),
        edit("name: sink_id, type: SinkId", "name: sink_id, kind: SinkId"),
        edit(JOB_ID, "{name: job_id, type: Uuid, pk: yes}"),
        edit("wrapper: map", "wrapper: set"),
        edit("json: Retract,", "jason: Retract,"),
        edit("reason: missed", "reason: because"),
        edit("column: target_name, ", ""),
    ]
    outcome = run()
    start = f"error: {toy / 'models.yaml'}:"
    assert lines == [int(line.removeprefix(start).split(":")[0]) for line in shown(outcome)]
    assert outcome.returncode == 2


def test_a_mistake_in_one_layout_does_not_hide_another(
    edit: Callable[..., int], run: Callable[..., CompletedProcess[str]]
) -> None:
    """Layouts are read all, though nothing after them can be."""
    edit("era: v1, releases: [1.1.0]", "releases: [1.1.0]")
    edit("releases: [2.0.0]", "releases: []")
    outcome = run()
    assert [line.rpartition(": ")[2] for line in shown(outcome)] == [
        "found no key `era`, expected one",
        "found no release, expected at least one",
    ]


def test_a_registry_is_read_as_written(toy: Path) -> None:
    """Every part of the file arrives, in its order, lifespans as indexes of layouts."""
    registry = parse.read(toy / "models.yaml")
    assert registry.package == "toy_models"
    assert [item.name for item in registry.layouts] == ["1.0.0", "1.1.0", "2.0.0"]
    assert registry.releases == ["1.0.0", "1.0.1", "1.1.0", "2.0.0"]
    assert [(item.name, item.span) for item in registry.forms] == [
        ("json", Span(0, 1)),
        ("protobuf", Span(2, 2)),
    ]
    assert [(item.name, item.model, item.span) for item in registry.sections] == [
        ("sinks", "sink", Span(0, 2)),
        ("refresh_jobs", "refresh_job", Span(2, 2)),
    ]
    assert [item.text() for item in registry.load_order] == ["refresh_jobs", "sinks"]
    assert [(item.name, item.reason, item.span) for item in registry.excluded_tables] == [
        ("election", "runtime", Span(0, 2)),
        ("refresh_jobs", "missed", Span(1, 1)),
    ]
    assert [(item.name, item.column) for item in registry.excluded_columns] == [
        ("sink", "target_name")
    ]


def test_migrations_live_by_release(toy: Path) -> None:
    """The lifespan of a migration counts releases, for a patch release may bring one."""
    registry = parse.read(toy / "models.yaml")
    assert {item.name: item.span for item in registry.migrations} == {
        "m0001_init": Span(0, 3),
        "m0002_legacy": Span(0, 2),
        "m0003_patch": Span(1, 3),
        "m0004_refresh_job": Span(2, 3),
        "m0005_definition_moved": Span(3, 3),
    }


def test_a_column_lives_as_long_as_its_model(toy: Path) -> None:
    """Without since and until a column has its model's life, with one of them half of it."""
    job = parse.read(toy / "models.yaml").models["refresh_job"]
    spans = {column.name: column.span for column in job.columns}
    assert job.span == Span(1, 2)
    assert spans["job_id"] == Span(1, 2)
    assert spans["enabled"] == Span(1, 1)


def test_a_column_ends_with_its_model(
    toy: Path, edit: Callable[..., int], run: Callable[..., CompletedProcess[str]]
) -> None:
    """Without until a column ends with its model, and it cannot say a later layout."""
    edit("since: 1.1.0\n    columns", "since: 1.1.0\n    until: 1.1.0\n    columns")
    columns = parse.read(toy / "models.yaml").models["refresh_job"].columns
    assert {column.span for column in columns} == {Span(1, 1)}
    line = edit(JOB_ID, "{name: job_id, type: Uuid, pk: true, until: 2.0.0}")
    text = "found column refresh_job.job_id from 1.1.0 to 2.0.0, expected it within its model's"
    assert run().stderr.startswith(f"error: {toy / 'models.yaml'}:{line}: {text} life, 1.1.0 to 1")


def test_a_column_has_the_flags_that_are_said(toy: Path) -> None:
    """A flag that is absent is false."""
    columns = parse.read(toy / "models.yaml").models["sink"].columns
    flags = {
        (item.name, item.span.since): (
            item.pk,
            item.auto_increment,
            item.unique,
            item.nullable,
        )
        for item in columns
    }
    assert flags["sink_id", 0] == (True, True, False, False)
    assert flags["name", 0] == (False, False, True, False)
    assert flags["target", 2] == (False, False, False, True)
    assert flags["sink_type", 0] == (False, False, False, False)


def test_a_type_is_one_of_three_kinds(toy: Path) -> None:
    """A type's states say integer, json or message; a message without wrapper stands alone."""
    registry = parse.read(toy / "models.yaml")
    assert kinds(registry, "SinkId") == [("i32", "", "", "single"), ("u32", "", "", "single")]
    assert kinds(registry, "Property") == [("", "map<String,String>", "", "single")]
    assert kinds(registry, "ColumnArray") == [("", "", "toy.Column", "list")]
    assert kinds(registry, "Format") == [("", "", "toy.Format", "single")]


def kinds(registry: Registry, name: str) -> list[tuple[str, str, str, str]]:
    return [
        (state.integer, state.json, state.message, state.wrapper) for state in registry.types[name]
    ]


def shown(outcome: CompletedProcess[str]) -> list[str]:
    return outcome.stderr.splitlines()
