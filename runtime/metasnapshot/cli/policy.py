"""The options of a retention policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from metasnapshot import Policy
from metasnapshot.cli.parameters import DURATION


@dataclass(frozen=True)
class PolicyOptions(Policy):
    """What to keep, as it is typed."""

    keep_within: Annotated[timedelta | None, DURATION] = None


NO_RULE = PolicyOptions()
"""No rule is given."""
