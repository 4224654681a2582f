"""The project's registry against facts that were read from RisingWave's source, where a folder with
them stands beside the checkout; elsewhere against frozen.txt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from metasnapshot_codegen import check, history, messages, parse, v1
from metasnapshot_codegen.history import History, LayoutState, ShapeColumn
from metasnapshot_codegen.registry import Registry

FLAGS = ("pk", "nullable", "unique", "auto_increment")


@pytest.fixture(scope="module")
def project() -> tuple[Registry, History]:
    """The project's registry, checked, and its layouts."""
    schema = Path(__file__).parents[2] / "schema"
    registry = parse.read(schema / "models.yaml")
    check.check(registry, messages.read(schema / "messages.yaml"))
    return registry, history.expand(registry)


@pytest.fixture(scope="module")
def layouts(project: tuple[Registry, History]) -> dict[str, LayoutState]:
    return {layout.name: layout for layout in project[1].layouts}


@pytest.fixture(scope="module")
def frozen() -> list[str]:
    """The kinds and keys of frozen.txt, which stand for the facts where these are absent."""
    lines = (Path(__file__).parents[2] / "schema" / "frozen.txt").read_text().splitlines()
    return [" ".join(line.split(" ")[:2]) for line in lines if not line.startswith("#")]


def facts() -> Path | None:
    """The folder of facts: `facts` in a directory beside the checkout."""
    beside = sorted(Path(__file__).parents[3].iterdir())
    return next((path / "facts" for path in beside if (path / "facts" / "v2").is_dir()), None)


def load(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def layout_facts() -> Iterator[tuple[str, dict[str, Any]]]:
    """The facts of each layout by its name; nothing where they are absent."""
    folder = facts()
    for path in sorted(folder.glob("v2/layout-*.yaml")) if folder else []:
        yield path.stem.removeprefix("layout-"), load(path)


def column_facts(column: ShapeColumn) -> dict[str, object]:
    """A column in the form of the facts, which leave out flags that are false."""
    flags = {flag: True for flag in FLAGS if getattr(column, flag)}
    return {"name": column.name, "type": column.type.name, **flags}


def test_every_layout_is_frozen(layouts: dict[str, LayoutState], frozen: list[str]) -> None:
    """frozen.txt has a line for each layout and each release, and each layout has its facts."""
    releases = [release for layout in layouts.values() for release in layout.releases]
    assert [f"layout {name}" for name in layouts] == [
        key for key in frozen if key.startswith("layout ")
    ]
    assert [f"release {name}" for name in releases] == [
        key for key in frozen if key.startswith("release ")
    ]
    known = {name for name, _ in layout_facts()}
    assert known in (set(), set(layouts) - {"release-2.8"})


def test_sections_stand_in_the_order_of_the_file(
    layouts: dict[str, LayoutState], frozen: list[str]
) -> None:
    """Each layout has the sections of its release with their models, in the order of the file."""
    for name, fact in layout_facts():
        assert [tuple(pair) for pair in fact["sections"]] == list(layouts[name].sections), name
    assert {f"layout {name}" for name in layouts} <= set(frozen)


def test_tables_have_the_columns_of_their_release(
    project: tuple[Registry, History], layouts: dict[str, LayoutState], frozen: list[str]
) -> None:
    """Each layout has each table of its release: name, columns in order, type names and flags."""
    registry, _ = project
    for name, fact in layout_facts():
        found = {
            model: {
                "table": registry.models[model].table,
                "columns": [column_facts(column) for column in shape.columns],
            }
            for model, shape in layouts[name].shapes.items()
        }
        assert set(fact["tables"]) == set(found), name
        for model, table in fact["tables"].items():
            assert table == found[model], (name, model)
    keys = {f"shape {shape.key}" for item in layouts.values() for shape in item.shapes.values()}
    assert keys == {key for key in frozen if key.startswith("shape ")}


def test_a_table_outside_the_sections_is_excluded(
    layouts: dict[str, LayoutState], frozen: list[str]
) -> None:
    """Each table of a release that no section has is excluded with a reason, and no other is."""
    for name, fact in layout_facts():
        in_section = {model for _, model in fact["sections"]}
        outside = {
            table["table"] for model, table in fact["tables"].items() if model not in in_section
        }
        inside = {fact["tables"][model]["table"] for model in in_section}
        assert outside <= set(layouts[name].excluded_tables), name
        assert inside.isdisjoint(layouts[name].excluded_tables), name
    assert {f"layout {name}" for name in layouts} <= set(frozen)


def test_enums_have_the_members_of_their_release(
    project: tuple[Registry, History], layouts: dict[str, LayoutState], frozen: list[str]
) -> None:
    """Each enum of a layout's columns has the members of its release: name in a row, in the
    database, in order.
    """
    for name, fact in layout_facts():
        members = {
            enum: tuple((item["json"], item["db"]) for item in said["variants"])
            for enum, said in fact["enums"].items()
            if said["kind"] == "string"
        }
        types = {
            column.type.name: column.type
            for shape in layouts[name].shapes.values()
            for column in shape.columns
        }
        found = {key: item.members for key, item in types.items() if item.kind == "enum"}
        assert {key: members.get(key) for key in found} == found, name
        assert set(members) & set(types) == set(found), name
        written_as_json = set(fact["enums"]) - set(members)
        assert {key: types[key].kind for key in written_as_json} == dict.fromkeys(
            written_as_json, "json"
        )
    assert set(project[0].enums) <= {key.removeprefix("type ").partition("@")[0] for key in frozen}


def last_releases(layouts: Mapping[str, LayoutState]) -> dict[str, str]:
    """The last release of each layout, which has all its migrations."""
    return {name: layout.releases[-1] for name, layout in layouts.items()}


def test_migrations_are_those_of_the_release(
    project: tuple[Registry, History], layouts: dict[str, LayoutState], frozen: list[str]
) -> None:
    """Each layout's last release has the migrations of the facts: for 1.9.0 these are 1.9.2's."""
    migrations = project[1].migrations
    last = last_releases(layouts)
    assert last["1.9.0"] == "1.9.2"
    for name, fact in layout_facts():
        assert set(fact["migrations"]) == set(migrations[last[name]]), name
        assert len(fact["migrations"]) == len(migrations[last[name]]), name
    assert {f"release {release}" for release in migrations} <= set(frozen)


def test_releases_have_layout_migrations_and_sections(
    project: tuple[Registry, History], layouts: dict[str, LayoutState], frozen: list[str]
) -> None:
    """Each release has the layout, the number of migrations and of sections of the facts."""
    folder = facts()
    found = [
        {
            "release": release,
            "layout": name,
            "sections": len(layout.sections),
            "migrations": len(project[1].migrations[release]),
        }
        for name, layout in layouts.items()
        for release in layout.releases
        if release != "release-2.8"
    ]
    if folder:
        said = load(folder / "v2" / "releases.yaml")["releases"]
        assert [{key: item[key] for key in found[0]} for item in said] == found
        for item in said:
            assert item["last_migration"] in project[1].migrations[item["release"]]
    assert {f"release {item['release']}" for item in found} <= set(frozen)


def test_blobs_hold_the_message_of_their_type(
    layouts: dict[str, LayoutState], frozen: list[str]
) -> None:
    """Each type of a column that is a blob has message and wrapper of the facts."""
    found = {
        column.type.name: column.type.detail
        for layout in layouts.values()
        for shape in layout.shapes.values()
        for column in shape.columns
        if column.type.kind == "message"
    }
    folder = facts()
    if folder:
        said = load(folder / "blobs.yaml")
        types = {
            name: (item["message"], item["wrapper"])
            for name, item in said["types"].items()
            if name not in said["declared_without_column"]
        }
        assert types == found
    assert set(found) <= {key.removeprefix("type ").partition("@")[0] for key in frozen}


def test_v1_members(project: tuple[Registry, History]) -> None:
    """Each V1 layout has the members of the facts, in their order and form, with their messages."""
    folder = facts()
    schema = Path(__file__).parents[2] / "schema"
    found = v1.read(schema / "v1.yaml", messages.read(schema / "messages.yaml"))
    assert found is not None
    if folder is None:
        assert list(project[1].v1) == []  # expanded without it
        return
    told = load(folder / "v1.yaml")
    assert len(told["layouts"]) == len(found.layouts)
    for number, layout in enumerate(told["layouts"]):
        order: list[str] = []
        for member in found.members_of(number):
            names = ["keys", "values"] if member.form == "pairs" else [""]
            star = "*" if member.form in ("pairs", "messages") else ""
            order += [".".join(filter(None, (member.name, part))) + star for part in names]
            if member.message:
                assert told["message"][member.name] == member.message
        assert layout["order"] == order
