"""One run of the command, and what its options make of it: what its metrics say, what its settings
fill in, how its operations reach stores. A second run in the same process, or in another thread,
has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from metasnapshot import Context
from metasnapshot.cli.configuration import Configuration
from metasnapshot.cli.metrics import Metrics
from metasnapshot.cli.outcome import Outcome
from metasnapshot.cli.process import uninterrupted
from metasnapshot.errors import MetasnapshotError

if TYPE_CHECKING:
    from metasnapshot.cli.clusters.choice import Choice
    from metasnapshot.cli.followers import Followers


@dataclass
class Run:
    """A run.

    Attributes:
        outcome: what it comes to.
        metrics: its numbers.
        configuration: what nobody typed.
        context: how its operations reach stores.
        clusters: what was said of all clusters, if the run is to work on all.
        followers: who is told of it; None if nobody is.
    """

    outcome: Outcome = field(default_factory=Outcome)
    metrics: Metrics = field(init=False)
    configuration: Configuration = field(default_factory=Configuration)
    context: Context = field(default_factory=Context)
    clusters: Choice | None = None
    followers: Followers | None = None

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.outcome)

    def begin(self) -> None:
        """Put down that the run, or its round, begins.

        Raises:
            MetasnapshotError: that cannot be put down, so that it must not begin.
        """
        if self.followers is not None:
            self.followers.begin(self.outcome)

    def end(self, complain: Callable[[MetasnapshotError], object]) -> None:
        """Put down how it ended. Where that cannot be, what went well did not.

        Args:
            complain: tells why not.
        """
        outcome = self.outcome
        if self.followers is None:
            return
        outcome.settle()  # before signals have to wait
        try:
            with uninterrupted():
                self.followers.end(outcome)
        except MetasnapshotError as error:
            outcome.fail(error)
            outcome.code = outcome.code or error.exit_code
            complain(error)

    def tell(self) -> None:
        """Tell the others how it ended."""
        if self.followers is not None:
            self.followers.tell(self.outcome)

    @contextmanager
    def round(self, number: int) -> Generator[Outcome]:
        """A round of the run, with an outcome of its own for the block; what it did the run did.

        Args:
            number: from 1.
        """
        whole, self.outcome = self.outcome, self.outcome.next_round(number)
        try:
            yield self.outcome
        finally:
            whole.join(self.outcome)
            self.outcome = whole


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
