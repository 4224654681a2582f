"""--on-failure and --on-success: a command gets the event of a run, and changes nothing of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked import run as run_process
from hooks import BOTH, MISSING, TELL, read_event, write_script
from shell import BACKUPS, STORE, Shell

import metasnapshot
from metasnapshot.cli.settings import SETTINGS, is_our_own


@pytest.fixture
def told(backed_up: Shell) -> Callable[[str], Any]:
    """What a command got on stdin that was called with a name; None if it was not run."""
    write_script(backed_up.path)
    return lambda name: read_event(backed_up.path, name)


def test_each_result_has_its_command(backed_up: Shell, told: Callable[[str], Any]) -> None:
    """One of the two is run, with the words as they are split and no shell that looks into them."""
    assert backed_up.run("list", *BACKUPS, *BOTH).code == 0
    assert told("bad") is None
    found = told("good")
    assert (found["result"], found["verb"], found["exit_code"]) == ("success", "list", 0)
    assert (found["error"], found["error_kind"], found["hint"]) == (None, None, None)
    assert backed_up.run(*MISSING, *BOTH).code == 12
    found = told("bad")
    assert (found["result"], found["exit_code"]) == ("failure", 12)
    assert (found["error_kind"], found["hint"]) == ("SnapshotNotFound", "the manifest has 9")
    assert "ended with 12: snapshot id 77 not found" in found["text"]
    assert (backed_up.path / "bad.words").read_text() == "bad\ntwo words\n$HOME\n"


def test_stdout_stays_ours(told: Callable[[str], Any]) -> None:
    """What the command prints goes to stderr: a script that reads our JSON reads nothing else."""
    ran = run_process("list", *BACKUPS, "--json", *BOTH)
    assert told("good")["verb"] == "list"
    assert json.loads(ran.out)["manifest_id"]
    assert ran.err == "told on stdout\n"


SECRETS = {
    "METASNAPSHOT_META_STORE_PASSWORD": "hush",
    "METASNAPSHOT_BACKUP_STORAGE_URL": "fs://backups",
    "METASNAPSHOT_WEBHOOK_ON": "any",
    "PGPASSWORD": "hush",
    "PGHOST": "hush",
    "MYSQL_PWD": "hush",
    "AWS_SECRET_ACCESS_KEY": "hush",
    "AZBLOB_ACCOUNT_KEY": "hush",
    "GOOGLE_APPLICATION_CREDENTIALS": "hush",
    "OSS_ACCESS_KEY_SECRET": "hush",
    "RW_META_ADDR": "http://hush:1",
    "MSNAP_EVENT_OF_ANOTHER": "hush",
}


def test_our_own_variables_are_taken_out(
    backed_up: Shell, told: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places, keys and passwords that we read; what is everybody's stays."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MAIL_RELAY", "mx.example.org")
    monkeypatch.setenv("METASNAPSHOT_ON_SUCCESS", f"{TELL} good")
    assert backed_up.run("list").code == 0
    lines = (backed_up.path / "good.env").read_text().splitlines()
    pairs = [line.partition("=") for line in lines]
    got = {name: value for name, _, value in pairs}
    assert {name for name in got if name in SECRETS or name.startswith("METASNAPSHOT")} == set()
    assert got["MAIL_RELAY"] == "mx.example.org"
    assert got["MSNAP_EVENT_VERB"] == "list"
    assert got["MSNAP_EVENT_DIRECTORY"] == told("good")["directory"] == "fs://backups/backup"


def test_what_we_read_is_in_the_table() -> None:
    """Every setting, and every variable whose name stands in the code of stores and meta stores."""
    folder = Path(metasnapshot.__file__).parent
    text = "".join(
        path.read_text(encoding="utf-8")
        for part in ("store", "metastore", "live")
        for path in (folder / part).rglob("*.py")
    )
    pattern = r'"((?:AWS|AZ[A-Z]*|GOOGLE|OSS|OBS|RW|MYSQL|STORAGE|PG)_?[A-Z0-9_]*)"'
    found = set(re.findall(pattern, text))
    assert len(found) > 20
    names = [*found, *(item.variable for item in SETTINGS), "METASNAPSHOT_CONFIG"]
    assert [name for name in names if not is_our_own(name)] == []
    assert not any(map(is_our_own, ("PATH", "HOME", "HTTPS_PROXY", "LANG", "SLACK_TOKEN")))


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("sh -c 'exit 3'", "sh ended with 3"),
        ("sh -c 'kill -9 $$'", "sh was ended by signal 9"),
        ("./no-program", "./no-program cannot be started: Exec format error"),
        ("sh -c 'exec 0<&-; exit 1'", "sh ended with 1"),
    ],
    ids=["fails", "dies", "is no program", "reads nothing"],
)
def test_a_failure_of_the_command_is_a_warning(backed_up: Shell, command: str, says: str) -> None:
    """The exit code is that of the run, well or not."""
    path = backed_up.path / "no-program"
    path.write_bytes(b"\x7fnothing")
    path.chmod(0o755)
    for words, code in ((("list", *BACKUPS), 0), (MISSING, 12)):
        ran = backed_up.run(*words, "--on-failure", command, "--on-success", command)
        assert ran.code == code
        assert f"warning: --on-{'failure' if code else 'success'}: {says}\n" in ran.err


def is_gone(file: Path) -> bool:
    """Whether the process whose number is in a file ends, before anybody loses patience."""
    path = Path("/proc", file.read_text().strip(), "stat")
    for _ in range(1000):
        try:
            state = path.read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_one_that_does_not_end_is_ended_with_its_group(backed_up: Shell) -> None:
    """By SIGTERM; a child that it started goes too."""
    command = "sh -c 'sleep 99 & echo $! > child; wait'"
    start = time.monotonic()
    ran = backed_up.run(*MISSING, "--on-failure", command, "--hook-timeout", "200ms")
    assert ran.code == 12
    assert "warning: --on-failure: sh did not end within 0.2 s and was ended\n" in ran.err
    assert is_gone(backed_up.path / "child")
    assert time.monotonic() - start < 60


def test_one_that_ignores_sigterm_is_killed(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its time of grace is over."""
    monkeypatch.setattr("metasnapshot.cli.hook.GRACE_S", 0.1)
    command = "sh -c 'trap \"\" TERM; sleep 99 & echo $! > child; sleep 98; sleep 97'"
    ran = backed_up.run(*MISSING, "--on-failure", command, "--hook-timeout", "300ms")
    assert (ran.code, "was ended" in ran.err) == (12, True)
    assert is_gone(backed_up.path / "child")


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        ("--on-failure", "./not-there x", "there is no command ./not-there"),
        ("--on-success", "not-in-path", "there is no command not-in-path"),
        ("--on-success", "./backups", "there is no command ./backups"),
        ("--on-failure", "./meta.db", "there is no command ./meta.db"),
        ("--on-failure", "sh 'x", "No closing quotation"),
        ("--on-failure", "", "names no command"),
        ("--on-success", "'' x", "names no command"),
        ("--hook-timeout", "0s", "not between 1ms and 1h"),
        ("--hook-timeout", "61m", "not between 1ms and 1h"),
        ("--hook-timeout", "soon", "not a duration"),
    ],
)
def test_a_command_that_cannot_be_is_refused_first(
    shell: Shell, option: str, text: str, says: str
) -> None:
    """2, before the verb begins."""
    (shell.path / "backups").mkdir()
    more = ("--on-success", "true") if option == "--hook-timeout" else ()
    ran = shell.run("backup", *STORE, *BACKUPS, *more, option, text)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert list((shell.path / "backups").iterdir()) == []
