"""A bucket with object lock: backups go in, and what expire deletes stays as a version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import goldens
import pytest
from s3 import S3Server

import metasnapshot
from metasnapshot.cli.app import main

TAG = goldens.SHIPPED / "v3.0.3"


@pytest.fixture
def client(s3: S3Server) -> Any:
    return s3.client("s3")


@pytest.fixture
def url(s3: S3Server, client: Any) -> str:
    """A bucket whose objects are retained for 30 days by default."""
    return locked_bucket(s3, client, "locked")


def locked_bucket(s3: S3Server, client: Any, name: str) -> str:
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}
    client.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
    )
    return s3.minio(name)


def test_a_bucket_that_locks_its_objects(
    url: str, client: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two backups, a list, a verification, expire and gc: a delete there is a mark, and the version
    of the snapshot that it hides is whole."""
    goldens.write_state(TAG, tmp_path / "state")
    store = f"sqlite:///{goldens.copy_store(TAG, tmp_path / 'meta.db')}"
    made = ["--meta-store", store, "--hummock-storage-url", f"fs://{tmp_path}/state"]
    made += ["--hummock-storage-directory", goldens.DATA_DIRECTORY]
    place = ["--backup-storage-url", url]
    for _ in range(2):
        assert main(["backup", *made, *place]) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert main(["list", "--json", *place]) == 0
    assert [item["id"] for item in json.loads(capsys.readouterr().out)["snapshots"]] == [9, 10]
    assert main(["verify", "9", "10", *place]) == 0
    assert main(["expire", "--keep-last", "1", "--commit", *place]) == 0, capsys.readouterr()
    assert main(["gc", "--commit", "--grace", "0s", *place]) == 0
    found = client.list_object_versions(Bucket="locked", Prefix="backup/9.snapshot")
    (version,) = found["Versions"]
    kept = client.get_object(
        Bucket="locked", Key="backup/9.snapshot", VersionId=version["VersionId"]
    )["Body"].read()
    assert metasnapshot.loads(kept).id == 9
    assert [marker["IsLatest"] for marker in found["DeleteMarkers"]] == [True]


def test_storage_test_says_what_a_bucket_does(
    s3: S3Server, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bucket with a lock, one with versions, a plain one, a directory: versions, until when what
    is written now is locked, and whether a checksum is wanted.
    """
    client.create_bucket(Bucket="versions")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    url = locked_bucket(s3, client, "locked-too")
    versions, plain = s3.minio("versions"), s3.minio(s3.bucket())
    cases = [
        (url, (True, "COMPLIANCE", True)),
        (versions, (True, "", False)),
        (plain, (False, "", False)),
    ]
    for place, expected in cases:
        assert main(["storage", "test", "--json", "--backup-storage-url", place]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["versioned"], found["lock_mode"], found["checksum_wanted"]) == expected
        assert (found["unknown"], found["locked_until"] == "") == ([], expected[1] == "")
    assert main(["storage", "test", "--backup-storage-url", url]) == 0
    out = capsys.readouterr().out
    assert "versioned: yes" in out
    assert "what is written now is locked until 20" in out
    assert "checksum wanted: yes" in out


def test_a_directory_has_no_such_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody asks it."""
    assert main(["storage", "test", "--json", "--backup-storage-url", f"fs://{tmp_path}"]) == 0
    found = json.loads(capsys.readouterr().out)
    keys = ("versioned", "lock_mode", "locked_until", "checksum_wanted")
    assert [found[key] for key in keys] == [None] * 4
