"""What is done with every batch: plain data, the same on every machine, without credentials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from metasnapshot.operations.spread.batch import Batch, BatchResult
from metasnapshot.operations.spread.sides import Place

Content = Literal["hashes", "data"]


@dataclass(frozen=True)
class Spec:
    """What is done with objects: they are copied where there is a target, else read and checked.

    Attributes:
        source: where they are.
        target: where they go.
        content: hashes, or data: all blocks of SSTs are unpacked and walked too.
    """

    source: Place
    target: Place | None = None
    content: Content = "hashes"

    @property
    def places(self) -> tuple[Place, ...]:
        """Every place that is looked into."""
        return (self.source,) if self.target is None else (self.source, self.target)


class Spread(Protocol):
    """What spreads batches over threads, or over machines."""

    def run(self, spec: Spec, batches: Iterable[Batch]) -> Iterator[BatchResult]:
        """Work on all batches; results come in any order, each once, and everything is durable
        when the last has come. A batch may be begun again, and nothing is done twice by that.

        Raises:
            MetasnapshotError: something other than missing and damaged objects is wrong.
        """
        ...
