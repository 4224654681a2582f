"""Cleaning up after work that may have failed: the first error is the one to tell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager

from metasnapshot.errors import MetasnapshotError
from metasnapshot.store.codes import Denied

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


def delete_if_allowed(delete: Callable[[str], None], path: str) -> bool:
    """Take an object of ours away; a key that may not delete leaves it, with a warning.

    Returns:
        Whether it is gone.
    """
    try:
        delete(path)
    except Denied as error:
        logger.warning("%s stays: %s", path, error)
        return False
    return True
