"""What surrounds the command: signals at any time, closed and broken standard files, odd sizes of
the screen, bytes of zero. Each ends with a code that says what happened, never with a bug's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from metasnapshot.catalogue.repository import Repository
from metasnapshot.cli.app import main
from metasnapshot.errors import DatabaseError
from metasnapshot.store.local import LocalStore

LIST = ("list", "--backup-storage-url", "fs://backups")
TIMEOUT_S = 600


def run(
    words: tuple[str, ...], shell: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command in a process, behind a shell's redirections."""
    script = f'exec "$0" -m metasnapshot "$@" {shell}'
    return subprocess.run(
        ["sh", "-c", script, sys.executable, *words],  # noqa: S607 - a shell that is everywhere
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sitecustomize").mkdir()


def patched(text: str) -> dict[str, str]:
    """The environment in which a text of Python runs before the command."""
    Path("sitecustomize/sitecustomize.py").write_text(text, encoding="utf-8")
    found = (str(Path("sitecustomize").absolute()), os.environ.get("PYTHONPATH", ""))
    return {"PYTHONPATH": os.pathsep.join(filter(None, found))}


INTERRUPT_AT_IMPORT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            signal.raise_signal({number})
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize(
    ("module", "number"),
    [
        ("metasnapshot.cli.app", int(signal.SIGINT)),
        ("cyclopts", int(signal.SIGTERM)),
        ("msgspec", int(signal.SIGINT)),
        ("metasnapshot.errors", int(signal.SIGTERM)),
    ],
)
def test_a_signal_while_the_command_is_loaded_is_130(module: str, number: int) -> None:
    """Whichever module is being imported: one line, no traceback."""
    done = run(LIST, **patched(INTERRUPT_AT_IMPORT.format(module=module, number=number)))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted\n")


@pytest.mark.parametrize(
    "error",
    [
        "DatabaseError('the connection is lost')",
        "OSError(5, 'Input/output error', 'file')",
        "RuntimeError('half done')",
        "BrokenPipeError(32, 'Broken pipe')",
        "ValueError('embedded null byte')",
        "KeyboardInterrupt",
        "MemoryError()",
        "DatabaseError('')",
    ],
)
def test_whatever_fails_after_an_interrupt_is_130(
    error: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A driver may turn the interrupt into an error of its own: it is an interrupt all the same."""
    known = {"DatabaseError": DatabaseError}

    def broken(*_: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise eval(error, known) from None  # noqa: S307 - of the table above

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr("metasnapshot.cli.options.backups_at", broken)
    try:
        assert main(LIST) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr() == ("", "error: interrupted\n")


IN_CALLBACK = {
    "a weak reference's": "import weakref\nclass A: pass\na = A()\n"
    "r = weakref.ref(a, lambda _: signal.raise_signal(signal.SIGINT))\ndel a\n",
    "a finalizer": "class A:\n    def __del__(self): signal.raise_signal(signal.SIGINT)\n"
    "a = A()\ndel a\n",
    "a callback out of C": "import ctypes\n"
    "f = ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))\nf()\n",
    "a collection of garbage": "import gc\ndef g(*_): signal.raise_signal(signal.SIGINT)\n"
    "gc.callbacks.append(g)\ngc.collect()\ngc.callbacks.remove(g)\n",
}


@pytest.mark.parametrize("kind", IN_CALLBACK)
def test_a_signal_in_a_callback_is_not_lost(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python cannot raise there; the interrupt comes again, and no "Exception ignored" is said."""
    lost: list[bool] = []

    def broken(*_: object) -> None:
        exec(f"import signal\n{IN_CALLBACK[kind]}", {})  # noqa: S102 - of the table above
        lost.append(threading.Event().wait(10))

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr("metasnapshot.cli.options.backups_at", broken)
    try:
        assert main(LIST) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert lost == []
    assert capsys.readouterr() == ("", "error: interrupted\n")


def test_signals_are_as_they_were_after_the_command() -> None:
    """A program that calls main() gets its own handlers back."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers], sys.unraisablehook
    assert main(LIST) == 0
    assert ([signal.getsignal(number) for number in numbers], sys.unraisablehook) == before


@pytest.mark.parametrize(
    ("shell", "code", "out", "err"),
    [
        (">&-", 1, "", "error: cannot write the output: "),
        (">/dev/full", 1, "", "error: cannot write the output: "),
        ("2>&-", 0, "0 snapshots", ""),
        ("2>/dev/full", 0, "0 snapshots", ""),
        ("<&-", 0, "0 snapshots", ""),
        (">&- 2>&-", 1, "", ""),
        ("<&- >&- 2>&-", 1, "", ""),
        (">/dev/full 2>/dev/full", 1, "", ""),
        ("</dev/null >/dev/null", 0, "", ""),
    ],
)
def test_standard_files_that_are_closed_or_full(shell: str, code: int, out: str, err: str) -> None:
    """A result that cannot be written is a failure, a note that cannot is none; no bug, nothing of
    Python's own."""
    Repository(LocalStore(Path("backups")), "backup").make_manifest()
    done = run(LIST, shell)
    found = (done.returncode, out in done.stdout, bool(done.stdout), done.stderr[: len(err)])
    assert found == (code, True, bool(out), err)
    assert ("Exception" in done.stderr, done.stderr.count("\n")) == (False, int(bool(err)))


def test_a_failure_with_a_closed_stderr_keeps_stdout_clean() -> None:
    """What goes wrong is told nowhere, least of all among the results."""
    done = run(("show", "7", *LIST[1:]), "2>&-")
    assert (done.returncode, done.stdout) == (12, "")


def test_a_question_without_stdin_is_2() -> None:
    """Nobody is there to ask."""
    done = run(("delete", "7", *LIST[1:]), "<&-")
    assert (done.returncode, "bug" in done.stderr) in ((2, False), (12, False))


@pytest.mark.parametrize("name", ["COLUMNS", "LINES"])
@pytest.mark.parametrize(
    "value", ["0", "00", "1", "-1", "", "²", "80.5", "wide", "99999999999999999999", "19"]
)
def test_a_screen_of_no_size(
    name: str,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Help is printed as on a usual screen."""
    monkeypatch.setenv(name, value)
    assert main(("list", "--help")) == 0
    assert "--backup-storage-url" in capsys.readouterr().out.replace("\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--backup-storage-url", "fs:///x\0y"),
        ("list", "--backup-storage-url=fs:///x\0y"),
        ("list", "--backup-storage-url", "s3://buck\0et"),
        (*LIST, "--backup-storage-directory", "\0"),
        ("backup", "--meta-store", "sqlite:///a\0b", *LIST[1:]),
        ("backup", "--meta-store", "sqlite:///a%00b", *LIST[1:]),
        ("backup", "--meta-store", "postgresql://u:p%00@h/d", *LIST[1:]),
        ("backup", "--meta-store", "mysql://u@h/d%00", *LIST[1:]),
        ("show", "\0", *LIST[1:]),
        ("export", "1", "--to", "a\0", *LIST[1:]),
        ("--metrics-file", "m\0", *LIST),
        ("--config", "c\0", *LIST),
        ("\0",),
        (*LIST, "--\0"),
    ],
)
def test_a_byte_of_zero_is_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """In a path, an option or behind percent-encoding: no system call takes one."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert (out, "bug" in err, "\0" in err) == ("", False, False)
    assert list(Path().iterdir()) == [Path("sitecustomize")]


def test_a_byte_of_zero_in_settings_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    """metasnapshot.toml can hold one."""
    Path("metasnapshot.toml").write_text('[storage]\nbackup_storage_url = "fs:///x\\u0000"\n')
    assert main(("list",)) == 2
    assert "storage.backup_storage_url contains a zero byte" in capsys.readouterr().err
    Path("password").write_bytes(b"a\0b")
    Path("metasnapshot.toml").unlink()
    words = ("backup", "--meta-store", "postgresql://u@127.0.0.1:1/d", *LIST[1:])
    assert main((*words, "--meta-store-password-file", "password")) == 2
