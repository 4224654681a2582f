"""What a run came to, for others: one JSON object for programs, `MSNAP_EVENT_*` for scripts. Texts
are cut so that neither outgrows what a pipe, an environment or a line of a log takes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from metasnapshot.cli.outcome import DEEDS, Outcome
from metasnapshot.cli.text import Document
from metasnapshot.cli.words import shown_error
from metasnapshot.version import VERSION

PREFIX = "MSNAP_EVENT_"
LINE_MAX = 65_536
"""Bytes of a document as one line of JSON, with its end."""
VARIABLE_MAX = 8_192
"""Characters of one variable."""
TEXT_MAX, ITEMS_MAX = 16_384, 4_096
"""Of one text and of one list, before they are halved as often as it takes."""


def event_of(outcome: Outcome, run_id: str) -> Document:
    """An event as docs/contract.md has it.

    Args:
        outcome: what the run came to.
        run_id: tells the events of one run from those of others.
    """
    error = outcome.error if outcome.code else None
    host = os.uname().nodename
    what = " ".join(["metasnapshot", outcome.verb or "?", *(["(dry run)"] * outcome.is_dry)])
    told = f"ended with {outcome.code}" if outcome.code else "went well"
    said = shown_error(str(error), outcome.words) if error else None
    return {
        "text": " ".join(f"{what} on {host} {told}{f': {said}' if said else ''}".split()),
        "result": "failure" if outcome.code else "success",
        "run": run_id,
        "round": outcome.round,
        "verb": outcome.verb,
        "dry_run": outcome.is_dry,
        "exit_code": outcome.code,
        "time": spelt_time(),
        "seconds": round(outcome.seconds, 3),
        "directory": outcome.directory or None,
        "cluster": outcome.cluster or None,
        "cluster_name": outcome.cluster_name,
        "snapshot_ids": outcome.ids,
        **{name: outcome.deeds.get(name, []) for name in DEEDS},
        "to": outcome.to,
        "error": said,
        "error_kind": type(error).__name__ if error else None,
        "hint": shown_error(error.hint, outcome.words) if error and error.hint else None,
        "host": host,
        "version": VERSION,
    }


def spelt_time() -> str:
    """Now, as RFC 3339 has it, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def line_of(document: Mapping[str, Any]) -> bytes:
    """A document as one line of JSON in ASCII. One that is too long has its texts and lists cut,
    and says so by `cut`; it stays a document of the same form.
    """
    line = json.dumps(_plain(document, sys.maxsize, sys.maxsize))
    text_max, items_max = TEXT_MAX, ITEMS_MAX
    while len(line) >= LINE_MAX:
        line = json.dumps(_plain(document, text_max, items_max) | {"cut": True})
        text_max, items_max = text_max // 2, items_max // 2
    return line.encode("ascii") + b"\n"


def variables_of(event: Mapping[str, Any]) -> dict[str, str]:
    """The same as variables, each called as its key; what there is none of is an empty text."""
    return {f"{PREFIX}{key.upper()}": _spelt(value) for key, value in event.items()}


def _spelt(value: Any) -> str:
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return " ".join(map(_spelt, items))[:VARIABLE_MAX]
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else _readable(str(value)).replace("\0", "")[:VARIABLE_MAX]


def _plain(value: Any, text_max: int, items_max: int) -> Any:
    """The same with short texts and lists, and no character that a file or a parser refuses."""
    if isinstance(value, str):
        return _readable(value if len(value) <= text_max else f"{value[:text_max]}…")
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value)
        return {key: _plain(item, text_max, items_max) for key, item in pairs.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_plain(item, text_max, items_max) for item in items[:items_max]]
    return value


def _readable(text: str) -> str:
    """A text in which bytes of a command line that are no UTF-8 are spelt as what they are."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
