"""A bucket with object lock: backups go in, and what expire deletes stays as a version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3  # pyright: ignore[reportMissingTypeStubs]
import goldens
import pytest
from s3 import KEYS, S3Server

import metasnapshot
from metasnapshot.cli.app import main

TAG = goldens.SHIPPED / "v3.0.3"


@pytest.fixture
def client(s3: S3Server) -> Any:
    key, _, secret = KEYS.partition(":")
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{s3.port}",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )


@pytest.fixture
def url(s3: S3Server, client: Any) -> str:
    """A bucket whose objects are retained for 30 days by default."""
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}
    client.put_object_lock_configuration(
        Bucket="locked",
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
    )
    return s3.minio("locked")


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
