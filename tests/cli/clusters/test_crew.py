"""The processes of several clusters: whole lines, and nobody waits for one that is gone."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from metasnapshot.cli.clusters.crew import Crew, Outcome
from metasnapshot.cli.clusters.stops import Stops

OK = 'print("fine")'


def script(text: str) -> list[str]:
    """A process that starts quickly."""
    return [sys.executable, "-I", "-S", "-c", text]


@pytest.fixture
def stops() -> Iterator[Stops]:
    found = Stops()
    yield found
    found.close()


def test_lines_are_whole_whatever_pieces_come(stops: Stops) -> None:
    """Two that write letter by letter: each line is one of theirs; what ends without a line break
    is told too.
    """
    slow = "import os\nfor c in b'{0}{0}\\n{0}end': os.write(1, bytes([c])); os.sched_yield()"
    heard: list[tuple[str, list[str]]] = []
    crew_ = Crew(
        lambda name: script(slow.format(name * 20)),
        limit=2,
        told=lambda name, stream, lines: heard.append((name, lines)) if stream == "out" else None,
    )
    crew_.run({"a": 0, "b": 0}, lambda _: None, stops)
    for name in "ab":
        lines = [line for one, lines in heard if one == name for line in lines]
        assert lines == [name * 40, f"{name * 20}end"]


def test_one_that_left_a_child_behind_is_done(stops: Stops, tmp_path: Path) -> None:
    """Nobody waits for who holds its pipes."""
    path = tmp_path / "pid"
    text = f"""
import os, time
if (number := os.fork()) == 0:
    time.sleep(600)
open({str(path)!r}, "w").write(str(number))
print("done", flush=True)
"""
    found: list[Outcome] = []
    try:
        Crew(lambda _: script(text), limit=1).run({"a": 0}, found.append, stops)
        assert [(item.code, list(item.out)) for item in found] == [(0, ["done"])]
    finally:
        os.kill(int(path.read_text()), signal.SIGKILL)


def test_a_command_that_is_not_there_is_told(stops: Stops) -> None:
    """As the failure of its cluster, not of all."""
    found: list[Outcome] = []
    Crew(lambda name: ["./nothing"] if name == "a" else script(OK), limit=2).run(
        {"a": 0, "b": 0}, found.append, stops
    )
    assert {item.name: (item.code, item.fate.partition(":")[0]) for item in found} == {
        "a": (1, "could not be started"),
        "b": (0, ""),
    }
