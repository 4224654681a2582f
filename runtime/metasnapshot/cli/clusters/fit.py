"""Which verbs work on all clusters, and what each cluster's own command line is then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metasnapshot.cli.clusters.choice import ALL, NAME
from metasnapshot.cli.screen import COLOR_OPTION
from metasnapshot.errors import UsageError

FIT = (
    *("backup", "check", "config", "coverage", "drill", "expire", "gc", "list", "pins"),
    *("report", "storage", "support", "timeline", "verify", "watch"),
)
ONE_SNAPSHOT = "it is about snapshots of one directory, and an id means another one in each"
REASONS = {
    "cat": ONE_SNAPSHOT,
    "completion": "it is about no cluster",
    "copy": "one target would get the snapshots of every cluster",
    "create-schema": "it makes the tables of one meta store",
    "delete": ONE_SNAPSHOT,
    "diff": ONE_SNAPSHOT,
    "epoch": ONE_SNAPSHOT,
    "export": ONE_SNAPSHOT,
    "keep": ONE_SNAPSHOT,
    "query": ONE_SNAPSHOT,
    "read": ONE_SNAPSHOT,
    "rebuild-manifest": "it is for the one directory whose manifest is lost",
    "restore": "it writes into one meta store, and somebody looks at its plan first",
    "show": ONE_SNAPSHOT,
    "tables": ONE_SNAPSHOT,
}
"""Why the others do not."""
OPTIONS = {
    "check": {"--nagios": "it prints one line: make a service of each cluster"},
    "coverage": {
        "--scaffold": "it is about the release of one cluster",
        "--write": "it writes files for the release of one cluster",
    },
    "drill": {"--against": "one database would take the rows of every cluster"},
    "watch": {
        "--metrics-port": "each watcher would want it, and --metrics-file is for all of them",
        "--metrics-address": "each watcher would want it, and --metrics-file is for all of them",
    },
}
"""Options of those that do which do not go with it, and why."""
FILES = {"report": "--to", "support": "--to", "timeline": "--html"}
"""Verbs that write a file each, and the option that names it."""
PLACE = "{cluster}"
"""What stands for a cluster's name in the name of such a file."""


def require_fit(verb: str | None, words: Sequence[str]) -> str:
    """The verb, if it works on all clusters with these options.

    Raises:
        UsageError: it does not, and why.
    """
    if verb is None:
        raise UsageError(f"{ALL} needs a verb", hint=f"one of {', '.join(FIT)}")
    if verb not in FIT:
        raise UsageError(
            f"{verb} does not work on all clusters: {REASONS[verb]}", hint=f"{NAME} NAME takes one"
        )
    for word in options(words):
        reason = OPTIONS.get(verb, {}).get(word.partition("=")[0])
        if reason is not None:
            name = word.partition("=")[0]
            raise UsageError(f"{name} does not go with {ALL}: {reason}", hint=f"take {NAME} NAME")
    option = FILES.get(verb, "")
    to = value_of(words, option)
    if to is not None and PLACE not in Path(to).name:
        raise UsageError(
            f"{option} {to} would be the file of every cluster",
            hint=f"put {PLACE} into its name, such as {verb}-{PLACE}{Path(to).suffix}",
        )
    return verb


def options(words: Sequence[str]) -> Sequence[str]:
    """The words that may be options."""
    return words[: words.index("--")] if "--" in words else words


def value_of(words: Sequence[str], option: str) -> str | None:
    """The value of an option, as it was typed last; None if it was not."""
    found, ours = None, options(words)
    for number, word in enumerate(ours):
        name, equals, value = word.partition("=")
        if name == option:
            found = value if equals else "".join(ours[number + 1 : number + 2])
    return found


def words_of(verb: str, words: Sequence[str], cluster: str) -> list[str]:
    """The command line for one cluster: without colours, for its lines are read by us."""
    found = [NAME, cluster]
    is_value = False
    for number, word in enumerate(words):
        if is_value:
            is_value = False
            continue
        is_option = number < len(options(words))
        name, equals, _ = word.partition("=")
        if is_option and name == COLOR_OPTION:
            is_value = not equals
            continue
        before = words[number - 1] if number else ""
        is_path = is_option and FILES.get(verb) in (before, name)
        found.append(word.replace(PLACE, cluster) if is_path else word)
    return found
