"""The clients of a bucket that write: they differ in how they try again, and in their checksums."""

from __future__ import annotations

from typing import Any, NamedTuple

from metasnapshot.store.lease import PUT_MAX_S
from metasnapshot.store.retry import RetryPolicy, client_retries

Connect = Any
"""A Connector, or what stands for one in tests."""
CHECKSUM_LEVELS = 3
"""Without, with one, and with one that is announced, which AWS wants signed and others want."""


class Writers(NamedTuple):
    """Clients that write: trying again, trying once, and ending within PUT_MAX_S."""

    again: Any
    once: Any
    within: Any


def make_writers(connect: Connect, policy: RetryPolicy, checksums: int) -> Writers:
    """Clients that write.

    Args:
        connect: makes them.
        policy: tries and times.
        checksums: how they are sent, below CHECKSUM_LEVELS.
    """
    options: dict[str, int] = {"checksums": checksums} if checksums else {}
    again, never, within = (
        client_retries(policy, policy.retries),
        client_retries(policy, 0),
        client_retries(policy, policy.retries, PUT_MAX_S / 2),
    )
    return Writers(
        again=connect(policy.timeout_s, again, **options),
        once=connect(policy.timeout_s, never, **options),
        within=connect(min(policy.timeout_s, PUT_MAX_S / 2), within, **options),
    )
