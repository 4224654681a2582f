"""--metrics-file and watch: what a run came to is there for Prometheus, well or not."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from shell import BACKUPS, STATE_FOLDER, STORE, bare

import metasnapshot
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.watcher import WATCHER_NAME, Watcher
from metasnapshot.cli.app import main
from metasnapshot.cli.metrics import LINE, Metrics
from metasnapshot.cli.outcome import Outcome
from metasnapshot.errors import StorageError
from metasnapshot.store.local import LocalStore

BACKUP = ("backup", *STORE, *BACKUPS, *STATE_FOLDER)
METRICS = ("--metrics-file", "m.prom")
WATCH = ("watch", "--every", "1s", *BACKUP[1:])


def values(path: Path) -> dict[str, float]:
    """Every line of the file that is no remark; a line of another form fails."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("# ")]
    found = [re.fullmatch(LINE, line) for line in lines]
    return {bare(match[1]): float(match[2]) for match in found if match}


def test_a_run_that_went_well(cluster: Path) -> None:
    """Its time, code and latency; RisingWave's own names count on."""
    for _ in range(2):
        assert main([*BACKUP, *METRICS]) == 0
    found = values(cluster / "m.prom")
    assert found["backup_job_count"] == 2
    assert found['backup_job_latency_count{state="success"}'] == 2
    assert found['backup_job_latency_bucket{state="success",le="+Inf"}'] == 2
    assert found['metasnapshot_last_run_exit_code{verb="backup"}'] == 0
    assert found['metasnapshot_last_success_timestamp_seconds{verb="backup"}'] > 1.7e9


def test_a_run_that_failed(cluster: Path) -> None:
    """The last success stays, the code says what went wrong."""
    assert main([*BACKUP, *METRICS]) == 0
    before = values(cluster / "m.prom")
    (cluster / "state" / "hummock_001" / "checkpoint" / "0").unlink()
    assert main([*BACKUP, *METRICS]) == 17
    found = values(cluster / "m.prom")
    success = 'metasnapshot_last_success_timestamp_seconds{verb="backup"}'
    assert found[success] == before[success]
    assert found['metasnapshot_last_run_exit_code{verb="backup"}'] == 17
    assert found['backup_job_latency_count{state="failure"}'] == 1


def test_check_tells_of_the_newest(cluster: Path) -> None:
    """How many there are, when the newest was taken, how large it is, what is wrong."""
    assert main(BACKUP) == 0
    assert main(["check", "--max-age", "0s", *BACKUPS, *METRICS]) == 5
    found = values(cluster / "m.prom")
    assert found["metasnapshot_snapshots"] == 1
    assert found["metasnapshot_problems"] == 1
    assert found["metasnapshot_newest_timestamp_seconds"] > 1.7e9
    assert found["metasnapshot_newest_bytes"] > 100_000


def test_the_file_has_its_form(cluster: Path) -> None:
    """HELP and TYPE stand before each metric; buckets only grow."""
    main([*BACKUP, *METRICS])
    text = (cluster / "m.prom").read_text()
    for name in re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE):
        assert f"# HELP {name} " in text
    buckets = [value for name, value in values(cluster / "m.prom").items() if "_bucket" in name]
    assert buckets == sorted(buckets)
    assert len(buckets) == 21


def test_a_file_that_cannot_be_written(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that went well is then one that failed; its own failure is told first."""
    assert main([*BACKUP, "--metrics-file", "none/m.prom"]) == StorageError.exit_code
    assert "cannot write none/m.prom" in capsys.readouterr().err
    assert main(["show", "77", *BACKUPS, "--metrics-file", "none/m.prom"]) == 12
    assert not (cluster / "none").exists()


def test_a_file_of_somebody_else_is_replaced(tmp_path: Path) -> None:
    """What is no metric does not stay."""
    made = Metrics(Outcome())
    made.path = tmp_path / "m.prom"
    made.path.write_bytes(b"\xff\nhello cluster!\n")
    made.write("list", 0, 1.5)
    assert "hello" not in made.path.read_text()
    assert values(made.path)['metasnapshot_last_run_duration_seconds{verb="list"}'] == 1.5


def test_watch_backs_up_verifies_and_expires(
    cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Round after round; what no rule keeps goes, and nobody is left watching."""
    assert main([*WATCH, "--keep-last", "2", "--rounds", "3", *METRICS]) == 0
    repository = Repository(LocalStore(cluster / "backups"), "backup")
    assert len(repository.manifest().ids) == 2
    assert "expired" in capsys.readouterr().out
    assert repository.store.head(f"backup/{WATCHER_NAME}") is None
    assert values(cluster / "m.prom")["backup_job_count"] == 3


def test_watch_goes_on_after_a_round_that_failed(
    cluster: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, with its code, and the next round comes."""
    honest = metasnapshot.backup
    checkpoint = cluster / "state" / "hummock_001" / "checkpoint" / "0"
    rounds = iter([True])

    def backup(*arguments: object) -> object:
        if next(rounds, False):
            raise StorageError("the store was away")
        return honest(*arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(metasnapshot, "backup", backup)
    assert checkpoint.exists()
    assert main([*WATCH, "--rounds", "2"]) == 0
    shown = capsys.readouterr()
    assert "error: the store was away" in shown.err
    assert "verified" in shown.out


def test_two_watchers_are_one_too_many(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second leaves with 11, and says who watches."""
    store = LocalStore(cluster / "backups")
    Watcher(store, "backup", "another").renew(timedelta(hours=1))
    assert main([*WATCH, "--rounds", "1"]) == 11
    assert "watches already" in capsys.readouterr().err
    assert store.head(f"backup/{WATCHER_NAME}") is not None
