"""What came of several clusters: their lines, a summary, one document of JSON, one exit code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from metasnapshot.cli.clusters.crew import Outcome
from metasnapshot.cli.clusters.stops import Stops
from metasnapshot.cli.screen import Part, bad, good
from metasnapshot.cli.text import Document, complain, error_document, remark, say, say_json, table
from metasnapshot.errors import SOME_FAILED, Interrupted, MetasnapshotError, UsageError
from metasnapshot.spans import counted

NOT_STARTED = "was not started"


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
