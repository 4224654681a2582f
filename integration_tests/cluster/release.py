"""The release that a simulated cluster is of, and its Hummock messages."""

from __future__ import annotations

from typing import Any

from metasnapshot.format import messages
from metasnapshot.hummock.replay.rules import era_of_release, rules_of
from metasnapshot_models.layouts import LAYOUTS, RELEASES

RELEASE = "3.0.3"
LAYOUT = LAYOUTS[RELEASES[RELEASE].layout]
ERA = era_of_release(RELEASE)
RULES = rules_of(RELEASE)


def new(name: str, /, **fields: Any) -> Any:
    """A message as the release knows it."""
    return messages.message_class(name, ERA)(**fields)
