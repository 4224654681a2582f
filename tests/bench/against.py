"""`make bench-against REF=...`: this tree beside an earlier commit, in turns on the same machine.

The commit is unpacked under build/ and gets a venv of its own; both sides do the same jobs on the
same bytes, a round each, the other first in every second round. Figures are seconds of the
processor, which neighbours disturb less than the clock; medians are printed, and the ratio of the
best is what a limit is held to: neighbours only ever add.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
BENCHES = "tests/bench"
CACHE = ROOT / "build" / "against"
REF = "abba3c9"
ROUNDS = 3
ROUNDS_MORE = 4
"""For a job that seems too slow: a neighbour may have been at work."""
RATIO_MAX = 1.25
"""Of a job to the same job of the earlier commit."""
BASELINES = {"decode": ("orjson decode", 0.8), "encode": ("orjson encode", 0.8)}
"""Of a job to a baseline in the same run: at most this much of its time (docs/benchmarks.md)."""
COMMANDS = {
    "list": ("list", "--backup-storage-url", "fs://{list}"),
    "--version": ("--version",),
    "--help": ("--help",),
}
SOURCES = ("runtime", "generated", "codegen")
Times = dict[str, list[float]]


@dataclass(frozen=True)
class Side:
    """A tree, and the interpreter that imports it."""

    name: str
    root: Path
    python: Path


class Worker:
    """A side's process that does jobs."""

    def __init__(self, side: Side, folder: Path, count: int) -> None:
        command = [side.python, ROOT / BENCHES / "job.py", side.root / BENCHES, folder, str(count)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.jobs: list[str] = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def seconds(self, job: str) -> float:
        """What a job takes of the processor."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{job}\n")
        self._process.stdin.flush()
        found: list[float] = self._answer()
        return found[1]

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit("error: a side's process ended; its own words are above")
        return json.loads(line)


def git(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["git", *words],  # noqa: S607 (found by PATH)
        cwd=ROOT,
        capture_output=True,
        check=False,
    )


def commit_of(ref: str) -> str:
    """The full name of a commit."""
    found = git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if found.returncode:
        sys.exit(
            f"error: no commit {ref} here\nhint: a shallow clone has none; git fetch --unshallow"
        )
    return found.stdout.decode().strip()


def unpack(commit: str) -> Side:
    """A commit's tree and venv under build/, made once."""
    root = CACHE / commit
    side = Side(commit[:9], root, root / ".venv" / "bin" / "python")
    if (root / ".ready").exists():
        return side
    shutil.rmtree(root, ignore_errors=True)
    with tarfile.open(fileobj=BytesIO(git("archive", commit).stdout)) as tar:
        tar.extractall(root, filter="data")
    same = (root / "requirements.lock").read_bytes() == (ROOT / "requirements.lock").read_bytes()
    venv.create(root / ".venv", with_pip=not same, symlinks=True)
    if not same:
        install = [side.python, "-m", "pip", "install", "--quiet", "--require-hashes"]
        subprocess.run([*install, "-r", root / "requirements.lock"], check=True)
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    ours, theirs = (
        subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
        for python in (Path(sys.executable), side.python)
    )
    paths = [*(str(root / source) for source in SOURCES), *([ours.stdout.strip()] if same else [])]
    packages = Path(theirs.stdout.strip())
    (packages / "side.pth").write_text("\n".join(paths), encoding="utf-8")
    # The command asks for its own version.
    known = packages / "metasnapshot-0.0.0.dist-info"
    known.mkdir()
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: metasnapshot\nVersion: 0.0.0\n")
    (root / ".ready").touch()
    return side


def prepare(folder: Path, sides: Iterable[Side], size: int, count: int) -> None:
    """A folder a side, with the same bytes in each, and one with a large manifest; and compiled
    sources, which the environment may keep Python from writing."""
    for side in sides:
        paths = [side.root / source for source in SOURCES]
        subprocess.run([side.python, "-m", "compileall", "-q", *paths], check=True)
    import data  # noqa: PLC0415 (imports the product, which this process does not need otherwise)
    import deltas  # noqa: PLC0415
    import lists  # noqa: PLC0415

    made = folder / "made"
    path = made / "backup" / "2.snapshot"
    path.parent.mkdir(parents=True)
    data.write_snapshot(path, size)
    data.write_manifest(path)
    deltas.write(made, count)
    for side in sides:
        shutil.copytree(made, folder / side.name)
    (folder / "list").mkdir()
    lists.write_manifest(folder / "list" / "backup" / "manifest.json", objects=lists.OBJECTS // 10)


def command_seconds(side: Side, words: Iterable[str], folder: Path) -> float:
    """What a command takes of the processor, start of the interpreter and all."""
    command = [str(side.python), "-m", "metasnapshot"]
    command += [word.format(list=folder / "list") for word in words]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"error: {' '.join(command)} ends with status {status}")
    return used.ru_utime + used.ru_stime


class Contest:
    """Two sides, and the times of each job of each."""

    def __init__(self, sides: Sequence[Side], folder: Path, workers: Sequence[Worker]) -> None:
        self.names = [*workers[0].jobs, *COMMANDS]
        self.times: list[Times] = [{name: [] for name in self.names} for _ in sides]
        self._sides, self._folder, self._workers = sides, folder, workers

    def play(self, names: Iterable[str], rounds: int) -> None:
        """Each job in turns; who begins changes with each round."""
        for number in range(rounds):
            for name in names:
                for at in (0, 1) if number % 2 == 0 else (1, 0):
                    self.times[at][name].append(self._seconds(at, name))

    def _seconds(self, at: int, name: str) -> float:
        if name in COMMANDS:
            return command_seconds(self._sides[at], COMMANDS[name], self._folder)
        return self._workers[at].seconds(name)


def too_slow(tree: Times, ref: Times) -> dict[str, str]:
    """The jobs of the tree that break a limit, and which."""
    found: dict[str, str] = {}
    for name, times in tree.items():
        ratio = min(times) / min(ref[name])
        if ratio > RATIO_MAX and name not in {baseline for baseline, _ in BASELINES.values()}:
            found[name] = f"takes {ratio:.2f} of what it took, {RATIO_MAX} at most"
    for name, (baseline, share_max) in BASELINES.items():
        share = min(tree[name]) / min(tree[baseline])
        if share > share_max:
            found[name] = f"takes {share:.2f} of {baseline}'s time, {share_max} at most"
    return found


def table(sides: Sequence[Side], times: Sequence[Times]) -> str:
    """Medians, and the ratio of the best."""
    lines = [f"| processor seconds | {sides[1].name} | {sides[0].name} | ratio of the best |"]
    lines.append("|---|---|---|---|")
    for name in filter(times[0].get, times[0]):
        tree, ref = (side[name] for side in times)
        lines.append(
            f"| {name} | {median(ref):.3f} | {median(tree):.3f} | {min(tree) / min(ref):.2f} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ref", nargs="?", default=REF)
    parser.add_argument("--size", type=int, default=64, help="of the snapshot, MiB")
    parser.add_argument("--deltas", type=int, default=20_000)
    parser.add_argument("--only", nargs="+", help="names of jobs")
    parser.add_argument("--gate", action="store_true", help="fail if a limit is broken")
    given = parser.parse_args()
    ref = unpack(commit_of(given.ref))
    sides = [Side("tree", ROOT, Path(sys.executable)), ref]
    with tempfile.TemporaryDirectory(prefix="metasnapshot-bench-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        prepare(folder, sides, given.size << 20, given.deltas)
        workers = [
            stack.enter_context(Worker(side, folder / side.name, given.deltas)) for side in sides
        ]
        contest = Contest(sides, folder, workers)
        contest.play(given.only or contest.names, ROUNDS)
        if given.only:
            print(table(sides, contest.times))
            return 0
        if given.gate and (slow := too_slow(*contest.times)):
            again = {*slow, *(BASELINES[name][0] for name in slow if name in BASELINES)}
            contest.play(sorted(again), ROUNDS_MORE)
        print(table(sides, contest.times))
        slow = too_slow(*contest.times)
    for name, why in slow.items():
        print(f"{name}: {why}")
    return 1 if given.gate and slow else 0


if __name__ == "__main__":
    sys.exit(main())
