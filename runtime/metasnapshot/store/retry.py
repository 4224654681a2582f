"""How often a request is tried again, how long after, and how long each may take; and how long to
wait for the holder of a lock.

Upstream's numbers ([storage.object_store.retry]) with time for a slow line: what it waits for is
minutes of a server, not the hours of an operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

LOCK_WAIT_S = 300.0
"""How long to wait for a lock or a lease. It is held while a small object is changed, no longer."""


@dataclass(frozen=True)
class RetryPolicy:
    """Tries and times of an object store's requests.

    Attributes:
        retries: how often a failed request is sent again.
        timeout_s: what a request for an object, or a part of one, may take.
        list_timeout_s: what a page of a list may take.
        backoff_s: pause before the second try; each further one is twice as long.
        backoff_max_s: the longest pause.
        lock_wait_s: how long to wait for the lock or the lease of a directory.
    """

    retries: int = 3
    timeout_s: float = 60.0
    list_timeout_s: float = 600.0
    backoff_s: float = 1.0
    backoff_max_s: float = 10.0
    lock_wait_s: float = LOCK_WAIT_S

    def pauses(self) -> Iterator[float]:
        """Seconds to wait before each further try, with jitter: processes that failed together
        do not come back together.
        """
        import random  # noqa: PLC0415 - only after a failure

        for number in range(self.retries):
            pause = min(self.backoff_s * 2**number, self.backoff_max_s)
            yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


DEFAULTS = RetryPolicy()
"""What holds where nobody says otherwise."""


def client_retries(policy: RetryPolicy, retries: int, within_s: float | None = None) -> Any:
    """What obstore calls RetryConfig; the last try starts within so many seconds. It looks at the
    clock before a pause, not after it.
    """
    longest = (retries + 1) * (policy.list_timeout_s + policy.backoff_max_s)
    if within_s is not None:
        longest = max(0.0, within_s - policy.backoff_max_s)
    return {
        "max_retries": retries,
        "retry_timeout": timedelta(seconds=longest),
        "backoff": {
            "init_backoff": timedelta(seconds=policy.backoff_s),
            "max_backoff": timedelta(seconds=policy.backoff_max_s),
            "base": 2,
        },
    }
