"""docs/many-clusters.md: its example with three SQLite clusters, and their metrics in one file."""

from __future__ import annotations

import re
import shlex
import threading
from pathlib import Path

import goldens
import pytest
import schemas
from shell import Shell

from metasnapshot.cli.clusters.fit import FIT
from metasnapshot.cli.metrics import Metrics, parse
from metasnapshot.cli.outcome import Outcome
from metasnapshot.cli.settings import LOCATIONS, setting_of

PAGE = Path(__file__).parents[3] / "docs" / "many-clusters.md"
NAMES = ("prod", "test", "old")


def block(language: str) -> str:
    """The first block of code of a language on the page."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(f"```{language}\n")[2].partition("```")[0]


@pytest.fixture
def page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """The command beside the page's own file, whose three clusters are there."""
    monkeypatch.chdir(tmp_path)
    Path("metasnapshot.toml").write_text(block("toml").replace("/srv/", f"{tmp_path}/"))
    for name in NAMES:
        Path(name).mkdir()
        goldens.copy_store(goldens.SHIPPED / "v3.0.3", tmp_path / name / "meta.db")
        goldens.write_state(goldens.SHIPPED / "v3.0.3", tmp_path / name / "state")
    return Shell(tmp_path, capsys)


def test_the_example_of_the_page(page: Shell) -> None:
    """Each of its lines ends well; then one cluster loses its backups, and the others do not. The
    documents of all are as the schema of their verb says, and one file has the metrics of all.
    """
    for line in block("sh").splitlines():
        words = shlex.split(line)[1:]
        ran = page.run(*words, "--metrics-file", "all.prom")
        assert ran.code == 0, (line, ran)
    counts = {name: len([*Path("backups", name).rglob("*.snapshot")]) for name in NAMES}
    assert counts == {"prod": 2, "test": 1, "old": 1}
    next(Path("backups/test").rglob("*.snapshot")).unlink()
    code, found = page.answer("check", "--all-clusters", "--metrics-file", "all.prom")
    assert (code, [item["exit_code"] for item in found["clusters"]]) == (3, [0, 5, 0])
    for item in found["clusters"]:
        assert schemas.matched("check", item["document"]) == "checked"
    values = parse(Path("all.prom").read_text())
    checked = {key: it for key, it in values.items() if re.search(r'_exit_code.*"check"', key)}
    assert sorted(checked.values()) == [0, 0, 5]
    for name in NAMES:
        assert sum(f"/backups/{name}/backup" in key for key in checked) == 1


def test_runs_at_the_same_time_lose_no_metrics(tmp_path: Path) -> None:
    """Each has read the file before another wrote it, but for the lock."""
    path = tmp_path / "all.prom"

    def run(number: int) -> None:
        metrics = Metrics(Outcome(verb="backup", directory=f"fs://{number}"))
        metrics.path = path
        for _ in range(5):
            metrics.write("backup", 0, 1.0)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {key: it for key, it in parse(path.read_text()).items() if "job_count" in key}
    assert found == {f'backup_job_count{{directory="fs://{n}"}}': 5 for n in range(8)}
    assert [item.name for item in tmp_path.iterdir()] == ["all.prom"]


def test_the_page_names_each_verb_that_works_on_all() -> None:
    """And each setting that must stand in a cluster's table."""
    text = PAGE.read_text(encoding="utf-8")
    assert [verb for verb in FIT if f"`{verb}" not in text] == []
    keys = [setting_of(option) for option in LOCATIONS]
    assert [it for it in keys if it is None or f"`{it.table}.{it.key}`" not in text] == []
