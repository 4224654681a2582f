"""How long a bucket's requests may take."""

from __future__ import annotations

import socket
from time import monotonic
from typing import Any

import obstore
import pytest

from metasnapshot.errors import StorageError
from metasnapshot.store import writers as module
from metasnapshot.store.clients import connector
from metasnapshot.store.lease import CLAIM_LIFE_S, PUT_MAX_S
from metasnapshot.store.location import parse_location
from metasnapshot.store.remote import RemoteStore
from metasnapshot.store.retry import RetryPolicy


def longest(timeout_s: float, retry: Any) -> float:
    """What a request of a client may take: the library looks whether it may try again before a
    pause, not after it.
    """
    pause = retry["backoff"]["max_backoff"].total_seconds()
    return timeout_s + retry["retry_timeout"].total_seconds() + pause


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest that each write may take, in place of a write."""
    found: list[float] = []

    def put(client: float, *_: Any, **__: Any) -> dict[str, str]:
        found.append(client)
        return {"e_tag": "1"}

    monkeypatch.setattr(obstore, "put", put)
    return found


@pytest.mark.parametrize(
    "policy",
    [RetryPolicy(), RetryPolicy(timeout_s=3600), RetryPolicy(retries=0), RetryPolicy(retries=99)],
)
def test_a_plain_write_ends_within_a_lease(asked: list[float], policy: RetryPolicy) -> None:
    """Whatever the policy says: the fence is at half of a claim's life, the other half is this."""
    RemoteStore(longest, "x", policy=policy).put("x", b"1")
    assert asked[0] <= PUT_MAX_S == CLAIM_LIFE_S / 2


def test_a_plain_write_takes_no_longer_than_others(asked: list[float]) -> None:
    """A policy that is shorter holds."""
    store = RemoteStore(lambda timeout_s, _: timeout_s, "x", policy=RetryPolicy(timeout_s=0.5))
    store.put("x", b"1")
    store.put_if_absent("x", b"1")
    assert asked == [0.5, 0.5]


def test_a_server_that_says_nothing_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """After one try, though the policy has more and longer ones, of ten minutes each."""
    monkeypatch.setattr(module, "PUT_MAX_S", 1.0)
    policy = RetryPolicy(retries=3, timeout_s=600, backoff_s=0.01, backoff_max_s=0.01)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = parse_location(f"minio://k:s@127.0.0.1:{silent.getsockname()[1]}/bucket")
        store = RemoteStore(connector(place), place.url, policy=policy)
        start = monotonic()
        with pytest.raises(StorageError) as caught:
            store.put("x", b"1")
    assert caught.value.exit_code == 17
    assert monotonic() - start < 300


def test_a_list_has_a_time_of_its_own() -> None:
    """An object may take ten minutes here, a page of a list a fifth of a second."""
    policy = RetryPolicy(retries=0, timeout_s=600, list_timeout_s=0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = parse_location(f"minio://k:s@127.0.0.1:{silent.getsockname()[1]}/bucket")
        store = RemoteStore(connector(place), place.url, policy=policy)
        start = monotonic()
        with pytest.raises(StorageError) as caught:
            list(store.list("x"))
    assert caught.value.exit_code == 17
    assert monotonic() - start < 300
