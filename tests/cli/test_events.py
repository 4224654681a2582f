"""What a run tells others of itself: which runs do, when, and in which form."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from collections.abc import Callable
from typing import Any

import pytest
import schemas
from hooks import BOTH, MISSING, TELL, read_event, write_script
from shell import BACKUPS, STATE, STORE, Shell

import metasnapshot
from metasnapshot.cli.event import LINE_MAX, line_of, variables_of
from metasnapshot.errors import StorageError


@pytest.fixture
def told(backed_up: Shell) -> Callable[[str], Any]:
    """What a command got on stdin that was called with a name; None if it was not run."""
    write_script(backed_up.path)
    return lambda name: read_event(backed_up.path, name)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("list", "--bogus", *BACKUPS), "--bogus"),
        (("bakcup",), "bakcup"),
        (("list", "--color", "purple"), "purple"),
        (("list", "--storage-retries", "many", *BACKUPS), "not a number of retries"),
        (("list", "--config", "not-there.toml"), "cannot read not-there.toml"),
        (("list", *BACKUPS, "--on-success", "not-there"), "no command not-there"),
        (("backup-meta", "--etcd-endpoints", "x"), "etcd"),
        (("list",), "--backup-storage-url"),
        (("check", "--nagios", "--bogus", *BACKUPS), "--bogus"),
        (("list", *BACKUPS, "--hook-timeout", "soon"), "not a duration"),
        (("list", "--config", "c\0"), "zero byte"),
        (("list", "--audit-log=a\0", *BACKUPS), "--audit-log contains a zero byte"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, tuple) else "",
)
def test_a_usage_error_is_an_event(
    backed_up: Shell, told: Callable[[str], Any], words: tuple[str, ...], says: str
) -> None:
    """A job that cron starts with a typing error would otherwise be missed for long."""
    code = backed_up.run(*words, "--on-failure", f"{TELL} bad").code
    assert code == (3 if "--nagios" in words else 2)
    found = told("bad")
    assert (found["exit_code"], found["error_kind"]) == (code, "UsageError")
    assert says in found["error"]


@pytest.mark.parametrize("words", [("--help",), ("list", "--help"), ("--version",), ()])
def test_help_is_no_run(
    backed_up: Shell,
    told: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    """Nobody is told of it."""
    monkeypatch.setenv("METASNAPSHOT_ON_SUCCESS", f"{TELL} good")
    assert backed_up.run(*words).code == 0
    assert told("good") is None


def test_an_interrupted_run_is_an_event(
    backed_up: Shell, told: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """130, by SIGTERM as by Ctrl-C."""

    def stop(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)

    monkeypatch.setattr("metasnapshot.backup", stop)
    assert backed_up.run("backup", *STORE, *BACKUPS, *BOTH).code == 130
    found = told("bad")
    assert (found["exit_code"], found["error"], found["made"]) == (130, "interrupted", [])


def test_an_interrupt_of_the_command_ends_it(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run keeps its exit code, and nobody waits for the command."""
    monkeypatch.setattr("metasnapshot.cli.hook.GRACE_S", 0.1)
    command = f"sh -c 'kill -TERM {os.getpid()}; sleep 99'"
    ran = backed_up.run(*MISSING, "--on-failure", command)
    assert ran.code == 12
    assert "warning: interrupted: not everybody was told" in ran.err


def test_settings_say_it_too_and_show_no_argument(
    backed_up: Shell, told: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file, the environment over it, the command line over both; an empty variable is none."""
    (backed_up.path / "metasnapshot.toml").write_text(
        f'[events]\non_success = "{TELL} file --token hush"\ntimeout = "9s"\n'
        'webhook = "https://user:hush@hooks.example.org/T0/hush?a=hush"\nwebhook_on = "failure"\n'
    )
    ran = backed_up.run("config", "show", "--json")
    assert (ran.code, "hush" in ran.out) == (0, False)
    shown = {item["option"]: item["value"] for item in json.loads(ran.out)["settings"]}
    assert shown["--webhook"] == "https://****@hooks.example.org ****"
    assert shown["--hook-timeout"] == "9s"
    assert told("file")["verb"] == "config"
    monkeypatch.setenv("METASNAPSHOT_ON_SUCCESS", f"{TELL} environment")
    assert backed_up.run("list", *BACKUPS).code == 0
    assert told("environment") is not None
    assert backed_up.run("list", *BACKUPS, "--on-success", f"{TELL} typed").code == 0
    assert told("typed") is not None
    (backed_up.path / "environment.json").unlink()
    (backed_up.path / "file.json").unlink()
    monkeypatch.setenv("METASNAPSHOT_ON_SUCCESS", "")
    assert backed_up.run("list", *BACKUPS).code == 0
    assert (told("environment"), told("file")) == (None, None)


ROUNDS = """#!/bin/sh
cat >> rounds.jsonl
"""


def test_watch_tells_of_each_round(backed_up: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a round, well or not, with its own ids; the end of all rounds is no event more."""
    script = backed_up.path / "round.sh"
    script.write_text(ROUNDS)
    script.chmod(stat.S_IRWXU)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    real, calls = metasnapshot.backup, iter((1, 2, 3))

    def backup(*arguments: Any) -> Any:
        if next(calls) == 2:
            raise StorageError("the store was away")
        return real(*arguments)

    monkeypatch.setattr(metasnapshot, "backup", backup)
    hooks = ("--on-failure", "./round.sh", "--on-success", "./round.sh")
    watch = ("watch", "--every", "7m", *STORE, *BACKUPS, *STATE, "--rounds", "3", "--keep-last")
    assert backed_up.run(*watch, "2", *hooks).code == 0
    lines = (backed_up.path / "rounds.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert {schemas.matched("event", item) for item in found} == {"event"}
    assert [item["round"] for item in found] == [1, 2, 3]
    assert [item["exit_code"] for item in found] == [0, 17, 0]
    assert [item["made"] for item in found] == [[10], [], [11]]
    assert [item["deleted"] for item in found] == [[], [], [9]]
    assert found[1]["error"] == "the store was away"
    assert len({item["run"] for item in found}) == 1


CLUSTERS = """
[cluster.one.storage]
backup_storage_url = "fs://backups"
[cluster.two.storage]
backup_storage_url = "fs://others"
[cluster.two.events]
on_failure = "./round.sh"
[events]
on_success = "./round.sh"
"""


def test_each_of_many_clusters_tells_of_itself(backed_up: Shell) -> None:
    """As its table says; the run of all of them, which ends with 3, tells nothing more."""
    script = backed_up.path / "round.sh"
    script.write_text(ROUNDS)
    script.chmod(stat.S_IRWXU)
    (backed_up.path / "metasnapshot.toml").write_text(CLUSTERS)
    assert backed_up.run("check", "--all-clusters").code == 3
    lines = (backed_up.path / "rounds.jsonl").read_text().splitlines()
    found = {item["cluster_name"]: item for item in map(json.loads, lines)}
    assert len(lines) == 2
    assert (found["one"]["exit_code"], found["two"]["exit_code"]) == (0, 5)
    assert backed_up.run("delete", "--all-clusters", "--on-failure", "./round.sh").code == 2
    last = json.loads((backed_up.path / "rounds.jsonl").read_text().splitlines()[-1])
    assert (last["verb"], last["cluster_name"], last["exit_code"]) == ("delete", None, 2)


def test_a_watch_that_cannot_begin_is_an_event(
    backed_up: Shell, told: Callable[[str], Any]
) -> None:
    """It has no round that could tell."""
    watch = ("watch", "--every", "0s", *STORE, *BACKUPS, *STATE)
    assert backed_up.run(*watch, "--on-failure", f"{TELL} bad").code == 2
    assert (told("bad")["round"], told("bad")["verb"]) == (None, "watch")


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000_000, "\0\x1b]0;\x7f" * 30_000, "\udcff\U0001f600é" * 40_000, list(range(10**6))],
    ids=["long", "control", "beyond", "many"],
)
def test_a_long_event_is_cut(value: object) -> None:
    """It stays one line of JSON below its limit, says so, and fits into an environment."""
    line = line_of({"error": value, "verb": "backup", "made": [1]})
    assert len(line) <= LINE_MAX
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    found = json.loads(line)
    assert (found["cut"], found["verb"], found["made"]) == (True, "backup", [1])
    variables = variables_of({"error": value})
    assert len(variables["MSNAP_EVENT_ERROR"]) <= 8192
    assert "\0" not in variables["MSNAP_EVENT_ERROR"]
    variables["MSNAP_EVENT_ERROR"].encode("utf-8")
