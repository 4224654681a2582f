"""A table's digest: the same for what was sent and for what the database gives back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import xxhash

from metasnapshot.format.scalars import U64_MAX


@dataclass
class TableDigest:
    """Rows of a table and the sum of their XXH64, modulo 2^64: whatever order they come in."""

    count: int = 0
    total: int = 0

    def add(self, rows: Iterable[Any]) -> None:
        """Count rows in, each as bytes."""
        for row_hash in map(xxhash.xxh64_intdigest, rows):
            self.count += 1
            self.total += row_hash
        self.total &= U64_MAX

    def __add__(self, other: TableDigest) -> TableDigest:
        return TableDigest(self.count + other.count, (self.total + other.total) & U64_MAX)
