"""Copies within one provider: the service copies an object, and its bytes do not come through us a
second time.

It is the cheaper way to write what was read and checked here, and never the only one: what the
service refuses, and what is not there with its size afterwards, is written by us. A copy of this
kind overwrites, so that a name that is taken is left to the ordinary way, which compares.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from metasnapshot.errors import AuthenticationError, ObjectMissing, StorageError
from metasnapshot.store.port import Store

SIZE_MIN = 256 << 10
"""Bytes below which three requests without a body cost more than one with it."""
SIZE_MAX = 5 << 30
"""No service copies a larger object by one request."""
logger = logging.getLogger(__name__)
Copy = Callable[[str, str], None]
"""Paths of an object, and of its copy."""


class CopyWithin:
    """Copies from one store into another of the same provider, until one of them is refused."""

    def __init__(self, copy: Copy, target: Store) -> None:
        self._copy, self._target = copy, target
        self._is_refused = False

    def takes(self, size: int) -> bool:
        """Whether an object of this size is worth a try."""
        return not self._is_refused and SIZE_MIN <= size <= SIZE_MAX

    def copy(self, path: str, target_path: str, size: int) -> bool:
        """Copy an object of this size; False if it is still to be copied."""
        if not self.takes(size) or self._target.head(target_path) is not None:
            return False
        try:
            self._copy(path, target_path)
        except ObjectMissing:
            return False
        except (StorageError, AuthenticationError) as error:
            self._refuse(str(error))
            return False
        found = self._target.head(target_path)
        if found is not None and found.size == size:
            return True
        if found is not None:
            self._target.delete(target_path)
        self._refuse(f"of {size} bytes of {path}, {found.size if found else 'nothing'} arrived")
        return False

    def _refuse(self, why: str) -> None:
        self._is_refused = True
        logger.info("%s copies nothing by itself, so we do: %s", self._target.url, why)


def copier(source: Store, target: Store) -> CopyWithin | None:
    """What copies within the provider of both stores; None if they have not one, or it cannot."""
    bucket = getattr(target, "untried", target)
    copying_from: Callable[[object], Copy | None] | None = getattr(bucket, "copying_from", None)
    if copying_from is None:
        return None
    copy = copying_from(getattr(source, "untried", source))
    return None if copy is None else CopyWithin(copy, target)
