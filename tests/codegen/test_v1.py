"""Mistakes in v1.yaml are named where they stand; what was released cannot be said differently."""

from __future__ import annotations

import pytest
from project_schema import ProjectSchema


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param(
            "message: catalog.View,",
            "message: catalog.Vieww,",
            "found message `catalog.Vieww` with key `id`, expected them in messages.yaml",
            id="an unknown message",
        ),
        pytest.param(
            "message: catalog.View, key: id",
            "message: catalog.View, key: ident",
            "found message `catalog.View` with key `ident`, expected them in messages.yaml",
            id="a key that the message lacks",
        ),
        pytest.param(
            "message: catalog.View, key: id",
            "message: catalog.View",
            "found form messages with message `catalog.View` and key ``",
            id="a list without a key",
        ),
        pytest.param(
            "member: view, keys: field",
            "member: view, keys: own",
            "found keys own of `view` in v1-0.1.15, expected a member of form pairs",
            id="keys of another form",
        ),
        pytest.param(
            "family: cf/catalog_view, member: view",
            "family: cf/catalog_view, member: views",
            "found keys field of `views` in v1-0.1.15",
            id="a family of no member",
        ),
        pytest.param(
            "form: text, since: v1-0.19",
            "form: text, since: v1-0.20",
            "found `v1-0.20`, expected one of v1-0.1.15",
            id="an unknown layout",
        ),
        pytest.param(
            "form: text, since: v1-0.19",
            "form: text, since: v1-0.19, until: v1-0.1.17",
            "found until v1-0.1.17 before since v1-0.19",
            id="a life backwards",
        ),
        pytest.param(
            "era: v0.1.17, header", "era: v0.1.18, header", "found `v0.1.18`", id="an unknown era"
        ),
        pytest.param("header: id,", "header: ids,", "found `ids`, expected one of id", id="header"),
        pytest.param("releases: [0.1.17, 0.18.0]", "releases: []", "found no release", id="empty"),
        pytest.param(
            "- {member: view,",
            "- {member: source,",
            "found a member twice in v1-0.1.15",
            id="a member twice",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(
    schema: ProjectSchema, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    """File, line, what was found and what was expected."""
    schema.edit("v1.yaml", old, new)
    assert schema.run() == 2
    told = capsys.readouterr().err
    assert said in told
    assert "v1.yaml:" in told


def test_eras_come_in_their_order(
    schema: ProjectSchema, capsys: pytest.CaptureFixture[str]
) -> None:
    """A later layout starts with a later era."""
    schema.edit("v1.yaml", "layout: v1-1.8, era: v1.8.0", "layout: v1-1.8, era: v0.19.0")
    assert schema.run() == 2
    assert "expected eras in their order" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- {member: view, form: messages, message: catalog.View, key: id}\n", ""),
        ("releases: [0.1.17, 0.18.0]", "releases: [0.1.17]"),
        ("cf/catalog_view", "cf/catalog_views"),
    ],
)
def test_a_released_layout_never_changes(
    schema: ProjectSchema, capsys: pytest.CaptureFixture[str], old: str, new: str
) -> None:
    """A member that is removed or moved, a family by another name: refused."""
    schema.edit("v1.yaml", old, new)
    if not new:
        schema.edit("v1.yaml", "- {family: cf/catalog_view, member: view, keys: field}\n", "")
    assert schema.run() == 1
    assert "frozen: v1 v1-" in capsys.readouterr().err


def test_without_the_file_nothing_of_v1_is_generated(
    schema: ProjectSchema, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package that reads none needs none; one that did cannot lose it."""
    (schema.path / "v1.yaml").unlink()
    assert schema.run() == 1
    assert "frozen: v1 v1-0.1.15 is gone" in capsys.readouterr().err
    (schema.path / "frozen.txt").unlink()
    assert schema.run() == 0
    assert not list(schema.out.rglob("v1.py"))
