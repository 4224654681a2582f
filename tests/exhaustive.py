"""The long proofs, in groups: all of them, or those that a change asks for.

exhaustive.yaml lists the groups, with the files that each judges. The whole run notes in
exhaustive.last which commit it has proved and what each group took; who mends what one group found
runs that again with --renew, which notes a commit for it alone. CI runs the groups that judge a
file that changed since their commit, and one more, which the hash of the last commit chooses.
Where git cannot tell, they run.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

import yaml

VARIABLE = "TEST_EVERY_STEP"
WHOLE = bool(os.environ.get(VARIABLE))
"""Whether this is a run of the long proofs; an ordinary one takes a thin slice of each."""
ROOT = Path(__file__).parents[1]
LIST = "tests/exhaustive.yaml"
LAST = "tests/exhaustive.last"
SOURCES = ("runtime", "codegen", "schema", "generated", "deploy")
"""Every file below them is judged by a group."""
T = TypeVar("T")
TIMED_OUT = 124
GROUP_MAX_S = 1500
"""A group that takes as long hangs, or is too slow for CI; it is ended, and has failed."""


def thin(items: Iterable[T], step: int = 3) -> list[T]:
    """A slice of the cases of a sweep: every so manyth and the last; in a whole run all of them."""
    found = list(items)
    return found if WHOLE else found[:-1:step] + found[-1:]


@dataclass(frozen=True)
class Group:
    """Proofs that run together.

    Attributes:
        name: what it is called.
        judges: patterns of the files that it judges; `*` crosses folders.
        command: what runs it, in words; the tests that it names are judged too.
    """

    name: str
    judges: tuple[str, ...]
    command: tuple[str, ...]

    @property
    def patterns(self) -> tuple[str, ...]:
        """All that makes it due when it changes."""
        named = (word for word in self.command if word.endswith((".py", "/")))
        return (*self.judges, *(f"{word}*" if word.endswith("/") else word for word in named))

    def is_about(self, path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self.patterns)


def groups(root: Path = ROOT) -> tuple[Group, ...]:
    """The groups of a list, in its order."""
    found = yaml.safe_load((root / LIST).read_text(encoding="utf-8"))
    return tuple(
        Group(name, tuple(entry["judges"]), tuple(shlex.split(entry["command"])))
        for name, entry in found.items()
    )


def git(root: Path, *arguments: str) -> str | None:
    """What git answers; None if it cannot, or is not there."""
    program = shutil.which("git")
    if program is None:
        return None
    command = [program, "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode else done.stdout


@dataclass(frozen=True)
class Noted:
    """What exhaustive.last says; nothing where nobody knows.

    Attributes:
        commit: of the last whole run.
        renewed: by group, the later commits that it alone was run on.
        seconds: what each group took last.
    """

    commit: str | None = None
    renewed: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])

    def of(self, group: str) -> str | None:
        """The last commit on which a group went well."""
        return self.renewed.get(group, self.commit)


def noted(root: Path = ROOT) -> Noted:
    """Read exhaustive.last."""
    try:
        found = yaml.safe_load((root / LAST).read_text(encoding="utf-8"))
        commit, renewed, seconds = (found.get(key) for key in ("commit", "renewed", "seconds"))
        return Noted(commit and str(commit), dict(renewed or {}), dict(seconds or {}))
    except (OSError, yaml.YAMLError, AttributeError, TypeError, ValueError):
        return Noted()


def changed_since(root: Path, commit: str) -> list[str] | None:
    """Files that differ from a commit, in the tree as it is; None if git does not have it."""
    if git(root, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        return None
    changed = git(root, "diff", "--name-only", "--no-renames", "-z", commit)
    new = git(root, "ls-files", "--others", "--exclude-standard", "-z")
    if changed is None or new is None:
        return None
    return [path for path in (changed + new).split("\0") if path]


def due(found: Sequence[Group], root: Path = ROOT) -> tuple[Group, ...]:
    """The groups that a change asks for, and one that the commit's hash chooses."""
    last, head = noted(root), git(root, "rev-parse", "HEAD")
    if head is None:
        return tuple(found)
    commits = {commit for group in found if (commit := last.of(group.name))}
    changed = {commit: changed_since(root, commit) for commit in commits}
    lot = found[int(head, 16) % len(found)]

    def is_due(group: Group) -> bool:
        paths = changed.get(last.of(group.name) or "")
        return group is lot or paths is None or any(group.is_about(path) for path in paths)

    return tuple(group for group in found if is_due(group))


def run(
    chosen: Sequence[Group], tell: Callable[[Mapping[str, float]], None] | None = None
) -> tuple[dict[str, float], list[str]]:
    """Run groups one after the other; seconds of those that went well by name, and the others.

    Args:
        chosen: which.
        tell: is told of those that went well so far, each time that one did.
    """
    took: dict[str, float] = {}
    failed: list[str] = []
    environment = {**os.environ, VARIABLE: "1", "CI": "1"}
    for group in chosen:
        print(f"exhaustive: {group.name}", flush=True)
        words = [sys.executable if word == "python" else word for word in group.command]
        start = time.monotonic()
        code = call(words, environment)
        seconds = time.monotonic() - start
        if code:
            failed.append(group.name)
        else:
            took[group.name] = seconds
            if tell is not None:
                tell(took)
        print(f"exhaustive: {group.name} took {seconds:.0f} s, exit code {code}", flush=True)
    if failed:
        print(f"error: failed: {', '.join(failed)}", file=sys.stderr)
    return took, failed


def call(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command with all that it starts; its exit code, or that of `timeout` if it hangs."""
    with subprocess.Popen(words, cwd=ROOT, env=environment, start_new_session=True) as process:
        try:
            return process.wait(GROUP_MAX_S)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                return TIMED_OUT
            raise


def note(said: Noted, root: Path) -> None:
    """Write what is proved."""
    lines = [] if said.commit is None else [f"commit: {said.commit}", "ok: true"]
    lines += [f"total_s: {sum(said.seconds.values()):.0f}", "seconds:"]
    lines += [f"  {name}: {seconds:.0f}" for name, seconds in said.seconds.items()]
    if said.renewed:
        lines += ["renewed:", *(f"  {name}: {commit}" for name, commit in said.renewed.items())]
    (root / LAST).write_text("\n".join(lines) + "\n", encoding="utf-8")


def prove(chosen: Sequence[Group], *, renew: bool) -> int:
    """Run groups on a tree that is a commit's, and note it: all of them, if none fails; or to
    renew what is noted, each that goes well.
    """
    head, edited = git(ROOT, "rev-parse", "HEAD"), git(ROOT, "status", "--porcelain")
    if head is None or edited is None or {line[3:] for line in edited.splitlines()} - {LAST}:
        print("error: the tree is not that of a commit\nhint: commit first", file=sys.stderr)
        return 2
    commit, last = head.strip(), noted(ROOT)

    def tell(took: Mapping[str, float]) -> None:
        renewed = {**last.renewed, **dict.fromkeys(took, commit)}
        note(Noted(last.commit, renewed, {**last.seconds, **took}), ROOT)

    took, failed = run(chosen, tell if renew else None)
    if not failed and not renew:
        note(Noted(commit, {}, took), ROOT)
    if took and (renew or not failed):
        print(f"exhaustive: they took {sum(took.values()):.0f} s; commit {LAST}")
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="groups to run, without a note; all, with one")
    parser.add_argument("--due", action="store_true", help="run what a change asks for")
    parser.add_argument("--renew", action="store_true", help="note those that go well")
    parser.add_argument("--list", action="store_true", help="print the groups that would run")
    chosen = parser.parse_args(arguments)
    found = groups()
    unknown = sorted(set(chosen.names) - {group.name for group in found})
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)}")
    picked = due(found) if chosen.due else found
    if chosen.names:
        picked = tuple(group for group in found if group.name in chosen.names)
    if chosen.list:
        print("\n".join(group.name for group in picked))
        return 0
    if chosen.renew or not (chosen.due or chosen.names):
        return prove(picked, renew=chosen.renew)
    return 1 if run(picked)[1] else 0


if __name__ == "__main__":
    sys.exit(main())
