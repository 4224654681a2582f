"""`watch --all-clusters`: a watcher for each cluster, in a process of its own; the first rounds are
spread over the time between two. A watcher that ends by itself is told, and another one starts when
its next round would have been.
"""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from metasnapshot.cli.clusters.choice import PARALLEL, TIMEOUT, Choice
from metasnapshot.cli.clusters.crew import Crew, Outcome, Stream, own_command
from metasnapshot.cli.clusters.fit import value_of, words_of
from metasnapshot.cli.clusters.stops import noted_stops
from metasnapshot.cli.clusters.summary import code_of, reason, say_lines
from metasnapshot.cli.parameters import duration
from metasnapshot.cli.settings import File
from metasnapshot.cli.text import Document, flush, say, say_json
from metasnapshot.errors import UsageError
from metasnapshot.spans import spelt


def spread(names: Sequence[str], every_s: float, chance: random.Random) -> dict[str, float]:
    """When the first round of each cluster begins, in seconds. Each has an equal part of the time
    between two rounds, in the order of the file, and begins somewhere in it: no two stores are read
    at once, and two hosts that start together are not in step.
    """
    part = every_s / len(names)
    return {name: part * (place + chance.random()) for place, name in enumerate(names)}


def watch_all(file: File, words: Sequence[str], choice: Choice) -> int:
    """Watch every cluster; returns the exit code.

    Args:
        file: the settings.
        words: the command line of the watch.
        choice: what was said of clusters.

    Raises:
        UsageError: the command line is not as it must be.
        KeyboardInterrupt: somebody pressed Ctrl-C; no watcher is there any more.
    """
    for option, value in ((PARALLEL, choice.parallel), (TIMEOUT, choice.timeout)):
        if value is not None:
            raise UsageError(f"{option} and watch: each cluster has its watcher, without an end")
    every = value_of(words, "--every")
    if every is None:
        raise UsageError("watch needs --every", hint="metasnapshot watch --help")
    every_s = duration(every).total_seconds()
    if not every_s:
        raise UsageError("--every is zero", hint="such as 30m")
    log = _Log(as_json=value_of(words, "--log") == "json")
    is_counted = value_of(words, "--rounds") is not None
    codes: dict[str, int] = {}
    crew = Crew(
        lambda name: own_command(words_of("watch", words, name), is_live=True),
        limit=len(file.clusters),
        told=log.pass_on,
    )
    delays = spread([*file.clusters], every_s, random.SystemRandom())
    with noted_stops() as stops:

        def ended(outcome: Outcome) -> float | None:
            codes[outcome.name] = outcome.code
            again = None if is_counted or stops.count else every_s
            log.end(outcome, again)
            return again

        for name, delay in delays.items():
            log.tell(name, "info", f"first round in {spelt(timedelta(seconds=delay))}")
        crew.run(delays, ended, stops)
        if stops.count and stops.number == signal.SIGINT:
            raise KeyboardInterrupt
        return 0 if stops.count else code_of([*codes.values()])


class _Log:
    """Lines of several watchers, each with the name of its cluster."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def pass_on(self, name: str, stream: Stream, lines: Sequence[str]) -> None:
        """What a watcher says."""
        if stream == "err":
            say_lines(name, lines, is_result=False)
        elif not self._as_json:
            say_lines(name, lines)
        else:
            for line in lines:
                self._pass_on_json(name, line)
        flush()

    def tell(self, name: str, level: str, text: str) -> None:
        """What happens to a watcher."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self._as_json:
            say_json({"cluster": name, "at": now, "level": level, "message": text})
        else:
            say(f"{name}: {now} {text}")
        flush()

    def end(self, outcome: Outcome, again: float | None) -> None:
        """That one ended, and when the next one starts; nothing of one that went well."""
        if again is None and not outcome.code:
            return
        why = reason(outcome) or f"exit {outcome.code}"
        then = "" if again is None else f"; starts again in {spelt(timedelta(seconds=again))}"
        self.tell(outcome.name, "error", f"the watcher ended: {why}{then}")

    def _pass_on_json(self, name: str, line: str) -> None:
        try:
            found: Any = json.loads(line)
        except ValueError:  # it was killed within the line
            found = None
        if not isinstance(found, dict):
            self.tell(name, "error", line)
            return
        document: Document = {"cluster": name, **found}
        say_json(document)
