"""Does a release have a rule? The registry's rules.yaml says since when and until when each holds;
what comes after the last line of a rule does as the release before it.

Releases stand in the order of the registry, not of their numbers: a branch has a place there, and
who follows `main` follows its rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from metasnapshot.errors import UsageError
from metasnapshot_models.layouts import RELEASES
from metasnapshot_models.rules import RULES, Rule

_NAMES = list(RELEASES)
_NUMBER = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


@cache
def rules_at(release: str) -> frozenset[str]:
    """The names of all rules of a release of the registry."""
    at = _NAMES.index(release)
    return frozenset(rule.name for rule in RULES if _is_alive(rule, at))


def is_any(rule: str, releases: Iterable[str]) -> bool:
    """Whether one of these releases has a rule; what the registry has no V2 layout of has none."""
    return any(release in RELEASES and rule in rules_at(release) for release in releases)


def known_release(release: str) -> str | None:
    """The release of the registry whose rules a release has: itself, or the last that is not
    younger; None for what is older than all of them.

    Args:
        release: such as 3.0.3 or v3.0.3; a branch by its name, with a date or without.

    Raises:
        UsageError: it is not a release.
    """
    for name in reversed(_NAMES):
        if release == name or name.startswith(f"{release}-") or _is_branch(release, name):
            return name
    number = _number(release)
    if number is None:
        raise UsageError(f"not a release: {release!r:.60}", hint=f"such as {newest_release()}")
    older = [name for name in _NAMES if (_number(name) or number) < number]
    exact = [name for name in _NAMES if _number(name) == number]
    return (exact or older or [None])[-1]


def newest_release() -> str:
    """The newest release with a number."""
    return [name for name in _NAMES if _number(name)][-1]


def _is_branch(release: str, name: str) -> bool:
    """Whether a release is of the branch that a name of the registry stands for."""
    branch = re.sub(r"-\d{4}-\d\d-\d\d$", "", name)
    return _number(name) is None and (release == branch or release.startswith(f"{branch}-"))


def _number(release: str) -> tuple[int, int, int] | None:
    match = _NUMBER.fullmatch(release)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _is_alive(rule: Rule, at: int) -> bool:
    since = _NAMES.index(rule.since) if rule.since else 0
    return since <= at and (not rule.until or at <= _NAMES.index(rule.until))
