"""The dashboard and the alerts name metrics that there are, and hang together themselves."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from monitoring import ALERTS, DASHBOARD, NAME, VARIABLE, queries

from metasnapshot.cli.metrics import HELP

PAGE = (Path(__file__).parents[1] / "docs" / "monitoring.md").read_text(encoding="utf-8")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}
KNOWN = {f"{name}{end}" for name, (kind, _) in HELP.items() for end in SUFFIXES.get(kind, ("",))}
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
VARIABLES: dict[str, dict[str, Any]] = {
    item["name"]: item for item in DASHBOARD["templating"]["list"]
}
OURS = {"directory", "cluster", "verb"}
GRAFANA = {"__all"}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_names_what_there_is(rule: dict[str, Any]) -> None:
    """Metrics of the code and labels of ours; it has a severity, a summary, and what to do."""
    names = set(NAME.findall(rule["expr"]))
    assert names
    assert names <= KNOWN
    texts = rule["annotations"]
    assert set(texts) == {"summary", "description"}
    labels = set(re.findall(r"\$labels\.(\w+)", " ".join(texts.values())))
    assert labels <= OURS
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert f"| {rule['alert']} |" in PAGE


@pytest.mark.parametrize("title", queries())
def test_a_panel_names_what_there_is(title: str) -> None:
    """Metrics of the code, variables of the dashboard, and all that those choose."""
    for query in queries()[title]:
        names = NAME.findall(query)
        assert names
        assert set(names) <= KNOWN
        assert set(VARIABLE.findall(query)) <= set(VARIABLES)
        assert query.count('cluster=~"$cluster"') == len(names)
        assert query.count('directory=~"$directory"') == len(names)


def test_every_metric_is_looked_at() -> None:
    """What is measured stands on the dashboard."""
    seen = {name for found in queries().values() for query in found for name in NAME.findall(query)}
    assert {name for name in HELP if not any(it.startswith(name) for it in seen)} == set()


def test_no_datasource_is_fixed() -> None:
    """Whoever loads it chooses; nothing else in it belongs to one installation."""
    found: list[Any] = []

    def look(item: Any) -> None:
        if isinstance(item, dict):
            found.extend(value for key, value in item.items() if key == "uid")
            for value in item.values():
                look(value)
        elif isinstance(item, list):
            for value in item:
                look(value)

    look(DASHBOARD)
    assert set(found) == {None, "${datasource}"}
    assert DASHBOARD["id"] is None
    assert VARIABLES["datasource"]["type"] == "datasource"


def test_the_variables_are_used() -> None:
    """Cluster and directory, for all of them by default; the second knows what the first chose."""
    assert list(VARIABLES) == ["datasource", "cluster", "directory"]
    for name in ("cluster", "directory"):
        item = VARIABLES[name]
        assert (item["includeAll"], item["multi"], item["allValue"]) == (True, True, ".*")
        assert set(NAME.findall(item["definition"])) <= KNOWN
        assert set(VARIABLE.findall(item["definition"])) <= set(VARIABLES)
    assert "$cluster" in VARIABLES["directory"]["definition"]


def test_panels_have_a_place_each() -> None:
    """Inside 24 columns, none above another, each with an id, a title and a sentence."""
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel["type"] in {"stat", "timeseries"}
        assert panel["description"].endswith(".")
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for first, second in combinations([panel["gridPos"] for panel in PANELS], 2):
        assert any(
            first[at] + first[size] <= second[at] or second[at] + second[size] <= first[at]
            for at, size in (("x", "w"), ("y", "h"))
        )
