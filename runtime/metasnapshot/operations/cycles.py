"""Python's collector of cycles looks less often while rows go by: it walks whatever was made since,
a fifth of the time of a restore, and rows have no cycles.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

ALLOCATIONS = 200_000
"""Objects between two looks: some tens of MB at most."""


@contextmanager
def rare_collections() -> Generator[None]:
    """Let the collector look seldom for the block."""
    before = gc.get_threshold()
    gc.set_threshold(ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
