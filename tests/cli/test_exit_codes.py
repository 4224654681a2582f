"""Every exit code, as a shell meets it: from a process of its own, with what it says and where.

FAILURES names each class of errors.py and a command that ends with it; a new class needs a row.
`make exhaustive` starts a process for each row, an ordinary run for a few of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any, NamedTuple

import pytest
import xxhash
from exhaustive import WHOLE, thin
from shell import BACKUPS, STATE, STORE, TARGET, UNLOOKED, Shell

from metasnapshot import errors
from metasnapshot.cli.app import main
from metasnapshot.errors import MetasnapshotError

BACKUP = ("backup", *STORE, *BACKUPS)
FULL = ("restore", "9", *STORE, *BACKUPS, *STATE, UNLOOKED)
RESTORE = ("restore", "9", *TARGET, *BACKUPS, *STATE, UNLOOKED)
SHOW = ("show", "9", *BACKUPS)
DELETE = ("delete", "9", *BACKUPS)
EPOCH = ("epoch", "1", "65536", *BACKUPS)
LIST_X = ("list", "--backup-storage-url", "fs://x")
STORE_PATH = Path("meta.db")
SNAPSHOT = Path("backups/backup/9.snapshot")
CHECKPOINT = Path("state/hummock_001/checkpoint/0")
OF_SERVERS = ["AuthenticationError", "MetaNodeError", "MetaNodeUnavailable", "SchedulerUnavailable"]
OF_OTHERS = ["StaleBackups", "WatchedByOthers", "ValueUnfit", "InternalError", "Interrupted"]
TIMEOUT_S = 600
STYLE = re.compile(r"error: [^A-Z].*([^.]|\.\.\.)\n(hint: .+\n)?")
"""Lower case, no full stop, then the hint."""
CHECK = re.compile(r"(?m)^ *(ok|failed|not checked)  .+\n")


@contextmanager
def started(
    *arguments: str, stdin: int = DEVNULL, stdout: int = PIPE, **environment: str
) -> Generator[Popen[str]]:
    """Start the command, and kill it at the end or if it waits for longer than TIMEOUT_S."""
    env = {name: value for name, value in os.environ.items() if "METASNAPSHOT" not in name}
    env |= {"TMPDIR": str(Path("tmp").absolute()), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-m", "metasnapshot", *arguments]
    with Popen(command, env=env, stdin=stdin, stdout=stdout, stderr=PIPE, text=True) as process:
        timer = threading.Timer(TIMEOUT_S, process.kill)
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            process.kill()


def run(*arguments: str, stdout: int = PIPE, **environment: Any) -> tuple[int, str, str]:
    """Run the command without a terminal; returns exit code, stdout and stderr."""
    with started(*arguments, stdout=stdout, **environment) as process:
        out, err = process.communicate()
    return process.returncode, out, err


def fingerprint() -> dict[str, str]:
    """A hash of every file below the directory, hidden and temporary ones included."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path().rglob("*")
        if path.is_file()
    }


@pytest.fixture(autouse=True)
def _world(cluster: Path) -> Generator[None]:
    """The working directory: a cluster, an emptied meta store, and backups 9 and 10.

    Tests in the background of a shell ignore SIGINT; the command would inherit that.
    """
    (cluster / "tmp").mkdir()
    for _ in range(2):
        assert main(BACKUP) == 0
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def nothing() -> None:
    """The files are as they are."""


def sql(statement: str) -> Callable[[], None]:
    def execute() -> None:
        with sqlite3.connect("meta.db") as connection:
            connection.execute(statement)
        connection.close()

    return execute


def writes(path: Path | str, data: bytes) -> Callable[[], None]:
    def write() -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data)

    return write


def damage() -> None:
    """Flip a bit of snapshot 9."""
    data = bytearray(SNAPSHOT.read_bytes())
    data[5000] ^= 1
    SNAPSHOT.write_bytes(data)


def cut() -> None:
    """Cut snapshot 9 and seal it again, so that only its counts are wrong."""
    data = SNAPSHOT.read_bytes()[:5000]
    SNAPSHOT.write_bytes(data + xxhash.xxh64_intdigest(data).to_bytes(8, "little"))


def lose_sequence() -> None:
    """Let the newest snapshot lack a sequence that snapshot 9 has."""
    sql("DELETE FROM hummock_sequence WHERE name = 'compaction_task'")()
    assert main(BACKUP) == 0


def keep() -> None:
    assert main(["keep", "9", *BACKUPS]) == 0


class Failure(NamedTuple):
    """A command that fails, with a part of its error and of its hint, if there is one."""

    code: int
    kind: str
    prepare: Callable[[], None]
    arguments: tuple[str, ...]
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.code}-{self.kind}-{self.arguments[0]}"


newer_delta = sql("UPDATE hummock_version_delta SET id = 999 WHERE id = 105")
own_store = sql("DELETE FROM system_parameter WHERE name LIKE 'backup_storage_%'")
no_flag = sql("UPDATE \"user\" SET is_super = 'perhaps'")
new_table = sql("CREATE TABLE brand_new (id integer)")
text_file = writes("meta.db", b"no database" * 99)
other_owner = writes("state/hummock_001/cluster_id/0", b"another")
no_manifest = writes("x/backup/3.snapshot", b"")
no_json = writes("x/backup/manifest.json", b"{")
no_file = writes("x/backup/manifest.json/y", b"")
UNKNOWN = ("list", "--backup-storage-url", "s4://x")
OWN = (*BACKUP[:3], "--backup-storage-url", "fs://state/hummock_001")
FAILURES = [
    Failure(1, "DeltaError", newer_delta, BACKUP, "its row has id 999"),
    Failure(1, "InconsistentStore", lose_sequence, RESTORE, "superset", "of another cluster?"),
    Failure(2, "UsageError", nothing, UNKNOWN, "'s4'", "known forms: s3://BUCKET"),
    Failure(2, "UsageError", own_store, OWN, "own backup directory", "--into-cluster-directory"),
    Failure(2, "UsageError", nothing, DELETE, "nobody is there to ask", "--yes"),
    Failure(4, "ChecksumMismatch", damage, SHOW, "checksum mismatch", "from another copy"),
    Failure(4, "Truncated", cut, SHOW, "truncated snapshot"),
    Failure(4, "DamageError", no_json, LIST_X, "manifest.json is damaged"),
    Failure(4, "VersionError", writes(CHECKPOINT, b"\xff"), BACKUP, "HummockVersionCheckpoint"),
    Failure(4, "RowError", no_flag, BACKUP, "column is_super"),
    Failure(10, "ManifestMissing", no_manifest, LIST_X, "but snapshots 3", "check --backup-"),
    Failure(11, "ConflictError", other_owner, RESTORE, "with id another", "give another one"),
    Failure(12, "SnapshotNotFound", nothing, ("show", "77", *BACKUPS), "id 77", "has 9, 10"),
    Failure(12, "EpochNotFound", nothing, EPOCH, "include epoch 65536", "no snapshot has table 1"),
    Failure(13, "TargetNotEmpty", nothing, FULL, "not empty before", "--clean empties"),
    Failure(14, "UnknownFormat", new_table, BACKUP, "unknown brand_new", "--allow-unknown-tables"),
    Failure(16, "RetentionLocked", keep, (*DELETE, "--yes"), "kept: 9", "--release"),
    Failure(17, "StorageError", writes("x", b""), LIST_X, "x is a file", "check the URL"),
    Failure(17, "ObjectMissing", CHECKPOINT.unlink, BACKUP, "no such object", "check --hummock-"),
    Failure(17, "NoObject", no_file, LIST_X, "is a directory, not a file", "remove it"),
    Failure(17, "ObjectMissing", SNAPSHOT.unlink, SHOW, "no such object: backup/9.snapshot"),
    Failure(18, "DatabaseError", STORE_PATH.unlink, BACKUP, "no such SQLite file", "--meta-store"),
    Failure(18, "DatabaseError", text_file, BACKUP, "file is not a database"),
]
AS_PROCESSES = FAILURES if WHOLE else thin({item.code: item for item in FAILURES}.values())


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_a_failure_is_one_object_and_lines_on_stderr(failure: Failure, shell: Shell) -> None:
    """With --json: the exit code, kind, message and hint of the error, and no file changes."""
    failure.prepare()
    before = fingerprint()
    code, out, err = shell.run(*failure.arguments, "--json")
    (line,) = out.splitlines()
    found: dict[str, Any] = json.loads(line)["error"]
    assert (code, found["exit_code"], found["kind"]) == (failure.code, failure.code, failure.kind)
    message, hint = found["message"], found["hint"]
    assert (failure.message in message, failure.hint in hint) == (True, True), found
    assert bool(hint) == bool(failure.hint), "the table knows of the hint"
    assert err.splitlines() == [f"error: {message}", *([f"hint: {hint}"] if hint else [])]
    assert (STYLE.fullmatch(err) is not None, fingerprint() == before) == (True, True)


@pytest.mark.parametrize("failure", AS_PROCESSES, ids=str)
def test_a_failure_leaves_stdout_empty(failure: Failure) -> None:
    """Without --json: the exit code, error and hint on stderr, and on stdout nothing but the
    checks of a restore."""
    failure.prepare()
    before = fingerprint()
    code, out, err = run(*failure.arguments)
    assert (code, re.sub(CHECK, "", out)) == (failure.code, "")
    assert (STYLE.fullmatch(err) is not None, fingerprint() == before) == (True, True)
    assert (failure.message in err, failure.hint in err) == (True, True)


def test_every_class_of_errors_has_its_process() -> None:
    """No class is added to errors.py, and no code to a class, without a row in FAILURES."""
    kinds = (item for item in vars(errors).values() if hasattr(item, "exit_code"))
    declared = {(kind.exit_code, kind.__name__) for kind in kinds if kind is not MetasnapshotError}
    others = (*OF_SERVERS, *OF_OTHERS, "TooDeep", "SstDamage", "SstMismatch", "SstTruncated")
    rows = {item[:2] for item in FAILURES if hasattr(errors, item[1])}
    assert rows == {item for item in declared if item[1] not in others}


@pytest.mark.parametrize("wrong", ["--wrong", "--level=deep"])
def test_a_mistyped_command_line_is_2(wrong: str) -> None:
    """One line that names the word, in the style of all errors, and where the help is."""
    before = fingerprint()
    code, out, err = run("verify", *BACKUPS, wrong, "--json")
    assert (code, out, fingerprint()) == (2, "", before)
    assert (wrong[:7] in err, err.endswith("\nhint: metasnapshot verify --help\n")) == (True, True)
    assert STYLE.fullmatch(err), err


def test_success_is_0() -> None:
    """Results on stdout, nothing on stderr."""
    for arguments in (("list", *BACKUPS), ("verify", "--all", *BACKUPS, "--json")):
        code, out, err = run(*arguments)
        assert (code, bool(out), err) == (0, True, "")


def test_some_damage_is_3_and_nothing_but_damage_4() -> None:
    """The sound snapshot is still told on stdout, the damaged one on stderr or in the object."""
    damage()
    code, out, err = run("verify", *BACKUPS)
    assert (code, out.startswith("snapshot 10: ok"), out.count("\n")) == (3, True, 1)
    assert re.fullmatch(r"error: snapshot 9 \(backup/9\.snapshot\): checksum .+\nhint: .+\n", err)
    code, out, _ = run("verify", *BACKUPS, "--json")
    assert (code, [item["ok"] for item in json.loads(out)["snapshots"]]) == (3, [False, True])
    assert run("verify", "9", *BACKUPS)[:2] == (4, "")


def test_output_that_cannot_be_written_is_1() -> None:
    """A full disk behind stdout is a failure, not a success that nobody saw."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        code, _, err = run("list", *BACKUPS, stdout=full.fileno())
    assert (code, err.startswith("error: cannot write the output: ")) == (1, True)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [("", 130, "error: interrupted\n"), ("n\n", 2, "error: not confirmed\n"), ("y\n", 0, "")],
)
def test_the_prompt_waits_for_an_answer(answer: str, code: int, said: str) -> None:
    """An interrupt is 130, no is 2, both change nothing; yes goes on. The prompt is on stderr."""
    prompt = "delete 9 of 2 snapshots? [y/N] "
    before = fingerprint()
    controller, terminal = pty.openpty()
    with started(*DELETE, stdin=terminal) as process:
        assert process.stderr is not None
        assert process.stderr.read(len(prompt)) == prompt
        if answer:
            os.write(controller, answer.encode())
        else:
            process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    os.close(controller)
    os.close(terminal)
    assert (process.returncode, err.startswith(said)) == (code, True)
    assert (bool(out), fingerprint() == before) == (code == 0, code != 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_of_a_command_that_waits_is_130(number: int) -> None:
    """It waits for its settings, which are a pipe; it ends at once and says so in one line."""
    settings = Path("settings.toml")
    os.mkfifo(settings)
    with started("list", *BACKUPS, "--config", str(settings)) as process:
        pipe = None
        while pipe is None and process.poll() is None:
            with suppress(OSError):  # until the command has opened the other end
                pipe = os.open(settings, os.O_WRONLY | os.O_NONBLOCK)
            time.sleep(0.01)
        assert pipe is not None
        process.send_signal(number)
        assert process.communicate() == ("", "error: interrupted\n")
        os.close(pipe)
    assert process.returncode == 130


def test_an_interrupt_while_a_file_is_written_leaves_none() -> None:
    """The first fsync of a backup is interrupted: 130, and no file, temporary or other, is new."""
    patch = "import os, signal\nos.fsync = lambda _: signal.raise_signal(signal.SIGINT)\n"
    Path("tmp/sitecustomize.py").write_text(patch, encoding="utf-8")
    before = fingerprint()
    shown = run(*BACKUP, PYTHONPATH="tmp")
    assert shown == (130, "", "error: interrupted\n")
    assert fingerprint() == before


@pytest.mark.parametrize(("flags", "found"), [((), []), (("--json",), [70])])
def test_a_bug_is_70(flags: tuple[str, ...], found: list[int]) -> None:
    """What nobody foresaw has its traceback and the request to report it; --json its object."""
    patch = "def broken(*_):\n    raise RuntimeError('oops')\n"
    patch += "from metasnapshot.operations import verify\nverify.verify = broken\n"
    Path("tmp/sitecustomize.py").write_text(patch, encoding="utf-8")
    before = fingerprint()
    code, out, err = run("verify", *BACKUPS, *flags, PYTHONPATH="tmp")
    assert (code, err[:9], fingerprint() == before) == (70, "Traceback", True)
    assert re.search(r"\nRuntimeError: oops\nerror: this is a bug .+\nhint: please .+\n$", err)
    assert [json.loads(line)["error"]["exit_code"] for line in out.splitlines()] == found
