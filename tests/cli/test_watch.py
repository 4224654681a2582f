"""watch through bad days: a store that is away, another watcher, a snapshot that is not sound."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import TIMEOUT_MAX

import goldens
import pytest
from ran import Ran
from shell import BACKUPS, STATE, STATE_FOLDER, STORE, bare

from metasnapshot.catalogue.ledger import read_ledger
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.watcher import WATCHER_NAME, Watcher
from metasnapshot.cli.app import main
from metasnapshot.cli.watch_log import Form, WatchLog
from metasnapshot.errors import StorageError
from metasnapshot.hummock.objects import needed_by
from metasnapshot.hummock.paths import object_path
from metasnapshot.store.local import LocalStore

MADE = (*STORE, *BACKUPS)
FIRST = Path("state/hummock_001/1001.data")
RENEWALS = 3
"""Of a round: before the backup, the verification and the expiry."""
HOUR = timedelta(hours=1)


class Watch:
    """Runs the command; between rounds nobody waits, but `meanwhile` is called."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.pauses: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.meanwhile()

    def __call__(self, *options: str, every: str = "7m") -> Ran:
        self._capsys.readouterr()
        code = main(["watch", "--every", every, *MADE, *options])
        found = self._capsys.readouterr()
        return Ran(code, found.out, found.err)


@pytest.fixture
def watch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Watch:
    """Where a meta store says that its objects are in a store that is not there."""
    monkeypatch.chdir(tmp_path)
    goldens.copy_store(goldens.SHIPPED / "v3.0.3", tmp_path / "meta.db")
    goldens.write_state(goldens.SHIPPED / "v3.0.3", tmp_path / "state")
    made = Watch(capsys)
    monkeypatch.setattr(time, "sleep", made.sleep)
    return made


def repository() -> Repository:
    return Repository(LocalStore(Path("backups")), "backup")


def write_objects() -> None:
    """Every object that the first backup needs, as a hole."""
    with repository().open(9) as reader:
        for item in needed_by(reader):
            path = Path("state", object_path("hummock_001", item.id, item.suffix, prefixed=False))
            with path.open("wb") as file:
                file.truncate(item.size)


def fail_renewal(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> list[int]:
    """Let these renewals fail, counted from 1; returns the list that counts them."""
    renew, calls = Watcher.renew, list[int]()

    def failing(self: Watcher, life: timedelta) -> None:
        calls.append(len(calls) + 1)
        if calls[-1] in numbers:
            raise StorageError("the store was away")
        renew(self, life)

    monkeypatch.setattr(Watcher, "renew", failing)
    return calls


@pytest.mark.parametrize("part", range(1, RENEWALS + 1))
def test_a_store_that_is_away_while_the_watcher_renews_is_told(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    """Whichever part of the second round comes next; the third is as the first."""
    calls = fail_renewal(monkeypatch, RENEWALS + part)
    ran = watch(*STATE_FOLDER, "--rounds", "3")
    assert (ran.code, ran.out.count("verified")) == (0, 2)
    assert ran.err.count("error: the store was away\n") == 1
    assert len(calls) == 2 * RENEWALS + part
    assert watch.pauses == [420.0, 420.0]


def test_a_round_that_failed_last_is_the_exit_code(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is counted as a failed backup."""
    fail_renewal(monkeypatch, RENEWALS + 1)
    ran = watch(*STATE_FOLDER, "--rounds", "2", "--metrics-file", "m.prom")
    assert ran.code == StorageError.exit_code
    lines = [bare(line) for line in Path("m.prom").read_text().splitlines()]
    assert 'backup_job_latency_count{state="success"} 1' in lines
    assert 'backup_job_latency_count{state="failure"} 1' in lines


def test_another_watcher_ends_it(watch: Watch) -> None:
    """One that came while it could not be heard of: 11, at once, and the other stays."""

    def take_over() -> None:
        store = LocalStore(Path("backups"))
        store.delete(f"backup/{WATCHER_NAME}")
        Watcher(store, "backup", "another").renew(HOUR)

    watch.meanwhile = take_over
    ran = watch(*STATE_FOLDER, "--rounds", "3")
    assert (ran.code, ran.out.count("verified"), len(watch.pauses)) == (11, 1, 1)
    assert "watches already" in ran.err
    assert repository().store.head(f"backup/{WATCHER_NAME}") is not None


def test_no_time_at_all_is_refused(watch: Watch) -> None:
    """Before anything is done."""
    for every in ("0s", "0ms", "0w"):
        ran = watch(*STATE_FOLDER, "--rounds", "1", every=every)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == "error: --every is zero\nhint: such as 30m\n"
    assert not Path("backups").exists()


def test_a_time_that_no_system_waits_is_cut(watch: Watch) -> None:
    """Systems count nanoseconds in 63 bits: 292 years."""
    assert watch(*STATE_FOLDER, "--rounds", "2", every="52000w").code == 0
    assert watch.pauses == [TIMEOUT_MAX]


def test_objects_are_looked_for_where_the_options_say(watch: Watch) -> None:
    """Not where the snapshot's own parameters say, where nothing is; the notes say how deep."""
    assert watch(*STATE_FOLDER, "--rounds", "1").code == 0
    write_objects()
    ran = watch(*STATE_FOLDER, "--rounds", "1", "--level", "objects")
    assert (ran.code, ran.out.count("verified")) == (0, 1)
    noted = read_ledger(repository().store, "backup").verified
    assert {number: item.level for number, item in noted.items()} == {9: "rows", 10: "objects"}


def test_a_failed_verification_has_its_own_code(watch: Watch) -> None:
    """Lost objects are 17, damaged ones 4; neither is expired, and nobody is left watching."""
    assert watch(*STATE_FOLDER, "--rounds", "1").code == 0
    write_objects()
    size = FIRST.stat().st_size
    FIRST.unlink()
    deep = (*STATE_FOLDER, "--rounds", "1", "--level", "objects", "--keep-last", "1")
    ran = watch(*deep)
    assert (ran.code, "verified" in ran.out) == (17, False)
    FIRST.write_bytes(b"x" * (size - 1))
    assert watch(*deep).code == 4
    assert repository().manifest().ids == (9, 10, 11)
    assert repository().store.head(f"backup/{WATCHER_NAME}") is None


def test_half_of_a_place_is_enough(watch: Watch) -> None:
    """The other half is the cluster's own; a directory of nowhere is told before anything is
    done."""
    assert watch(*STATE, "--rounds", "1").code == 0
    ran = watch("--hummock-storage-directory", "hummock_001", "--rounds", "1", "--level", "objects")
    assert (ran.code, ran.out) == (2, "")
    assert "--hummock-storage-url is not" in ran.err
    assert repository().manifest().ids == (9,)


STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"


def test_every_line_has_its_time_and_a_warning_comes_once(watch: Watch) -> None:
    """Three rounds: three lines of success, and one that the snapshots are not pinned."""
    ran = watch(*STATE, "--rounds", "3")
    lines = ran.out.splitlines()
    assert (ran.code, len(lines)) == (0, 3)
    assert all(re.fullmatch(rf"{STAMP} backup [0-9]+: [0-9]+ bytes, verified", it) for it in lines)
    warnings = ran.err.splitlines()
    assert len(warnings) == 1
    assert re.match(rf"{STAMP} warning: not pinned", warnings[0])


def test_rounds_as_json(watch: Watch) -> None:
    """A line each on stdout, errors and warnings too, and nothing on stderr."""
    Path("state/hummock_001/checkpoint/0").rename("away")

    def bring_back() -> None:
        Path("away").rename("state/hummock_001/checkpoint/0")

    watch.meanwhile = bring_back
    ran = watch(*STATE, "--rounds", "2", "--log", "json")
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, ran.err) == (0, "")
    assert [item["level"] for item in found] == ["error", "warning", "info"]
    assert found[0]["error"]["exit_code"] == 17
    assert (found[2]["backup"], found[2]["expired"]) == (9, [])
    assert all(re.fullmatch(STAMP, item["at"]) for item in found)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_who_asks_for_the_end_gets_it(watch: Watch, number: int, code: int) -> None:
    """SIGTERM is how services end; Ctrl-C breaks off."""
    watch.meanwhile = lambda: os.kill(os.getpid(), number)
    ran = watch(*STATE, "--rounds", "3")
    assert ran.code == code
    assert "backup 9: " in ran.out
    assert not LocalStore(Path("backups")).read("backup/manifest.json").data.count(b"watch")
    assert LocalStore(Path("backups")).head(f"backup/{WATCHER_NAME}") is None


def test_a_signal_that_a_driver_swallows_ends_it_too(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed after the signal failed by it: no further round is tried."""

    def fail(*_: object) -> None:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0)
        raise StorageError("gone")

    monkeypatch.setattr("metasnapshot.backup", fail)
    ran = watch(*STATE, "--rounds", "3")
    assert (ran.code, ran.out, watch.pauses) == (0, "", [])


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_round_is_told_at_once(monkeypatch: pytest.MonkeyPatch, form: Form) -> None:
    """Down a pipe too, which Python would fill first: a journal that is an hour late is none."""
    pipe = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(pipe, "utf-8"))
    WatchLog(form).success(7, 131, [])
    assert b"backup" in pipe.getvalue()
    pipe.close()
