"""What a run came to: the one place that knows its verb, its directory, the ids of snapshots that
it worked on, its error and its exit code. Verbs say what they did as soon as it is done; metrics,
events and the audit log read it. A round of `watch` has one of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from metasnapshot.errors import InternalError, Interrupted, MetasnapshotError

if TYPE_CHECKING:
    from metasnapshot import Backups

DRY_RUN = "--dry-run"
SHOWS = frozenset({DRY_RUN, "--plan"})
"""Options with which nothing is changed."""
Deed = Literal["made", "deleted", "restored", "copied", "kept"]
"""What can be done to a snapshot."""
DEEDS: tuple[Deed, ...] = get_args(Deed)


@dataclass
class Outcome:
    """What a run came to.

    Attributes:
        verb: the verb; None if the command line named none.
        words: what was typed, in our own words.
        is_dry: whether it only shows what it would do.
        round: number of a round of `watch`, from 1; None for a whole run.
        cluster_name: name of the cluster in the settings file, if one is meant there.
        directory: URL of the backup directory, without credentials; empty as long as none is named.
        found: it, once it is open.
        to: where a restore or a copy writes, without credentials.
        error: what stopped it, or the first thing that went wrong.
        code: what it ended with.
        deeds: what was done, each with the ids of the snapshots.
        subjects: ids of snapshots that it set out to work on, also where it failed.
        settled: the cluster, once it needs not be asked for any more.
        has_rounds: whether it is a run of which rounds had outcomes of their own.
        began: seconds of a clock that nobody sets.
    """

    verb: str | None = None
    words: tuple[str, ...] = ()
    is_dry: bool = False
    round: int | None = None
    cluster_name: str | None = None
    directory: str = ""
    found: Backups | None = None
    to: list[str] = field(default_factory=list[str])
    error: MetasnapshotError | None = None
    code: int = 0
    deeds: dict[Deed, list[int]] = field(default_factory=dict["Deed", list[int]])
    subjects: list[int] = field(default_factory=list[int])
    settled: str | None = None
    has_rounds: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self.began

    @property
    def cluster(self) -> str:
        """The cluster that the newest snapshot is recorded to be of; empty if nothing says so."""
        if self.settled is not None:
            return self.settled
        if self.found is None or not self.found.is_read:
            return ""
        try:
            return self.found.recorded_cluster_id() or ""
        except MetasnapshotError:  # what went wrong with the run is told elsewhere
            return ""

    @property
    def ids(self) -> list[int]:
        """Ids of all snapshots that it worked on, each once, in the order in which it did."""
        done = [number for numbers in self.deeds.values() for number in numbers]
        return list(dict.fromkeys([*self.subjects, *done]))

    def name(self, verb: str | None, words: Sequence[str]) -> None:
        """Say what is to run: known before anything of the command line is understood."""
        self.verb, self.words = verb, tuple(words)
        self.is_dry = not SHOWS.isdisjoint(words)

    def about(self, ids: Iterable[int]) -> None:
        """Say which snapshots it is going to work on: known even if it is killed or fails then."""
        self.subjects += ids

    def did(self, deed: Deed, ids: Iterable[int]) -> None:
        """Say what was done to which snapshots."""
        numbers = list(ids)
        if numbers and not self.is_dry:
            self.deeds.setdefault(deed, []).extend(numbers)

    def fail(self, error: MetasnapshotError) -> None:
        """Say what went wrong; of several things the first one counts."""
        self.error = self.error or error

    def settle(self) -> None:
        """Find out now what the store has to be asked for: from here on nobody waits for it."""
        self.settled = self.cluster

    def stop(self, error: BaseException) -> None:
        """Say that an exception ends it."""
        if isinstance(error, MetasnapshotError):
            self.error = error
        elif isinstance(error, KeyboardInterrupt):
            self.error = Interrupted("interrupted")
        else:
            self.error = InternalError(f"{type(error).__name__}: {error}")
        self.code = self.error.exit_code

    def join(self, other: Outcome) -> None:
        """Say that what a round did was done."""
        self.subjects += other.subjects
        for deed, ids in other.deeds.items():
            self.did(deed, ids)

    def next_round(self, number: int) -> Outcome:
        """The outcome of a round to be, of the same command."""
        self.has_rounds = True
        return Outcome(
            self.verb,
            self.words,
            self.is_dry,
            number,
            self.cluster_name,
            self.directory,
            self.found,
        )
