"""Services that retain objects: `expire`, `delete` and `gc` say until when, and do not fail for it.

The refusals are those of real services, which emulators do not send.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import goldens
import pytest
from habits import HabitServer, Refused, deletes, habits
from s3_objects import Asked

from metasnapshot.cli.app import main
from metasnapshot.store.deletes import told

TAG = goldens.SHIPPED / "v3.0.3"
UNTIL = "2031-05-06T07:08:09.000Z"
AWS = "Access Denied because object protected by object lock."
S3_HEADERS = (
    f"x-amz-object-lock-mode: COMPLIANCE\r\nx-amz-object-lock-retain-until-date: {UNTIL}\r\n"
)
SERVICES: dict[str, tuple[Refused, str, str]] = {
    "aws": (Refused(403, "AccessDenied", AWS), S3_HEADERS, f"until {UNTIL} (COMPLIANCE)"),
    "aws, as it was": (
        Refused(403, "AccessDenied", "Access Denied"),
        S3_HEADERS.replace("COMPLIANCE", "GOVERNANCE"),
        f"until {UNTIL} (GOVERNANCE)",
    ),
    "aws, a key that may not see it": (Refused(403, "AccessDenied", AWS), "", "not say until"),
    "a hold": (
        Refused(403, "AccessDenied", "Access Denied"),
        "x-amz-object-lock-legal-hold: ON\r\n",
        "under a legal hold",
    ),
    "minio": (
        Refused(400, "ObjectLocked", "Object is WORM protected and cannot be overwritten"),
        S3_HEADERS,
        f"until {UNTIL} (COMPLIANCE)",
    ),
    "ceph": (Refused(403, "AccessDenied", "forbidden by object lock"), "", "not say until"),
    "google": (
        Refused(
            403,
            "RetentionPolicyNotMet",
            "Object 'bucket/backup/9.snapshot' is subject to bucket's retention policy or object "
            "retention and cannot be deleted or overwritten until 2031-05-06T07:08:09.123-07:00",
        ),
        "",
        "until 2031-05-06T07:08:09.123-07:00",
    ),
    "oss": (
        Refused(409, "FileImmutable", "The object you specified is immutable."),
        f"x-oss-object-worm-retain-until-date: {UNTIL}\r\n",
        f"until {UNTIL}",
    ),
    "azure": (
        Refused(
            409,
            "BlobImmutableDueToPolicy",
            "This operation is not permitted as the blob is immutable due to a policy.",
        ),
        "",
        "not say until",
    ),
}


@pytest.fixture(autouse=True)
def _new_process() -> None:
    told.clear()


@pytest.fixture
def server() -> Generator[HabitServer]:
    with habits() as found:
        yield found


@pytest.fixture
def backup(server: HabitServer, tmp_path: Path) -> list[str]:
    """A backup, in words."""
    goldens.write_state(TAG, tmp_path / "state")
    meta_store = f"sqlite:///{goldens.copy_store(TAG, tmp_path / 'meta.db')}"
    state = ["--hummock-storage-url", f"fs://{tmp_path}/state"]
    state += ["--hummock-storage-directory", goldens.DATA_DIRECTORY]
    place = ["--backup-storage-url", server.url]
    return ["backup", "--meta-store", meta_store, *state, *place]


@pytest.fixture
def place(server: HabitServer, backup: list[str]) -> list[str]:
    """Three backups, of which nothing is retained yet."""
    for _ in range(3):
        assert main(backup) == 0
    return ["--backup-storage-url", server.url]


def retain(server: HabitServer, service: str, suffix: str = ".snapshot") -> None:
    refused, headers, _ = SERVICES[service]

    def is_retained(asked: Asked) -> bool:
        is_there = asked.key in server.buckets.objects[asked.bucket]
        return deletes(asked) and asked.key.endswith(suffix) and is_there

    server.buckets.refuse(is_retained, refused)
    for key in server.buckets.objects["bucket"]:
        if key.endswith(suffix):
            server.buckets.headers[key] = headers


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(list(words))
    found = capsys.readouterr()
    return code, found.out, found.err


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_retains_is_said_with_its_time(
    service: str, server: HabitServer, place: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`delete` and `expire` end with 0: the entries are gone, the files stay, each named with its
    time; gc tries again, and takes them when the time has come.
    """
    retain(server, service)
    said = SERVICES[service][2]
    code, out, err = run(capsys, "delete", "9", "--yes", "--json", *place)
    assert code == 0
    assert "backup/9.snapshot stays: " in err
    assert said in err
    [retained] = json.loads(out)["retained"]
    assert retained["path"] == "backup/9.snapshot"
    assert (retained["until"] is not None) == ("until 2" in said)
    code, out, err = run(capsys, "expire", "--keep-last", "1", "--commit", "--json", *place)
    assert code == 0
    assert "backup/10.snapshot stays: " in err
    assert json.loads(out)["deleted"] == [10]
    assert [item["path"] for item in json.loads(out)["retained"]] == ["backup/10.snapshot"]
    gc = ("gc", "--grace", "0s", "--commit", "--json", *place)
    code, out, err = run(capsys, *gc)
    assert code == 0
    assert said in err
    found = json.loads(out)
    assert found["deleted"] == []
    orphans = ["backup/10.snapshot", "backup/9.snapshot"]
    assert sorted(item["path"] for item in found["retained"]) == orphans
    server.buckets.rules.clear()
    code, out, err = run(capsys, *gc)
    assert (code, sorted(json.loads(out)["deleted"]), err) == (0, orphans, "")


def test_many_objects_that_stay_are_counted(
    server: HabitServer, place: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Three are named, then there is a number, and the last of their times."""
    for number in range(100, 120):
        server.buckets.objects["bucket"][f"backup/{number}.snapshot"] = server.buckets.objects[
            "bucket"
        ]["backup/9.snapshot"]
    retain(server, "aws")
    code, _, err = run(capsys, "gc", "--grace", "0s", "--commit", *place)
    assert code == 0
    assert err.count("stays: ") == 3
    assert f"17 more objects stay, which the service retains: the last one until {UNTIL}" in err


@pytest.mark.parametrize("service", ["aws", "minio", "google"])
def test_a_retained_reservation_stops_no_backup(
    service: str, server: HabitServer, backup: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is warned of once, and the backups are there."""
    retain(server, service, ".reserved")
    for number in (9, 10):
        code, _, err = run(capsys, *backup)
        assert (code, err.count("stays: ")) == (0, 1)
        assert f"backup/{number}.snapshot" in server.buckets.objects["bucket"]


ARN = "arn:aws:s3:::object-lock/backup/9.snapshot"
WITHOUT_RIGHTS = [
    f"User: x/retention is not authorized to perform: s3:DeleteObject on resource: {ARN!r}",
    "Access Denied",
    "no",
]


@pytest.mark.parametrize("words", WITHOUT_RIGHTS)
def test_a_key_that_may_not_delete_is_no_retention(
    words: str, server: HabitServer, place: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 15 and nothing is changed, whatever names stand in the words."""
    server.buckets.refuse(deletes, Refused(403, "AccessDenied", words))
    code, _, err = run(capsys, "delete", "9", "--yes", *place)
    assert code == 15
    assert "nothing was deleted" in err
    found = json.loads(run(capsys, "list", "--json", *place)[1])["snapshots"]
    assert [item["id"] for item in found] == [9, 10, 11]


def test_the_name_of_a_bucket_is_no_retention(
    server: HabitServer, place: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is that of a directory: only the service's own words are."""
    server.buckets.objects["retention"] = server.buckets.objects["bucket"]
    server.buckets.refuse(
        lambda asked: deletes(asked) and asked.key == "backup/9.snapshot",
        Refused(403, "AccessDenied", "Access Denied"),
    )
    there = [word.replace("/bucket", "/retention") for word in place]
    assert run(capsys, "delete", "9", "--yes", *there)[0] == 15


@pytest.mark.parametrize(
    "header",
    [
        "x-amz-object-lock-retain-until-date: 2001-05-06T07:08:09.000Z",
        "x-amz-object-lock-legal-hold: OFF",
        "x-ms-immutability-policy-until-date: Sun, 06 May 2001 07:08:09 GMT",
        "x-ms-legal-hold: false",
    ],
)
def test_retention_that_is_over_is_none(
    header: str, server: HabitServer, place: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A delete that is refused all the same is one that the key may not do: 15, as it is told."""
    server.buckets.refuse(
        lambda asked: deletes(asked) and asked.key == "backup/9.snapshot",
        Refused(403, "AccessDenied", "Access Denied"),
    )
    server.buckets.headers["backup/9.snapshot"] = f"{header}\r\n"
    code, _, err = run(capsys, "delete", "9", "--yes", *place)
    assert (code, "may not delete" in err) == (15, True)
