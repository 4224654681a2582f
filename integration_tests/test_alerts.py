"""Prometheus' own promtool reads what is shipped for it, and what we write."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import goldens
import pytest
import yaml
from monitoring import ALERTS, PLACE, VARIABLE, queries

from metasnapshot.cli.app import main

DAY, HOUR = 86400, 3600
NOW = 30 * DAY
WHERE = 'directory="fs://b/backup",cluster="c"'
LABELS = {"directory": "fs://b/backup", "cluster": "c"}
RISINGWAVE = "backup_job_count "
"""A name of RisingWave's, which the lint does not like for a counter."""
Series = dict[str, float]


@pytest.fixture(scope="module")
def promtool() -> str:
    """It comes with Debian's package prometheus."""
    found = shutil.which("promtool")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("promtool is not installed")
    return str(found)


def run(*words: str | Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, input=data, capture_output=True, check=False, timeout=120)


def test_the_rules_are_rules(promtool: str) -> None:
    """promtool check rules has no word against them."""
    with_path = run(promtool, "check", "rules", str(PLACE / "alerts.yaml"))
    assert with_path.returncode == 0, with_path.stdout + with_path.stderr
    assert f"{len(ALERTS)} rules found".encode() in with_path.stdout


CASES: dict[str, tuple[Series, Series, dict[str, str]]] = {
    "MetasnapshotNoNewSnapshot": (
        {f"metasnapshot_newest_timestamp_seconds{{{WHERE}}}": NOW - 30 * HOUR},
        {f"metasnapshot_newest_timestamp_seconds{{{WHERE}}}": NOW - 25 * HOUR},
        {},
    ),
    "MetasnapshotLastRunFailed": (
        {f'metasnapshot_last_run_exit_code{{{WHERE},verb="backup"}}': 17},
        {
            f'metasnapshot_last_run_exit_code{{{WHERE},verb="backup"}}': 0,
            f'metasnapshot_last_run_exit_code{{{WHERE},verb="none"}}': 2,
        },
        {"verb": "backup"},
    ),
    "MetasnapshotNotVerified": (
        {f"metasnapshot_newest_verified_timestamp_seconds{{{WHERE}}}": NOW - 10 * DAY},
        {f"metasnapshot_newest_verified_timestamp_seconds{{{WHERE}}}": NOW - 7 * DAY},
        {},
    ),
    "MetasnapshotProblems": (
        {f"metasnapshot_problems{{{WHERE}}}": 1},
        {f"metasnapshot_problems{{{WHERE}}}": 0},
        {},
    ),
    "MetasnapshotObjectsMissing": (
        {f'metasnapshot_objects_missing{{{WHERE},verb="verify"}}': 3},
        {f'metasnapshot_objects_missing{{{WHERE},verb="verify"}}': 0},
        {"verb": "verify"},
    ),
    "MetasnapshotDrillTooOld": (
        {f"metasnapshot_drill_timestamp_seconds{{{WHERE}}}": NOW - 36 * DAY},
        {f"metasnapshot_drill_timestamp_seconds{{{WHERE}}}": NOW - 34 * DAY},
        {},
    ),
    "MetasnapshotDrillFailed": (
        {f"metasnapshot_drill_success{{{WHERE}}}": 0},
        {f"metasnapshot_drill_success{{{WHERE}}}": 1},
        {},
    ),
    "MetasnapshotMetricsStale": (
        {
            f'metasnapshot_last_run_timestamp_seconds{{{WHERE},verb="check"}}': NOW - 30 * HOUR,
            f'metasnapshot_last_run_timestamp_seconds{{{WHERE},verb="drill"}}': NOW - 9 * DAY,
        },
        {
            f'metasnapshot_last_run_timestamp_seconds{{{WHERE},verb="check"}}': NOW - HOUR,
            f'metasnapshot_last_run_timestamp_seconds{{{WHERE},verb="drill"}}': NOW - 9 * DAY,
        },
        {},
    ),
    "MetasnapshotMetricsAbsent": (
        {"up": 1},
        {f'metasnapshot_last_run_timestamp_seconds{{{WHERE},verb="check"}}': NOW},
        {},
    ),
}
"""Of each alert: series that make it ring, series that do not, and the labels that it has more."""


def test_every_alert_has_a_case() -> None:
    """One that is added is judged too."""
    assert list(CASES) == [rule["alert"] for rule in ALERTS]


@pytest.mark.parametrize("name", CASES)
def test_an_alert_rings_when_it_must(promtool: str, tmp_path: Path, name: str) -> None:
    """With made-up series, 30 days long: it rings for the bad ones and is silent for the good."""
    bad, good, more = CASES[name]
    rule = next(rule for rule in ALERTS if rule["alert"] == name)
    labels = {} if name.endswith("Absent") else LABELS
    expected = {"exp_labels": {**rule["labels"], **labels, **more}}
    groups = [
        {
            "interval": "1h",
            "input_series": [
                {"series": key, "values": f"{value}x{NOW // HOUR}"} for key, value in series.items()
            ],
            "alert_rule_test": [{"eval_time": f"{NOW}s", "alertname": name, "exp_alerts": alerts}],
        }
        for series, alerts in ((bad, [expected]), (good, []))
    ]
    file = tmp_path / "test.yaml"
    document: dict[str, Any] = {
        "rule_files": [str(_bare_rules(tmp_path))],
        "evaluation_interval": "1h",
        "tests": groups,
    }
    file.write_text(yaml.safe_dump(document))
    found = run(promtool, "test", "rules", file)
    assert found.returncode == 0, found.stdout + found.stderr


def _bare_rules(folder: Path) -> Path:
    """The rules without their texts, which would have to be repeated to the letter."""
    rules = [{key: it for key, it in rule.items() if key != "annotations"} for rule in ALERTS]
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "bare", "rules": rules}]}))
    return path


def test_every_query_of_the_dashboard_parses(promtool: str, tmp_path: Path) -> None:
    """As Prometheus parses it, with a value for each variable; a wrong one would be seen."""
    found = [VARIABLE.sub(".*", query) for each in queries().values() for query in each]
    rules = [{"record": f"panel:{number}", "expr": it} for number, it in enumerate(found)]
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = run(promtool, "check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
    path.write_text(path.read_text().replace("time()", "time("))
    assert run(promtool, "check", "rules", path).returncode != 0


def test_what_we_write_is_read(
    promtool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of several verbs passes promtool check metrics, but for names of RisingWave's."""
    monkeypatch.chdir(tmp_path)
    goldens.lay_out(goldens.SHIPPED / "v3.0.3", tmp_path)
    place = ("--backup-storage-url", "fs://backups", "--metrics-file", "m.prom")
    assert main(["backup", "--meta-store", "sqlite:///meta.db", *place]) == 0
    for verb in ("verify", "check", "pins", "drill"):
        assert main([verb, *place]) == 0
    done = run(promtool, "check", "metrics", data=(tmp_path / "m.prom").read_bytes())
    told = (done.stdout + done.stderr).decode().splitlines()
    assert [line for line in told if not line.startswith(RISINGWAVE)] == []
