"""One run of the command, and what its options make of it: what its metrics say, what its settings
fill in, how its operations reach stores. A second run in the same process, or in another thread,
has its own.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from metasnapshot import Context
from metasnapshot.cli.configuration import Configuration
from metasnapshot.cli.metrics import Metrics
from metasnapshot.cli.outcome import Outcome

if TYPE_CHECKING:
    from metasnapshot.cli.clusters.choice import Choice


@dataclass
class Run:
    """A run.

    Attributes:
        outcome: what it comes to.
        metrics: its numbers.
        configuration: what nobody typed.
        context: how its operations reach stores.
        clusters: what was said of all clusters, if the run is to work on all.
    """

    outcome: Outcome = field(default_factory=Outcome)
    metrics: Metrics = field(init=False)
    configuration: Configuration = field(default_factory=Configuration)
    context: Context = field(default_factory=Context)
    clusters: Choice | None = None

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.outcome)


_RUN: ContextVar[Run] = ContextVar("run")


@contextmanager
def begun() -> Generator[Run]:
    """A run, for the block."""
    token = _RUN.set(Run())
    try:
        yield _RUN.get()
    finally:
        _RUN.reset(token)


def current() -> Run:
    """The run that calls this."""
    return _RUN.get()
