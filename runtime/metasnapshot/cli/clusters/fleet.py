"""`--all-clusters`: a verb on every cluster of the settings file, each in a process of its own, and
what came of it in one summary.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from metasnapshot.cli.clusters.choice import ALL, PARALLEL, TIMEOUT, Choice
from metasnapshot.cli.clusters.crew import Crew, Outcome, own_command
from metasnapshot.cli.clusters.fit import require_fit, value_of, words_of
from metasnapshot.cli.clusters.stops import Stops, noted_stops
from metasnapshot.cli.clusters.tables import require_sound
from metasnapshot.cli.parameters import duration
from metasnapshot.cli.screen import Part, bad, good
from metasnapshot.cli.settings import CONFIG_VARIABLE, File, check_environment, read_file
from metasnapshot.cli.text import Document, complain, error_document, remark, say, say_json, table
from metasnapshot.errors import (
    SOME_FAILED,
    Interrupted,
    MetasnapshotError,
    UsageError,
)
from metasnapshot.spans import counted

AT_ONCE = 4
"""Clusters at a time, where nobody says how many."""
PARALLEL_MAX = 1000
NOT_STARTED = "was not started"


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


def say_lines(name: str, lines: Iterable[str], *, is_result: bool = True) -> None:
    """What a cluster's process said, each line with the cluster's name."""
    for line in lines:
        if is_result:
            say(f"{name}: {line}")
        else:
            remark(f"{name}: {line}")


def summarise(
    verb: str, names: Iterable[str], found: Mapping[str, Outcome], stops: Stops, *, as_json: bool
) -> int:
    """Say what came of each cluster, in the order of the file; returns the exit code of all."""
    outcomes = [
        found.get(name) or Outcome(name, Interrupted.exit_code, 0.0, fate=NOT_STARTED)
        for name in names
    ]
    code = Interrupted.exit_code if stops.count else code_of([item.code for item in outcomes])
    if as_json:
        clusters = [document(item) for item in outcomes]
        say_json({"verb": verb, "exit_code": code, "clusters": clusters})
    else:
        rows: list[list[Part]] = [
            [item.name, bad(f"exit {item.code}") if item.code else good("ok"), _time(item), why]
            for item in outcomes
            for why in [reason(item)]
        ]
        table([["cluster", "result", "time", ""], *rows])
        failed = sum(item.code != 0 for item in outcomes)
        say(f"{counted(len(outcomes), 'cluster')}, {failed} failed")
    if stops.count:
        complain("interrupted")
    return code


def code_of(codes: Sequence[int]) -> int:
    """The exit code of several: 3 if some failed; if all did, the one that all have, or 1."""
    failed = [code for code in codes if code]
    if not failed:
        return 0
    if len(failed) < len(codes):
        return SOME_FAILED
    return failed[0] if len(set(failed)) == 1 else MetasnapshotError.exit_code


def reason(outcome: Outcome) -> str:
    """Why a cluster's work failed, in a line; empty if it did not."""
    if outcome.fate:
        return outcome.fate
    if not outcome.code:
        return ""
    said = [line for line in outcome.err if line.startswith("error: ")]
    return said[-1].removeprefix("error: ") if said else ""


def document(outcome: Outcome) -> Document:
    """What --json prints of a cluster."""
    lines = [line for line in outcome.out if line.strip()]
    try:
        found = cast("Document | None", json.loads(lines[-1]) if lines else None)
    except ValueError:  # it was killed within the line
        found = None
    error = found.get("error") if found is not None else None
    if error is None and (outcome.fate or (found is None and outcome.code)):
        error = _lost(outcome)
    is_alone = found is not None and found.keys() == {"error"}
    return {
        "cluster": outcome.name,
        "exit_code": outcome.code,
        "seconds": round(outcome.seconds, 3),
        "document": None if is_alone else found,
        "error": error,
    }


def _lost(outcome: Outcome) -> Document:
    """The error of one that could not say its own as JSON."""
    text = reason(outcome) or f"it ended with exit code {outcome.code}, and said nothing"
    hints = [line.removeprefix("hint: ") for line in outcome.err if line.startswith("hint: ")]
    kind = UsageError if outcome.code == UsageError.exit_code else MetasnapshotError
    told = kind(f"cluster {outcome.name}: {text}", hint="" if outcome.fate else "".join(hints[-1:]))
    found: Document = error_document(told)["error"]
    return found | {"exit_code": outcome.code}


def _time(outcome: Outcome) -> str:
    return "-" if outcome.fate == NOT_STARTED else f"{outcome.seconds:.1f} s"
