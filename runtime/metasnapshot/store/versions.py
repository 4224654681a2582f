"""Does a bucket keep versions? Then what is deleted there is hidden, not freed."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from metasnapshot.errors import MetasnapshotError
from metasnapshot.store.through import ReadableStore

logger = logging.getLogger(__name__)
QUERY = "versioning="
_ENABLED = re.compile(rb"<Status>\s*Enabled\s*</Status>", re.IGNORECASE)


def says_versions(answer: bytes) -> bool:
    """Whether a bucket's answer to QUERY says that it keeps versions."""
    return _ENABLED.search(answer) is not None


def keeps_versions(store: ReadableStore) -> bool:
    """Whether the bucket of a store keeps versions; False too where nobody may ask it."""
    bucket = getattr(store, "untried", store)
    ask: Callable[[], bool] | None = getattr(bucket, "keeps_versions", None)
    if ask is None:
        return False
    try:
        return ask()
    except MetasnapshotError as error:
        logger.info("nobody knows whether %s keeps versions: %s", store.url, error)
        return False
