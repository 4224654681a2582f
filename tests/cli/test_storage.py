"""storage test: what it says of a store whose promises a lease makes up for, and of one that
nothing makes up for.
"""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from store.test_trial import BlindStore, LookingStore, OverwritingStore, PuttingStore

from metasnapshot.cli.app import main
from metasnapshot.store import lease

SAID = "its conditional writes are made under a lease"


def put_to_test(
    store: PuttingStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, bool, set[str]]:
    """Have a bucket tried, twice; returns exit code, whether there is a lease, and what failed."""
    monkeypatch.setattr("metasnapshot.store.remote.RemoteStore", lambda *_: store)
    command = ("storage", "test", "--backup-storage-url", "minio://k:s@host:9000/bucket")
    code = main([*command, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert main(command) == code
    out = capsys.readouterr().out
    assert (SAID in out) == found["lease"]
    failed = {item["name"] for item in found["promises"] if not item["held"]}
    assert failed == {
        line.partition("  ")[2].partition(":")[0]
        for line in out.splitlines()
        if line.startswith("failed  ")
    }
    return code, found["lease"], failed


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (PuttingStore(), (0, False, set[str]())),
        (LookingStore(), (0, True, {"one swap of several wins"})),
        (OverwritingStore(), (0, True, {"create-only", "stale swap refused"})),
        (BlindStore(), (17, False, {"list after write"})),
    ],
    ids=["honest", "looks first", "overwrites", "lists late"],
)
def test_a_store_that_a_lease_mends_is_one_to_rely_on(
    store: PuttingStore,
    expected: tuple[int, bool, set[str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit 0 and `lease`, as a backup would take it; 17 where a backup would refuse."""
    assert put_to_test(store, capsys, monkeypatch) == expected


def test_a_store_that_always_has_a_lease_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All promises hold, for the lease makes them."""
    monkeypatch.setattr(lease, "POLL_S", 0.001)
    url = f"memory://{uuid4().hex}/root"
    assert main(["storage", "test", "--backup-storage-url", url, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["url"], found["lease"]) == (url, True)
    assert [item for item in found["promises"] if not item["held"]] == []
