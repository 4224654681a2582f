"""Cleaning up after work that may have failed: the first error is the one to tell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager

from metasnapshot.errors import MetasnapshotError

logger = logging.getLogger(__name__)


@contextmanager
def tidied(tidy: Callable[[], object]) -> Generator[None]:
    """Clean up after the block. Where the block failed and cleaning up fails too, the error of the
    block goes on, and the log has the other one.
    """
    try:
        yield
    except BaseException:
        try:
            tidy()
        except (MetasnapshotError, OSError) as error:
            logger.info("something may be left behind: %s", error)
        raise
    tidy()
