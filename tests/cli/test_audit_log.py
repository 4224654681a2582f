"""--audit-log: who did what is put down before it is done, and how it ended."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemas
from forked import run as run_process
from shell import BACKUPS, STATE, STORE, TARGET, UNLOOKED, Shell

import metasnapshot
from metasnapshot.cli.audit_log import CHANGING, AuditLog, changes
from metasnapshot.cli.event import LINE_MAX
from metasnapshot.cli.outcome import Outcome
from metasnapshot.cli.verbs import find_verbs

LOG = ("--audit-log", "audit.jsonl")


def lines(path: Path = Path("audit.jsonl")) -> list[Any]:
    """The lines of the log, each of which is as its schema says."""
    text = path.read_text(encoding="ascii")
    assert text.endswith("\n")
    found = [json.loads(line) for line in text.splitlines()]
    assert [schemas.matched("audit-log", item) for item in found] == [it["phase"] for it in found]
    return found


def test_each_run_has_two_lines(backed_up: Shell) -> None:
    """Who, what, which ids, how it ended; nothing that was there is changed."""
    assert backed_up.run("delete", "9", "--yes", *BACKUPS, *LOG).code == 0
    before = Path("audit.jsonl").read_bytes()
    assert Path("audit.jsonl").stat().st_mode & 0o777 == 0o600
    assert backed_up.run("show", "77", *BACKUPS, *LOG).code == 12
    assert Path("audit.jsonl").read_bytes().startswith(before)
    begin, end, *second = lines()
    assert (begin["phase"], end["phase"], begin["run"]) == ("begin", "end", end["run"])
    assert (begin["uid"], begin["pid"], begin["sudo_user"]) == (os.getuid(), os.getpid(), None)
    assert begin["arguments"] == ["delete", "9", "--yes", *BACKUPS, *LOG]
    assert (end["deleted"], end["result"], end["exit_code"]) == ([9], "success", 0)
    assert end["directory"] == "fs://backups/backup"
    assert [item["run"] == begin["run"] for item in second] == [False, False]
    assert (second[1]["exit_code"], second[1]["error_kind"]) == (12, "SnapshotNotFound")


def test_a_restore_says_where_to(backed_up: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what stands in the environment, and who called sudo."""
    monkeypatch.setenv("SUDO_USER", "ann")
    monkeypatch.setenv("METASNAPSHOT_META_STORE", TARGET[1])
    monkeypatch.setenv("METASNAPSHOT_AUDIT_LOG", LOG[1])
    assert backed_up.run("restore", "latest", *BACKUPS, *STATE, UNLOOKED).code == 0
    begin, end = lines()
    assert begin["settings"] == {"--meta-store": TARGET[1], "--audit-log": LOG[1]}
    assert begin["sudo_user"] == "ann"
    assert (end["restored"], end["to"]) == ([9], [TARGET[1], STATE[1]])
    assert end["cluster"]


@pytest.mark.parametrize(
    "words",
    [
        ("--meta-store", "postgresql://u:hush@127.0.0.1:1/d"),
        ("--meta-store=mysql://u:hu%20hush@127.0.0.1:1/d?ssl-key=hush",),
        ("--meta-store", "postgresql://u@127.0.0.1:1/d?password=hush"),
        ("--sql-endpoint", "127.0.0.1:1", "--sql-password", "hush", "--meta-store-type", "mysql"),
        ("--backup-storage-url", "minio://k:hush@127.0.0.1:1/b"),
        ("--webhook", "http://127.0.0.1:1/services/hush", "--hook-timeout", "1s"),
        ("--webhook=http://127.0.0.1:1/hush#hush", "--hook-timeout", "1s"),
        ("--on-failure", "true --token hush"),
        ("--on-failure=true --token hush",),
        ("--password", "hush"),
        ("--secret-access-key=hush",),
        ("host=h password=hush",),
        ("--remarks", "see https://u:hush@wiki/x?token=hush"),
    ],
    ids=lambda words: words[0][:30],
)
def test_no_secret_is_put_down(backed_up: Shell, words: tuple[str, ...]) -> None:
    """Neither of what was typed nor of an error."""
    more = () if "--backup-storage-url" in words else BACKUPS
    ran = backed_up.run("backup", *more, *words, *LOG, "--storage-retries", "0")
    assert ran.code != 0
    text = Path("audit.jsonl").read_text()
    assert "hush" not in text
    assert len(lines()) == 2


def test_secrets_of_settings_are_not_put_down(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the environment and of the file."""
    monkeypatch.setenv("METASNAPSHOT_META_STORE", "postgresql://u:hush@h/d")
    monkeypatch.setenv("METASNAPSHOT_META_STORE_PASSWORD", "hush")
    Path("metasnapshot.toml").write_text('[events]\non_failure = "true --token hush"\n')
    assert backed_up.run("list", *BACKUPS, *LOG).code == 0
    assert lines()[0]["settings"] == {
        "--meta-store": "postgresql://****@h/d",
        "--on-failure": "true ****",
    }
    assert "hush" not in Path("audit.jsonl").read_text()


def _link() -> None:
    Path("else").touch()
    Path("audit.jsonl").symlink_to("else")


def _directory() -> None:
    Path("audit.jsonl").mkdir()


def _pipe() -> None:
    os.mkfifo("audit.jsonl")


def _dangling() -> None:
    Path("audit.jsonl").symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "path", "code", "says"),
    [
        (_link, "audit.jsonl", 2, "is no regular file"),
        (_dangling, "audit.jsonl", 2, "is no regular file"),
        (_directory, "audit.jsonl", 2, "is no regular file"),
        (_pipe, "audit.jsonl", 2, "is no regular file"),
        (Path, "/dev/null", 2, "is no regular file"),
        (Path, "", 2, "is no regular file"),
        (Path, "not/there/audit.jsonl", 2, "its directory is not there"),
        (Path, "meta.db/audit.jsonl", 2, "its directory is not there"),
        (Path, "/proc/version", 17, "cannot write the audit log /proc/version"),
    ],
    ids=["link", "dangling", "directory", "pipe", "device", "empty", "nowhere", "file", "refused"],
)
def test_without_a_log_nothing_is_changed(
    shell: Shell, make: Callable[[], object], path: str, code: int, says: str
) -> None:
    """A verb that changes something does not begin; one that looks warns."""
    make()
    ran = shell.run("backup", *STORE, *BACKUPS, "--audit-log", path)
    assert (ran.code, ran.out) == (code, "")
    assert says in ran.err
    assert not Path("backups").exists()
    for words in (("list",), ("backup", *STORE, *STATE, "--dry-run"), ("gc",)):
        ran = shell.run(*words, *BACKUPS, "--audit-log", path)
        assert (ran.code, ran.err.count(says)) == (0, 1)
    assert not Path("else").exists() or Path("else").read_bytes() == b""
    assert not Path("nowhere").exists()


def test_which_verbs_change_something() -> None:
    """Each that writes more than a note or a file that it was asked for."""
    assert set(find_verbs()) >= CHANGING
    assert set(find_verbs()) - CHANGING == {
        *("cat", "check", "completion", "config", "coverage", "diff", "drill", "epoch", "export"),
        *("list", "pins", "query", "read", "report", "show", "support", "tables", "verify"),
        "timeline",
    }
    assert changes(["expire", "--commit"])
    assert changes(["gc", "--commit=true"])
    assert changes(["restore", "9"])
    assert changes(["--metrics-file", "list", "restore", "9"])
    assert changes(["--metrics-file", "gc", "keep", "9"])
    assert not changes(["restore", "9", "--plan"])
    assert not changes(["backup", "--dry-run"])
    assert not changes(["gc", "--objects"])
    assert not changes(["list"])
    assert not changes([])


def _small_files(room: int) -> Callable[[], None]:
    """Let files of the process grow by so much and no more, as on a full disk."""

    def prepare() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    return prepare


def test_a_line_that_does_not_fit_is_told(backed_up: Shell) -> None:
    """Of the first line that is why nothing begins; the next line stands by itself again."""
    ran = run_process("keep", "9", *BACKUPS, *LOG, prepare=_small_files(100))
    assert (ran.code, "100 of " in ran.err) == (17, True)
    assert "hint: a verb that changes something does not run" in ran.err
    assert backed_up.answer("list", *BACKUPS)[1]["snapshots"][0]["kept"] is False
    assert backed_up.run("list", *BACKUPS, *LOG).code == 0
    torn, *rest = Path("audit.jsonl").read_text().splitlines()
    assert len(torn) == 100
    assert [json.loads(line)["phase"] for line in rest] == ["begin", "end"]


def test_an_end_that_does_not_fit_is_told(backed_up: Shell) -> None:
    """What was changed stays; the exit code says that the log lacks it. A look only warns."""
    assert backed_up.run("list", *BACKUPS, *LOG).code == 0
    begin = len(Path("audit.jsonl").read_text().splitlines(keepends=True)[0])
    Path("audit.jsonl").write_bytes(b"{}\n" * 10_000)
    room = 30_000 + begin + 50
    ran = run_process("keep", "9", *BACKUPS, *LOG, prepare=_small_files(room))
    assert (ran.code, "kept: 9" in ran.out) == (17, True)
    assert "error: cannot write the audit log audit.jsonl: " in ran.err
    Path("audit.jsonl").write_bytes(b"{}\n" * 10_000)
    ran = run_process("list", *BACKUPS, *LOG, prepare=_small_files(room))
    assert (ran.code, "warning: cannot write the audit log" in ran.err) == (0, True)


def test_a_long_line_is_cut(backed_up: Shell) -> None:
    """It stays a line of the same form, and says that it is cut."""
    assert backed_up.run("list", "--bogus", "x" * 500_000, "\udcff" * 9, *BACKUPS, *LOG).code == 2
    found = lines()
    assert [item.get("cut") for item in found] == [True, True]
    assert max(map(len, Path("audit.jsonl").read_text().splitlines())) < LINE_MAX


WRITER = """
import sys
from pathlib import Path
from metasnapshot.cli.audit_log import AuditLog
from metasnapshot.cli.outcome import Outcome
log = AuditLog(Path("audit.jsonl"), sys.argv[1], {})
for number in range(200):
    log.begin(Outcome("list", (sys.argv[1] * 700, str(number))))
"""


def test_two_processes_tear_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of more than a page, from both at once."""
    monkeypatch.chdir(tmp_path)
    made = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in ("left--", "right-")]
    assert [process.wait(300) for process in made] == [0, 0]
    found = lines()
    for name in ("left--", "right-"):
        mine = [item["arguments"] for item in found if item["run"] == name]
        assert mine == [[name * 700, str(number)] for number in range(200)]


def test_a_name_that_nobody_has_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container; the number is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    AuditLog(Path("audit.jsonl"), "run", {}).begin(Outcome("list"))
    assert [(item["uid"], item["user"]) for item in lines()] == [(4_000_000_000, None)]


def test_an_interrupted_run_has_its_end(backed_up: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """130; and a usage error has 2."""

    def stop(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)

    monkeypatch.setattr("metasnapshot.backup", stop)
    assert backed_up.run("backup", *STORE, *BACKUPS, *LOG).code == 130
    assert backed_up.run("backup", "--bogus", *LOG).code == 2
    assert [item.get("exit_code") for item in lines()] == [None, 130, None, 2]


def test_each_round_of_watch_has_its_lines(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between those of the run; a round whose line cannot be written does nothing, and is told."""

    def lose(_: float) -> None:
        Path("audit.jsonl").rename("first.jsonl")
        Path("audit.jsonl").mkdir()

    monkeypatch.setattr(time, "sleep", lose)
    real, calls = metasnapshot.backup, list[int]()

    def backup(*arguments: Any) -> Any:
        calls.append(1)
        return real(*arguments)

    monkeypatch.setattr(metasnapshot, "backup", backup)
    watch = ("watch", "--every", "7m", *STORE, *BACKUPS, *STATE, "--rounds", "2", *LOG)
    ran = backed_up.run(*watch)
    assert (ran.code, len(calls)) == (2, 1)
    assert "error: --audit-log audit.jsonl is no regular file" in ran.err
    found = lines(Path("first.jsonl"))
    assert [(item["phase"], item["round"]) for item in found] == [
        ("begin", None),
        ("begin", 1),
        ("end", 1),
    ]
    assert found[2]["made"] == [10]
