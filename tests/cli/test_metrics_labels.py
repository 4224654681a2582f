"""What a run is counted as in --metrics-file: by verb, by bucket, and not at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from shell import BACKUPS, STORE, bare

from metasnapshot.cli.app import main
from metasnapshot.cli.metrics import LINE, Metrics
from metasnapshot.cli.outcome import Outcome

METRICS = ("--metrics-file", "m.prom")
BACKUP = ("backup", *STORE, *BACKUPS, *METRICS)
ENDS = (
    "1 1.5 2.25 3.375 5.0625 7.59375 11.390625 17.0859375 25.62890625 38.443359375 57.6650390625 "
    "86.49755859375 129.746337890625 194.6195068359375 291.92926025390625 437.8938903808594 "
    "656.8408355712891 985.2612533569336 1477.8918800354004 2216.8378200531006 +Inf"
)
"""prometheus::exponential_buckets(1.0, 1.5, 20) of RisingWave's metrics.rs."""


def values(path: Path) -> dict[str, float]:
    found = (re.fullmatch(LINE, line) for line in path.read_text().splitlines())
    return {bare(match[1]): float(match[2]) for match in found if match}


def verbs(path: Path) -> set[str]:
    """Verbs that the file knows the last run of."""
    name = 'metasnapshot_last_run_exit_code{verb="'
    return {key.removeprefix(name)[:-2] for key in values(path) if key.startswith(name)}


def test_a_dry_run_is_no_backup(cluster: Path) -> None:
    """It has a label of its own, before and after real ones; their count and times stay."""
    assert main([*BACKUP, "--dry-run"]) == 0
    path = cluster / "m.prom"
    assert verbs(path) == {"backup --dry-run"}
    assert not any(name.startswith("backup_job") for name in values(path))
    assert main(BACKUP) == 0
    before = values(path)
    assert before["backup_job_count"] == 1
    assert main(["--metrics-file", "m.prom", "backup", "--dry-run", *STORE, *BACKUPS]) == 0
    after = values(path)
    assert verbs(path) == {"backup", "backup --dry-run"}
    own = {name for name in after if 'verb="backup --dry-run"' in name}
    assert {key: it for key, it in after.items() if key not in own} == {
        key: it for key, it in before.items() if key not in own
    }


@pytest.mark.parametrize(
    "words", [("meta", "backup-meta"), ("ctl", "meta", "backup-meta"), ("backup-meta",)]
)
def test_words_of_risectl_are_labelled_as_ours(cluster: Path, words: tuple[str, ...]) -> None:
    """A backup is counted as one, by whatever name it is asked for."""
    assert main([*words, *STORE, *BACKUPS, *METRICS]) == 0
    found = values(cluster / "m.prom")
    assert verbs(cluster / "m.prom") == {"backup"}
    assert found["backup_job_count"] == 1
    assert found['backup_job_latency_count{state="success"}'] == 1


def test_words_of_risectl_that_fail_are_labelled_too(cluster: Path) -> None:
    """With the code that they ended with."""
    (cluster / "state" / "hummock_001" / "checkpoint" / "0").unlink()
    assert main(["meta", "backup-meta", *STORE, *BACKUPS, *METRICS]) == 17
    found = values(cluster / "m.prom")
    assert found['metasnapshot_last_run_exit_code{verb="backup"}'] == 17
    assert found['backup_job_latency_count{state="failure"}'] == 1


def test_a_line_without_a_verb_is_labelled_none(cluster: Path) -> None:
    """Nor is what an earlier line said remembered."""
    assert main(BACKUP) == 0
    assert main(["bakcup", *METRICS]) == 2
    assert verbs(cluster / "m.prom") == {"backup", "none"}
    assert values(cluster / "m.prom")["backup_job_count"] == 1


@pytest.mark.parametrize(
    ("seconds", "ends"), [(0.5, 21), (1, 21), (1.2, 20), (11.390625, 15), (11.390626, 14), (1e9, 1)]
)
def test_buckets_are_named_exactly(tmp_path: Path, seconds: float, ends: int) -> None:
    """By all digits that they have: a histogram whose ends moved would be another one."""
    made = Metrics(Outcome())
    made.path = tmp_path / "m.prom"
    made.write("backup", 0, seconds)
    name = 'backup_job_latency_bucket{state="success",le="'
    found = {key: it for key, it in values(made.path).items() if key.startswith(name)}
    assert [key.removeprefix(name)[:-2] for key in found] == ENDS.split()
    assert list(found.values()) == [0] * (21 - ends) + [1] * ends


def _lose(snapshot: Path) -> None:
    snapshot.write_bytes(snapshot.read_bytes()[:-1])


def _delete(_: Path) -> None:
    assert main(["delete", "9", "--yes", *BACKUPS]) == 0


@pytest.mark.parametrize("lose", [_lose, _delete], ids=["damaged", "deleted"])
def test_without_a_sound_snapshot_the_newest_has_no_time(
    cluster: Path, lose: Callable[[Path], None]
) -> None:
    """0, not that of the last check that found one: an alarm on its age must ring."""
    assert main(BACKUP) == 0
    check = ("check", *BACKUPS, *METRICS)
    newest = "metasnapshot_newest_timestamp_seconds"
    assert main(check) == 0
    assert values(cluster / "m.prom")[newest] > 1.7e9
    lose(cluster / "backups" / "backup" / "9.snapshot")
    assert main(check) == 5
    found = values(cluster / "m.prom")
    assert (found[newest], found["metasnapshot_newest_bytes"]) == (0, 0)


def labelled(path: Path, name: str) -> list[str]:
    """The label sets of a metric, as they stand in the file."""
    lines = path.read_text().splitlines()
    return [line.split(" ")[0] for line in lines if line.startswith((f"{name}{{", f"{name} "))]


def test_directory_and_cluster_are_labels(cluster: Path) -> None:
    """From the first backup on, on every line; two directories in one file stay apart."""
    assert main([*BACKUP]) == 0
    assert main(["check", *BACKUPS, "--max-age", "99999d", *METRICS]) == 0
    (found,) = labelled(cluster / "m.prom", "metasnapshot_snapshots")
    labels = r'directory="fs://backups/backup",cluster="[0-9a-f]{8}-[0-9a-f-]{27}"'
    assert re.fullmatch(rf"metasnapshot_snapshots{{{labels}}}", found)
    lines = [it for it in (cluster / "m.prom").read_text().splitlines() if it[0] != "#"]
    assert [line for line in lines if not re.search(labels, line)] == []
    other = (*BACKUPS, "--backup-storage-directory", "other")
    assert main(["backup", *STORE, *other, *METRICS]) == 0
    assert main(["check", *other, *METRICS]) == 0
    assert len(labelled(cluster / "m.prom", "metasnapshot_snapshots")) == 2


def test_what_counted_without_labels_counts_on(cluster: Path) -> None:
    """The file of 0.1.0, and one whose cluster was not yet known."""
    path = cluster / "m.prom"
    path.write_text(
        "backup_job_count 7\n"
        'metasnapshot_last_run_exit_code{verb="backup"} 3\n'
        'metasnapshot_last_run_exit_code{verb="coverage"} 2\n'
        'backup_job_latency_count{directory="fs://backups/backup",state="success"} 5\n'
    )
    assert main(BACKUP) == 0
    (count,) = labelled(path, "backup_job_count")
    assert 'cluster="' in count
    found = values(path)
    assert found["backup_job_count"] == 8
    assert found['backup_job_latency_count{state="success"}'] == 6
    codes = labelled(path, "metasnapshot_last_run_exit_code")
    assert len(codes) == 2
    assert 'metasnapshot_last_run_exit_code{verb="coverage"}' in codes


def test_no_label_has_a_secret_or_breaks_a_line(tmp_path: Path) -> None:
    """The URL is shown as everywhere; quotes and line breaks are escaped."""
    made = Metrics(Outcome())
    made.path, made.outcome.directory = tmp_path / "m.prom", 'fs://a"b\\c\nd}e/backup'
    for _ in range(2):
        made.write("backup", 0, 1.0)
    (found,) = labelled(made.path, "backup_job_count")
    assert found == r'backup_job_count{directory="fs://a\"b\\c\nd}e/backup"}'
    assert f"{found} 2" in made.path.read_text().splitlines()
    url = "minio://user:secret@127.0.0.1:1/b"
    path = tmp_path / "n.prom"
    place = ("--backup-storage-url", url, "--storage-retries", "0")
    main(["check", *place, "--metrics-file", str(path)])
    assert "secret" not in path.read_text()
