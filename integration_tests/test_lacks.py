"""Buckets that lack something: conditions, deletes, writes without checksums. Backups go on."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import goldens
import msgspec
import pytest
from habits import (
    HabitServer,
    Refused,
    conditional,
    deletes,
    habits,
    method,
)
from s3_objects import Asked

from metasnapshot.catalogue.reservation import LOOKED_AT_MAX
from metasnapshot.cli.app import main
from metasnapshot.errors import AuthenticationError, ConflictError, StorageError
from metasnapshot.store.deletes import TRIAL_PREFIX, told
from metasnapshot.store.lease import LEASE_NAME, leased
from metasnapshot.store.lock import Holder, this_holder
from metasnapshot.store.trial import try_store
from metasnapshot.store.url import open_plain, open_store

TAG = goldens.SHIPPED / "v3.0.3"
BACKBLAZE = Refused(
    501,
    "NotImplemented",
    "A header you provided implies functionality that is not implemented",
)
NO_CONDITIONS = [
    BACKBLAZE,
    Refused(400, "InvalidArgument", "Unsupported header 'If-None-Match'"),
    Refused(400, "InvalidRequest", "If-None-Match is not valid here"),
    Refused(405, "MethodNotAllowed"),
    Refused(501, "UnsupportedHeader"),
]
LOCKED = Refused(
    400,
    "InvalidRequest",
    "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object "
    "Lock parameters",
)


@pytest.fixture
def server() -> Generator[HabitServer]:
    with habits() as found:
        yield found


@pytest.fixture
def made(tmp_path: Path) -> list[str]:
    """A meta store and its state, as arguments of backup."""
    goldens.write_state(TAG, tmp_path / "state")
    meta_store = f"sqlite:///{goldens.copy_store(TAG, tmp_path / 'meta.db')}"
    state = f"fs://{tmp_path}/state"
    place = ["--hummock-storage-url", state, "--hummock-storage-directory", goldens.DATA_DIRECTORY]
    return ["--meta-store", meta_store, *place, "--storage-retries", "1"]


def keys(server: HabitServer) -> list[str]:
    return sorted(server.buckets.objects["bucket"])


@pytest.fixture(autouse=True)
def _new_process() -> None:
    """Nothing is known of keys that may not delete."""
    told.clear()


def dead_pid() -> int:
    """A process that was and is no more."""
    return int(subprocess.check_output([sys.executable, "-c", "import os; print(os.getpid())"]))


def listed(server: HabitServer, capsys: pytest.CaptureFixture[str]) -> list[int]:
    capsys.readouterr()
    assert main(["list", "--json", "--backup-storage-url", server.url]) == 0
    return [item["id"] for item in json.loads(capsys.readouterr().out)["snapshots"]]


@pytest.mark.parametrize("refused", NO_CONDITIONS, ids=lambda item: f"{item.status} {item.code}")
def test_a_service_without_conditions_gets_a_lease(
    refused: Refused,
    server: HabitServer,
    made: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two backups, a delete; neither claims nor trials are left, and `storage test` says it."""
    server.buckets.refuse(conditional, refused)
    place = ["--backup-storage-url", server.url]
    for _ in range(2):
        assert main(["backup", *made, *place]) == 0
    assert listed(server, capsys) == [9, 10]
    assert main(["delete", "9", "--yes", *place]) == 0
    assert listed(server, capsys) == [10]
    assert [key for key in keys(server) if "trial" in key or "lease" in key] == []
    assert main(["storage", "test", "--json", *place]) == 0
    assert json.loads(capsys.readouterr().out)["lease"] is True


@pytest.mark.parametrize("header", ["if-none-match", "if-match"])
def test_half_of_the_conditions_is_none(server: HabitServer, header: str) -> None:
    """Some know the one and not the other."""
    server.buckets.refuse(lambda asked: header in asked.headers, BACKBLAZE)
    store = open_store(server.url)
    etag = store.put_if_absent("d/x", b"1")
    with pytest.raises(ConflictError):
        store.put_if_absent("d/x", b"2")
    etag = store.put_if_match("d/x", b"3", store.read("d/x").etag)
    with pytest.raises(ConflictError):
        store.put_if_match("d/x", b"4", "other")
    assert (store.read("d/x").data, store.read("d/x").etag) == (b"3", etag)
    assert [key for key in keys(server) if "trial" in key or "lease" in key] == []


def test_what_is_refused_for_another_reason_is_told(server: HabitServer) -> None:
    """A service that takes no writes at all has no lack of conditions."""
    server.buckets.refuse(method("PUT"), Refused(400, "SomethingNew", "of the write"))
    with pytest.raises(StorageError, match="SomethingNew: of the write") as caught:
        open_store(server.url).put_if_absent("d/x", b"1")
    assert caught.value.exit_code == 17


def test_the_trial_tells_its_first_error(server: HabitServer) -> None:
    """Deletes that worked before fail afterwards: what was wrong first is told."""
    wrong = Refused(400, "ExpiredToken", "first")

    def after_the_probe(asked: Asked) -> bool:
        return asked.method in {"GET", "PUT"} and server.buckets.counts["PUT"] > 1

    def later_deletes(asked: Asked) -> bool:
        return asked.method == "DELETE" and server.buckets.counts["DELETE"] > 1

    server.buckets.refuse(after_the_probe, wrong)
    server.buckets.refuse(later_deletes, Refused(403, "AccessDenied", "second"))
    with pytest.raises(AuthenticationError, match="first"):
        try_store(open_plain(server.url), "d")


def test_a_lease_tells_its_first_error(server: HabitServer) -> None:
    """And not that its claim could not be taken away."""
    store: Any = open_plain(server.url)
    server.buckets.refuse(deletes, Refused(403, "AccessDenied", "second"))

    def work() -> None:
        with leased(store, "d"):
            raise ConflictError("first")

    with pytest.raises(ConflictError, match="first"):
        work()


def test_an_append_only_key_backs_up(
    server: HabitServer, made: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With a warning; no object of a trial is left, and what reads goes on. `expire` and `delete`
    say why not, and change nothing."""
    server.buckets.refuse(deletes, Refused(403, "AccessDenied", "no s3:DeleteObject"))
    place = ["--backup-storage-url", server.url]
    for _ in range(3):
        told.clear()
        assert main(["backup", *made, *place]) == 0
        said = [line for line in capsys.readouterr().err.splitlines() if "warning: minio" in line]
        assert len(said) == 1
        assert "may not delete" in said[0]
        assert "nothing can expire" in said[0]
    assert [key for key in keys(server) if TRIAL_PREFIX in key or LEASE_NAME in key] == []
    assert listed(server, capsys) == [9, 10, 11]
    before = dict(server.buckets.objects["bucket"])
    for verb in (["expire", "--keep-last", "1", "--commit"], ["delete", "9", "--yes"]):
        assert main([*verb, *place]) == 15
        said = capsys.readouterr().err
        assert "nothing was deleted" in said
        assert "s3:DeleteObject" in said
    assert server.buckets.objects["bucket"] == before
    assert main(["check", *place]) == 0
    assert main(["storage", "test", *place]) == 0
    assert "failed  delete" in capsys.readouterr().out


def reservation_of(host: str, pid: int) -> bytes:
    return msgspec.json.encode(Holder(pid, host, this_holder().since))


def asked_for(server: HabitServer, suffix: str) -> Counter[str]:
    return Counter(asked.method for asked in server.buckets.asked if asked.key.endswith(suffix))


@pytest.mark.parametrize("host", ["another", this_holder().host], ids=["others", "ours"])
def test_what_append_only_keys_leave_costs_no_more_with_each_backup(
    host: str, server: HabitServer, made: list[str]
) -> None:
    """Beside a hundred reservations of the dead, of this host or of others, a backup asks for some
    of them, and tries to delete one; with a key that may delete it takes those away that it may.
    """
    place = ["--backup-storage-url", server.url]
    dead = dead_pid()
    store = open_plain(server.url)
    for number in range(100, 200):
        store.put_if_absent(f"backup/{number}.reserved", reservation_of(host, dead))
    rule = server.buckets.refuse(deletes, Refused(403, "AccessDenied", "no s3:DeleteObject"))
    server.buckets.asked.clear()
    assert main(["backup", *made, *place]) == 0
    found = asked_for(server, ".reserved")
    assert found["GET"] <= LOOKED_AT_MAX
    assert found["DELETE"] <= 2
    assert len(server.buckets.asked) < 60
    server.buckets.rules.remove(rule)
    told.clear()
    server.buckets.refuse(
        lambda asked: deletes(asked) and asked.key == "backup/199.reserved",
        Refused(403, "AccessDenied"),
    )
    assert main(["backup", *made, *place]) == 0
    left = [key for key in keys(server) if key.endswith(".reserved")]
    gone = LOOKED_AT_MAX - 2 if host == this_holder().host else 0  # 199, and 200: ours, which lives
    assert "backup/199.reserved" in left
    assert len(left) == 101 - gone


def test_an_append_only_key_without_conditions_is_refused(server: HabitServer) -> None:
    """A lease needs deletes, so that nothing is left to rest on; nothing is left behind either."""
    server.buckets.refuse(deletes, Refused(403, "AccessDenied"))
    server.buckets.refuse(conditional, BACKBLAZE)
    with pytest.raises(StorageError, match="no store to rely on"):
        open_store(server.url).put_if_absent("d/x", b"1")
    assert keys(server) == []


def has_no_checksum(asked: Asked) -> bool:
    """A write of bytes beside which no checksum stands."""
    if asked.method != "PUT":
        return False
    return not any(name.startswith("x-amz-checksum-") for name in asked.headers)


def is_not_announced(asked: Asked) -> bool:
    """A write whose checksum nothing announces, as moto and others want it."""
    return asked.method == "PUT" and "x-amz-sdk-checksum-algorithm" not in asked.headers


@pytest.mark.parametrize("lacking", [has_no_checksum, is_not_announced])
def test_a_bucket_that_locks_objects_gets_checksums(
    lacking: Any, server: HabitServer, made: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every object of a backup, manifest.json too, and they are right; the trial asks once."""
    rule = server.buckets.refuse(lacking, LOCKED)
    assert main(["backup", *made, "--backup-storage-url", server.url]) == 0
    assert listed(server, capsys) == [9]
    written = [
        asked
        for asked in server.buckets.asked
        if asked.method == "PUT" and not lacking(asked) and not has_no_checksum(asked)
    ]
    assert {"backup/manifest.json", "backup/9.snapshot"} <= {asked.key for asked in written}
    for asked in written:
        digest = base64.b64encode(hashlib.sha256(asked.body).digest()).decode()
        assert asked.headers["x-amz-checksum-sha256"] == digest
    assert len(rule.asked) <= 2


def test_a_large_object_gets_checksums(server: HabitServer) -> None:
    """Those of its parts."""
    server.buckets.refuse(has_no_checksum, LOCKED)
    store = open_store(server.url)
    with store.open_writer("d/large") as file:
        file.write(bytes(6 << 20))
    parts = [asked for asked in server.buckets.asked if "partNumber" in asked.query]
    assert len(parts) == 2
    assert all("x-amz-checksum-sha256" in asked.headers for asked in parts)
    head = store.head("d/large")
    assert head is not None
    assert head.size == 6 << 20


def test_checksums_that_never_please_are_an_error(server: HabitServer) -> None:
    """After all that can be sent was sent: 17, with the service's words."""
    rule = server.buckets.refuse(method("PUT"), LOCKED)
    with pytest.raises(StorageError, match="Content-MD5"):
        open_store(server.url).put_if_absent("d/x", b"1")
    assert 3 <= len(rule.asked) <= 6


def test_no_checksum_is_sent_unasked(server: HabitServer) -> None:
    """Some services do not know them."""
    unknown = Refused(501, "NotImplemented")
    server.buckets.refuse(lambda asked: "x-amz-checksum-sha256" in asked.headers, unknown)
    open_store(server.url).put_if_absent("d/x", b"1")
    assert all(has_no_checksum(asked) for asked in server.buckets.asked if asked.method == "PUT")


def test_a_key_that_may_only_read_reads(
    server: HabitServer, made: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """list, verify, check and gc write nothing, not even a trial; backup says what is missing."""
    place = ["--backup-storage-url", server.url]
    assert main(["backup", *made, *place]) == 0
    server.buckets.refuse(method("PUT", "POST", "DELETE"), Refused(403, "AccessDenied"))
    for verb in (["list"], ["verify", "9"], ["check"], ["gc"], ["show", "9"]):
        assert main([*verb, *place]) == 0
    capsys.readouterr()
    assert main(["backup", *made, *place]) == 15
    assert "may not write" in capsys.readouterr().err
