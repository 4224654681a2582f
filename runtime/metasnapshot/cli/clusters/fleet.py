"""`--all-clusters`: a verb on every cluster of the settings file, each in a process of its own, and
what came of it in one summary.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from metasnapshot.cli.clusters.choice import ALL, PARALLEL, TIMEOUT, Choice
from metasnapshot.cli.clusters.crew import Crew, Outcome, own_command
from metasnapshot.cli.clusters.fit import require_fit, value_of, words_of
from metasnapshot.cli.clusters.stops import noted_stops
from metasnapshot.cli.clusters.summary import say_lines, summarise
from metasnapshot.cli.clusters.tables import require_sound
from metasnapshot.cli.parameters import duration
from metasnapshot.cli.settings import CONFIG_VARIABLE, File, check_environment, read_file
from metasnapshot.errors import UsageError

AT_ONCE = 4
"""Clusters at a time, where nobody says how many."""
PARALLEL_MAX = 1000


def run_all(named: str | None, words: Sequence[str], choice: Choice) -> int:
    """Run a verb on every cluster; returns the exit code.

    Args:
        named: the verb.
        words: the command line, without the options of clusters.
        choice: what those say.

    Raises:
        UsageError: the verb is not for all, or the settings file or an option is not as it must be.
    """
    verb = require_fit(named, words)
    file = clusters_of(words)
    if verb == "watch":
        from metasnapshot.cli.clusters.watching import watch_all  # noqa: PLC0415 - few watch

        return watch_all(file, words, choice)
    crew = Crew(
        lambda name: own_command(words_of(verb, words, name)),
        limit=parallel_of(choice.parallel),
        time_limit_s=timeout_of(choice.timeout),
    )
    as_json = "--json" in words
    found: dict[str, Outcome] = {}

    def ended(outcome: Outcome) -> None:
        found[outcome.name] = outcome
        say_lines(outcome.name, outcome.err, is_result=False)
        if not as_json:
            say_lines(outcome.name, outcome.out)

    with noted_stops() as stops:
        crew.run(dict.fromkeys(file.clusters, 0.0), ended, stops)
        return summarise(verb, file.clusters, found, stops, as_json=as_json)


def clusters_of(words: Sequence[str]) -> File:
    """The settings file, with every cluster's table as it must be.

    Raises:
        UsageError: it is not so, or has no clusters.
    """
    check_environment()
    path = value_of(words, "--config") or os.environ.get(CONFIG_VARIABLE)
    file = read_file(None if path is None else Path(path))
    if not file.clusters:
        raise UsageError(
            f"{ALL}: {file.place} has no clusters", hint="each is a table [cluster.NAME]"
        )
    require_sound(file)
    return file


def parallel_of(text: str | None) -> int:
    """How many clusters at a time.

    Raises:
        UsageError: it is no such number.
    """
    if text is None:
        return AT_ONCE
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:9]) <= PARALLEL_MAX:
        raise UsageError(f"{PARALLEL} {text:.60} is not from 1 to {PARALLEL_MAX}")
    return int(text)


def timeout_of(text: str | None) -> float:
    """How long the work on one cluster may take, in seconds.

    Raises:
        UsageError: it is no duration, or no time at all.
    """
    if text is None:
        return float("inf")
    seconds = duration(text).total_seconds()
    if not seconds:
        raise UsageError(f"{TIMEOUT} is zero", hint="such as 2h")
    return seconds
