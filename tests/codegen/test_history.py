from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from metasnapshot_codegen import check, history, parse
from metasnapshot_codegen.history import History, LayoutState, TypeRef
from metasnapshot_codegen.messages import Messages


@pytest.fixture
def layouts(expanded: History) -> dict[str, LayoutState]:
    return {layout.name: layout for layout in expanded.layouts}


def types(layout: LayoutState, model: str) -> dict[str, str]:
    """The key of each column's type, in the order of a row."""
    return {column.name: column.type.key for column in layout.shapes[model].columns}


def test_a_layout_has_the_sections_of_its_time(layouts: dict[str, LayoutState]) -> None:
    """One order of sections, filtered by lifespan, is the order in each layout."""
    assert {name: layout.sections for name, layout in layouts.items()} == {
        "1.0.0": (("sinks", "sink"),),
        "1.1.0": (("sinks", "sink"),),
        "2.0.0": (("sinks", "sink"), ("refresh_jobs", "refresh_job")),
    }


def test_a_layout_knows_era_releases_and_form(layouts: dict[str, LayoutState]) -> None:
    """What is said of a layout as a whole arrives with it."""
    assert [(item.era, item.releases, item.form) for item in layouts.values()] == [
        ("v1", ("1.0.0", "1.0.1"), "json"),
        ("v1", ("1.1.0",), "json"),
        ("v2", ("2.0.0",), "protobuf"),
    ]


def test_a_layout_knows_the_tables_of_its_models(layouts: dict[str, LayoutState]) -> None:
    """Each model that lives has its table, whether a section has it or not."""
    assert {name: layout.tables for name, layout in layouts.items()} == {
        "1.0.0": {"sink": "sink"},
        "1.1.0": {"sink": "sink", "refresh_job": "refresh_jobs"},
        "2.0.0": {"sink": "sink", "refresh_job": "refresh_jobs"},
    }


def test_a_shape_is_named_after_the_first_layout_that_has_it(
    layouts: dict[str, LayoutState],
) -> None:
    """Every change of a model, even of an enum of a column's type, begins a new shape."""
    assert [layout.shape_keys for layout in layouts.values()] == [
        {"sink": "1.0.0"},
        {"sink": "1.1.0", "refresh_job": "1.1.0"},
        {"sink": "2.0.0", "refresh_job": "2.0.0"},
    ]


def test_layouts_share_what_did_not_change(
    toy: Path, toy_messages: Messages, edit: Callable[..., int]
) -> None:
    """A model that two layouts have alike is one shape of both."""
    edit("    - {name: enabled, type: bool, until: 1.1.0}\n", "")
    registry = parse.read(toy / "models.yaml")
    check.check(registry, toy_messages)
    second, third = history.expand(registry).layouts[1:]
    assert second.shapes["refresh_job"].key == "refresh_job@1.1.0"
    assert second.shapes["refresh_job"] == third.shapes["refresh_job"]


def test_a_column_moves_within_the_row(layouts: dict[str, LayoutState]) -> None:
    """A column that stands twice with lifespans apart has another place in a later layout."""
    columns = {name: list(types(layout, "sink")) for name, layout in layouts.items()}
    assert columns["1.1.0"].index("definition") == columns["1.1.0"].index("columns") + 1
    assert columns["2.0.0"].index("definition") == columns["2.0.0"].index("name") + 1
    assert columns["1.0.0"] == [name for name in columns["1.1.0"] if name != "secret_ref"]


def test_a_column_changes_its_type(layouts: dict[str, LayoutState]) -> None:
    """A type changes with its own state, or because the column stands twice with two types."""
    first, last = types(layouts["1.0.0"], "sink"), types(layouts["2.0.0"], "sink")
    assert (first["sink_id"], last["sink_id"]) == ("SinkId@1.0.0", "SinkId@2.0.0")
    assert (first["target"], last["target"]) == ("i32", "TableId@1.0.0")
    assert (first["properties"], last["properties"]) == ("Property@1.0.0", "Property@1.0.0")


def test_an_enum_has_the_members_of_its_time(layouts: dict[str, LayoutState]) -> None:
    """A member that came later or went begins a new state of the enum."""
    found = {
        name: next(item.type for item in layout.shapes["sink"].columns if item.name == "sink_type")
        for name, layout in layouts.items()
    }
    assert [(item.key, [json for json, _ in item.members]) for item in found.values()] == [
        ("SinkType@1.0.0", ["AppendOnly", "ForceAppendOnly", "Upsert"]),
        ("SinkType@1.1.0", ["AppendOnly", "ForceAppendOnly", "Upsert", "Retract"]),
        ("SinkType@2.0.0", ["AppendOnly", "Upsert", "Retract"]),
    ]


def test_every_kind_of_type_is_told_apart(layouts: dict[str, LayoutState]) -> None:
    """Primitives have no state, other types have one of their kind, with what it takes to code."""
    columns = (
        layouts["1.1.0"].shapes["refresh_job"].columns + layouts["1.1.0"].shapes["sink"].columns
    )
    found = {column.name: column.type for column in columns}
    assert found["job_id"] == TypeRef("Uuid", "", "uuid")
    assert found["attempt"] == TypeRef("i16", "", "integer", ("i16",))
    assert found["enabled"] == TypeRef("bool", "", "bool")
    assert found["name"] == TypeRef("String", "", "string")
    assert found["created_at"] == TypeRef("DateTime", "", "timestamp")
    assert found["sink_id"] == TypeRef("SinkId", "1.0.0", "integer", ("i32",))
    assert found["parallelism"] == TypeRef("Parallelism", "1.0.0", "json", ("parallelism",))
    assert found["format"] == TypeRef("Format", "1.0.0", "message", ("toy.Format", "single"))
    assert found["secret_ref"] == TypeRef("SecretRef", "1.0.0", "message", ("toy.Secret", "map"))
    blob = found["cursor_that_the_next_attempt_of_this_job_resumes_from"]
    assert blob == TypeRef("Vec<u8>", "", "bytes")


def test_exclusions_have_lifespans(layouts: dict[str, LayoutState]) -> None:
    """A layout has the exclusions of its time, tables apart from columns."""
    assert [layout.excluded_tables for layout in layouts.values()] == [
        {"election": "runtime"},
        {"election": "runtime", "refresh_jobs": "missed"},
        {"election": "runtime"},
    ]
    assert [layout.excluded_columns for layout in layouts.values()] == [
        {},
        {},
        {("sink", "target_name"): "dead"},
    ]


def test_migrations_are_counted_by_release(expanded: History) -> None:
    """A patch release may have a migration more than the first release of its layout."""
    assert expanded.migrations == {
        "1.0.0": ("m0001_init", "m0002_legacy"),
        "1.0.1": ("m0001_init", "m0002_legacy", "m0003_patch"),
        "1.1.0": ("m0001_init", "m0002_legacy", "m0003_patch", "m0004_refresh_job"),
        "2.0.0": ("m0001_init", "m0003_patch", "m0004_refresh_job", "m0005_definition_moved"),
    }


def test_a_state_that_comes_back_is_a_new_one(
    toy: Path, toy_messages: Messages, edit: Callable[..., int]
) -> None:
    """A type that was another in between is named after the layout that brought it back."""
    edit(
        "[{message: toy.Format}]",
        "\n  - {message: toy.Format, until: 1.0.0}\n  - {integer: i64, since: 1.1.0, until: 1.1.0}"
        "\n  - {message: toy.Format, since: 2.0.0}",
    )
    registry = parse.read(toy / "models.yaml")
    check.check(registry, toy_messages)
    second, third = history.expand(registry).layouts[1:]
    assert types(second, "refresh_job")["format"] == "Format@1.1.0"
    assert types(third, "refresh_job")["format"] == "Format@2.0.0"
