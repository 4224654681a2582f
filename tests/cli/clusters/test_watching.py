"""`watch --all-clusters`: a watcher for each, spread, told and started again."""

from __future__ import annotations

import json
import random
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shell import Shell

from metasnapshot.cli.clusters import watching
from metasnapshot.cli.clusters.crew import Crew
from metasnapshot.cli.clusters.watching import spread

LINE = '{"at": "2026-01-01T00:00:00Z", "level": "info", "message": "m", "backup": 1}'
Act = Callable[[str], list[list[str]]]


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Act:
    """Lets each watcher be a script, and gives their command lines; first rounds come at once."""

    def acting(script: str) -> list[list[str]]:
        asked: list[list[str]] = []

        def command(words: list[str], *, is_live: bool = False) -> list[str]:
            assert is_live
            asked.append(words)
            return [sys.executable, "-I", "-S", "-u", "-c", script, words[1], str(len(asked))]

        monkeypatch.setattr(watching, "own_command", command)
        return asked

    def at_once(names: list[str], every_s: float, source: random.Random) -> dict[str, float]:
        assert every_s > 0
        assert source is not None
        return dict.fromkeys(names, 0.0)

    monkeypatch.setattr(watching, "spread", at_once)
    return acting


def chance(seed: int) -> random.Random:
    """What is the same again with the same seed."""
    return random.Random(seed)  # noqa: S311


@given(st.integers(1, 60), st.floats(0.001, 1e7), st.integers())
def test_first_rounds_are_spread_over_the_time_between_two(
    count: int, every_s: float, seed: int
) -> None:
    """Each cluster has a part of its own, in which it begins anywhere."""
    names = [f"c{number}" for number in range(count)]
    delays = spread(names, every_s, chance(seed))
    assert [*delays] == names
    for place, delay in enumerate(delays.values()):
        assert place * every_s / count <= delay <= (place + 1) * every_s / count


def test_two_watches_are_not_in_step() -> None:
    """The same seed gives the same times, and another one others."""
    one, again, other = (spread(["a", "b"], 600, chance(seed)) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_rounds_of_all_as_text(three: Shell, act: Act) -> None:
    """Each line has the name of its cluster, whether it is a result or a warning."""
    asked = act("import sys; print('done', sys.argv[1]); print('w', file=sys.stderr)")
    ran = three.run("watch", "--all-clusters", "--every", "1h", "--rounds", "1")
    lines = ran.out.splitlines()
    assert ran.code == 0
    for name in ("prod", "test", "old-1"):
        assert f"{name}: done {name}" in lines
        assert f"{name}: w\n" in ran.err
        assert any(re.match(rf"{name}: \S+Z first round in 0 ", line) for line in lines)
    assert asked[0] == ["--cluster", "prod", "watch", "--every", "1h", "--rounds", "1"]


def test_rounds_of_all_as_json(three: Shell, act: Act) -> None:
    """Each line is an object that says which cluster it is of; a broken line is told as a text."""
    act(
        f"import sys; print({LINE!r}); print('{{half'); sys.exit(4 if sys.argv[1] == 'test' else 0)"
    )
    ran = three.run("watch", "--all-clusters", "--every=1h", "--rounds=1", "--log", "json")
    assert ran.code == 3
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert {item["cluster"] for item in found} == {"prod", "test", "old-1"}
    assert sum(item.get("backup") == 1 for item in found) == 3
    assert sum(item["message"] == "{half" for item in found) == 3
    (ended,) = [item for item in found if item["message"].startswith("the watcher ended")]
    assert (ended["cluster"], ended["level"], ended["message"][-6:]) == ("test", "error", "exit 4")


def stop_after(monkeypatch: pytest.MonkeyPatch, number: int, starts: int, asked: object) -> None:
    """Send this process a signal when so many watchers were started."""
    look = Crew._look  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    sent: list[int] = []

    def looking(self: Crew, ended: Callable[..., float | None]) -> None:
        look(self, ended)
        if not sent and isinstance(asked, list) and len(asked) >= starts:
            sent.append(number)
            signal.raise_signal(number)

    monkeypatch.setattr(Crew, "_look", looking)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_watcher_that_ends_is_told_and_started_again(
    number: int, code: int, three: Shell, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it ends, while others go on; a signal ends them all, and nothing starts again."""
    kill = "import os, signal, sys, time\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    kill += "open(f'{os.getpid()}.pid', 'w').close()\n"
    kill += "if sys.argv[1] == 'test': os.kill(os.getpid(), signal.SIGKILL)\ntime.sleep(600)"
    asked = act(kill)
    stop_after(monkeypatch, number, 5, asked)
    ran = three.run("watch", "--all-clusters", "--every", "50ms")
    assert ran.code == code
    names = [words[1] for words in asked]
    assert (names[:3], set(names[3:])) == (["prod", "test", "old-1"], {"test"})
    assert ran.out.count("test: ") >= 2
    assert "the watcher ended: killed by SIGKILL; starts again in 0 seconds" in ran.out
    pids = [path.stem for path in three.path.glob("*.pid")]
    assert pids
    assert [name for name in pids if Path(f"/proc/{name}").exists()] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "watch needs --every"),
        (("--every", "0s"), "--every is zero"),
        (("--every", "soon"), "not a duration"),
        (("--every", "1h", "--parallel", "2"), "--parallel and watch"),
        (("--every", "1h", "--cluster-timeout", "2h"), "--cluster-timeout and watch"),
        (("--every", "1h", "--metrics-port", "9000"), "--metrics-file is for all of them"),
    ],
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...], message: str, three: Shell) -> None:
    """Before a watcher starts."""
    ran = three.run("watch", "--all-clusters", *words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
