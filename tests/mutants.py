"""Breaks the product on purpose, one break at a time, and expects the test that must see it.

mutants.yaml lists the breaks. The tree is never edited: each break is made in a copy of its source
root, which a process of its own imports before the real one; it runs one test, which must fail
with the words that the list gives. A process is forked from one that has imported what others
wrote, so a break costs about what its test costs.
"""

from __future__ import annotations

import argparse
import ast
import compileall
import contextlib
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LIST = "tests/mutants.yaml"
ENTRY_KEYS = {"breaks", "file", "old", "new", "test", "says"}
JOBS = 2
TIME_LIMIT_S = 300
"""A break may make its test wait for ever."""
PYTEST = (
    *("-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # hypothesis is imported already
)
OTHERS = (
    "cyclopts",
    "google.protobuf.descriptor_pb2",
    "google.protobuf.json_format",
    "hypothesis",
    "lz4.frame",
    "msgspec",
    "numpy",
    "orjson",
    "rich.console",
    "sqlalchemy.dialects.sqlite",
    "xxhash",
    "zstandard",
)
"""What the product and its tests import of others, slow to import and the same under any break."""


@dataclass(frozen=True)
class Mutant:
    """A deliberate break.

    Attributes:
        line: where it stands in the list.
        theme: what it is about, such as checksum.
        breaks: what goes wrong then.
        file: the file that is edited, from the root of the tree.
        old: a text that is in it exactly once.
        new: what replaces it.
        test: the test that must fail.
        says: words of its failure.
    """

    line: int
    theme: str
    breaks: str
    file: str
    old: str
    new: str
    test: str
    says: str

    @property
    def place(self) -> str:
        """Where it stands, for an editor."""
        return f"{LIST}:{self.line}"

    def edited(self, path: Path) -> str:
        """What a file is with the new text."""
        return path.read_text(encoding="utf-8").replace(self.old, self.new)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: why it is not killed, or nothing; and what it took."""

    mutant: Mutant
    problem: str
    seconds: float


class ListError(Exception):
    """The list of mutants does not fit the tree; says each line that does not."""


def read_mutants(root: Path = ROOT) -> list[Mutant]:
    """The mutants of a tree.

    Raises:
        ListError: an entry has other keys than it should, or an edit that cannot be made.
    """
    text = (root / LIST).read_text(encoding="utf-8")
    document: Any = yaml.compose(text, Loader=yaml.SafeLoader)  # nodes know their lines
    mutants: list[Mutant] = []
    problems: list[str] = []
    for theme, entries in document.value:
        for entry in entries.value:
            line = entry.start_mark.line + 1
            fields = {key.value: value.value for key, value in entry.value}
            if fields.keys() != ENTRY_KEYS:
                odd = ", ".join(sorted(fields.keys() ^ ENTRY_KEYS))
                problems.append(f"{LIST}:{line}: missing or unknown: {odd}")
                continue
            mutant = Mutant(line, theme.value, **fields)
            problems += [f"{mutant.place}: {problem}" for problem in _misfits(root, mutant)]
            mutants.append(mutant)
    if problems:
        raise ListError("\n".join(problems))
    return mutants


def _misfits(root: Path, mutant: Mutant) -> list[str]:
    """Why an edit cannot be made, or its test cannot be run."""
    found: list[str] = []
    path = root / mutant.file
    count = path.read_text(encoding="utf-8").count(mutant.old) if path.is_file() else 0
    if not path.is_file():
        found.append(f"there is no {mutant.file}")
    elif count != 1:
        found.append(f"{mutant.file} has the old text {count} times, not once: {mutant.old!r}")
    elif path.suffix == ".py" and (odd := _odd_syntax(mutant.edited(path))):
        found.append(f"with the new text it is no Python: {odd}")
    if mutant.old == mutant.new:
        found.append("the new text is the old one")
    test, *names = mutant.test.partition("[")[0].split("::")
    text = (root / test).read_text(encoding="utf-8") if (root / test).is_file() else ""
    found += [
        f"there is no {name} in {test}"
        for name in names
        if f"def {name}(" not in text and f"class {name}" not in text
    ]
    if not names:
        found.append(f"no test is named: {mutant.test}")
    if not mutant.says.strip():
        found.append("no words are expected")
    return found


def _odd_syntax(text: str) -> str:
    """What Python says of a source that it cannot read: such a break turns any test red."""
    try:
        ast.parse(text)
    except SyntaxError as error:
        return error.msg
    return ""


class Failures:
    """A plugin of pytest that keeps what tests fail with: the message, not the listing, in which
    the words could be those of the test's own source.
    """

    def __init__(self) -> None:
        self.ran = 0
        self.messages: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "call"
        if report.failed:
            crash: Any = getattr(report.longrepr, "reprcrash", None)
            self.messages.append(crash.message if crash else report.longreprtext)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.messages.append(report.longreprtext)


def run_tests(root: Path, tests: Sequence[str], scratch: Path) -> Failures:
    """Run tests of a tree in this process."""
    os.chdir(root)
    failures = Failures()
    pytest.main([*PYTEST, f"--basetemp={scratch / 'tmp'}", *tests], plugins=[failures])
    return failures


def break_copy(root: Path, mutant: Mutant, scratch: Path) -> Path:
    """Copy the source root of a mutant's file and make the edit there; returns the copy.

    Compiled files go along, so that only the broken one is compiled again.
    """
    source, _, name = mutant.file.partition("/")
    copy = scratch / source
    shutil.copytree(root / source, copy)
    broken = copy / name
    broken.write_text(mutant.edited(broken), encoding="utf-8")
    for compiled in (broken.parent / "__pycache__").glob(f"{broken.stem}.*"):
        compiled.unlink()
    return copy


def try_mutant(root: Path, mutant: Mutant, scratch: Path) -> str:
    """Why a mutant lives, or nothing; in a process that has imported nothing of the tree."""
    copy = break_copy(root, mutant, scratch)
    sys.path.insert(0, str(copy))
    os.environ["PYTHONPATH"] = str(copy)  # for the processes that a test starts
    failures = run_tests(root, [mutant.test], scratch)
    package = Path(mutant.file).parts[1]
    imported = getattr(sys.modules.get(package), "__file__", None) or ""
    if not Path(imported).is_relative_to(copy):
        return f"{mutant.test} does not import {package} from the broken copy"
    if not failures.messages:
        return f"{mutant.test} passes" if failures.ran else f"{mutant.test} does not run"
    if not any(mutant.says in message for message in failures.messages):
        seen = "\n".join(f"    {line}" for line in failures.messages[0].splitlines()[:5])
        return f"{mutant.test} does not say {mutant.says!r}, but\n{seen}"
    return ""


def try_unbroken(root: Path, tests: Sequence[str], scratch: Path) -> str:
    """Which of the tests fail without any break."""
    failures = run_tests(root, tests, scratch)
    return "\n".join(failures.messages) or ("" if failures.ran else "no test runs")


def in_child(job: Any, scratch: Path) -> int:
    """Fork a process that writes what a job returns to a file in its scratch; returns its id."""
    if pid := os.fork():
        return pid
    signal.alarm(TIME_LIMIT_S)
    output = os.open(scratch / "output", os.O_CREAT | os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        result = job(scratch)
    except BaseException:  # noqa: BLE001 (the parent tells it)
        result = traceback.format_exc()
    (scratch / "result").write_text(json.dumps(result), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)


def result_of(scratch: Path, status: int) -> str:
    """What a child's job returned."""
    with contextlib.suppress(FileNotFoundError):
        return json.loads((scratch / "result").read_text(encoding="utf-8"))
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return f"not ended after {TIME_LIMIT_S} s"
    return f"its process ended with status {status}"


def try_all(root: Path, mutants: Sequence[Mutant], jobs: int, scratch: Path) -> list[Outcome]:
    """Try mutants, some at a time, and tell each that is done."""
    waiting = list(enumerate(mutants))
    running: dict[int, tuple[Mutant, Path, float]] = {}
    outcomes: list[Outcome] = []
    while waiting or running:
        while waiting and len(running) < jobs:
            number, mutant = waiting.pop(0)
            place = scratch / str(number)
            place.mkdir()
            start = time.monotonic()
            pid = in_child(lambda where, it=mutant: try_mutant(root, it, where), place)
            running[pid] = mutant, place, start
        pid, status = os.wait()
        mutant, place, start = running.pop(pid)
        outcome = Outcome(mutant, result_of(place, status), time.monotonic() - start)
        outcomes.append(outcome)
        shutil.rmtree(place)
        verdict = "LIVES" if outcome.problem else "killed"
        print(f"{outcome.seconds:5.1f} s  {verdict}  {mutant.theme}: {mutant.breaks}", flush=True)
        if outcome.problem:
            print(f"  {mutant.place}: {outcome.problem}", flush=True)
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all mutants, or those of whose line or text a word is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants with one of these words in them")
    parser.add_argument("--root", type=Path, default=ROOT)
    parser.add_argument("--jobs", type=int, default=JOBS)
    given = parser.parse_args(arguments)
    root: Path = given.root.resolve()
    start = time.monotonic()
    try:
        mutants = read_mutants(root)
    except ListError as error:
        print(error)
        return 2
    if given.words:
        mutants = [it for it in mutants if any(word in str(it) for word in given.words)]
    if not mutants:  # and pytest, told of no test, would run them all
        print(f"no mutant has one of these words: {' '.join(given.words)}")
        return 2
    for source in {mutant.file.partition("/")[0] for mutant in mutants}:
        compileall.compile_dir(root / source, quiet=2)  # for the copies to take along
    for name in OTHERS if root == ROOT else ():
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="metasnapshot-mutants-") as directory:
        scratch = Path(directory)
        tests = sorted({mutant.test for mutant in mutants})
        _, status = os.waitpid(in_child(lambda place: try_unbroken(root, tests, place), scratch), 0)
        if unbroken := result_of(scratch, status):
            print(f"without any break:\n{unbroken}")
            return 2
        outcomes = try_all(root, mutants, given.jobs, scratch)
    lived = sum(bool(outcome.problem) for outcome in outcomes)
    took = time.monotonic() - start
    print(f"{len(outcomes)} mutants, {lived} live, {took:.0f} s")
    return 1 if lived else 0


if __name__ == "__main__":
    sys.exit(main())
