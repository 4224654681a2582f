"""What is shipped for Prometheus and Grafana, as tests read it."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import yaml

PLACE = files("metasnapshot") / "monitoring"
ALERTS: list[dict[str, Any]] = yaml.safe_load((PLACE / "alerts.yaml").read_text())["groups"][0][
    "rules"
]
DASHBOARD: dict[str, Any] = json.loads((PLACE / "dashboard.json").read_text())
VARIABLE = re.compile(r"\$\{?(\w+)\}?")
NAME = re.compile(r"\b(?:metasnapshot|backup_job)_\w+")


def queries() -> dict[str, list[str]]:
    """The expressions of each panel, by its title."""
    return {
        panel["title"]: [target["expr"] for target in panel["targets"]]
        for panel in DASHBOARD["panels"]
    }
