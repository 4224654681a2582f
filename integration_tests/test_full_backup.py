"""The bucket is gone: a cluster is restored from a full backup alone, in another place, and answers
as it did before. What it answered was asked before the bucket was emptied, and the bucket is empty
before the restore starts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from azure import ACCOUNT, KEY, AzureServer
from cluster import Cluster
from cluster.control import DATA_DIRECTORY
from cluster.frontend import Answer
from cluster.release import RELEASE
from cluster.tpch import NAMES, ROWS, TABLES
from gcs_server import GcsServer
from s3 import S3Server

pytest_plugins = ["cluster.fixtures"]
MORE = "INSERT INTO region VALUES (1, 'AMERICA'), (2, 'ASIA');"


def answers(cluster: Cluster) -> dict[str, Answer]:
    """The rows of every table."""
    return {name: sorted(cluster.sql(f"SELECT * FROM {name};"), key=repr) for name in NAMES}


def filled(cluster: Cluster) -> dict[str, Answer]:
    """Give a cluster rows, some compacted and some not; what it answers then."""
    for statement in (*TABLES, *ROWS):
        cluster.sql(f"SET RW_IMPLICIT_FLUSH TO true; {statement};")
    cluster.node.compact()
    cluster.node.housekeep()
    cluster.sql(f"SET RW_IMPLICIT_FLUSH TO true; {MORE}")
    return answers(cluster)


def back_up(cluster: Cluster, *there: str) -> int:
    """With the meta node stopped, which stays so."""
    cluster.stop()
    done = cluster.run(
        *("backup", "--meta-store", cluster.store.url, *there),
        *("--rw-version", RELEASE, "--meta-node-stopped", "--with-objects", "--json"),
    )
    assert done.json["complete"]
    return int(done.json["snapshot"]["id"])


def empty(cluster: Cluster) -> None:
    """Everything in the bucket is gone."""
    cluster.bucket.delete([item.path for item in cluster.bucket.list("")])
    assert list(cluster.bucket.list("")) == []


def restore(cluster: Cluster, number: int, there: tuple[str, ...], url: str, place: str) -> None:
    """By one command, into another place."""
    cluster.prepare_restore()
    cluster.run(
        *("restore", str(number), "--meta-store", cluster.store.url, *there),
        *("--with-objects", "--create-schema", "--overwrite-hummock-storage-endpoint"),
        *("--overwrite-backup-storage-url", url),
        *("--overwrite-backup-storage-directory", "backup_2"),
        *("--hummock-storage-url", url, "--hummock-storage-directory", place),
    )


def test_the_bucket_is_gone(quick_cluster: Cluster, s3: S3Server, tmp_path: Path) -> None:
    """S3 to a local directory and back to another bucket, on SQLite and PostgreSQL: the same rows,
    new rows after them, and a full collection deletes nothing that is needed.
    """
    cluster = quick_cluster
    before = filled(cluster)
    there = ("--backup-storage-url", f"fs://{tmp_path}/backups")
    number = back_up(cluster, *there)
    empty(cluster)
    cluster.url = s3.minio(s3.bucket())
    restore(cluster, number, there, cluster.url, "hummock_002")
    cluster.start()
    assert answers(cluster) == before
    cluster.full_gc_sst()
    assert answers(cluster) == before
    cluster.sql("SET RW_IMPLICIT_FLUSH TO true; INSERT INTO region VALUES (9, 'NEW');")
    cluster.node.compact()
    assert (9, "NEW") in cluster.sql("SELECT * FROM region;")
    second = back_up(cluster, *there)
    cluster.start()
    assert second > number
    found = cluster.run("verify", "--all", *there, "--content", "hashes", "--json").json
    assert [item["ok"] for item in found["snapshots"]] == [True, True]


@pytest.mark.parametrize("directory", ["data_2", DATA_DIRECTORY])
def test_bucket_to_bucket(small_cluster: Cluster, s3: S3Server, directory: str) -> None:
    """From a bucket by way of a second into a third, into the same directory or another."""
    cluster = small_cluster
    before = filled(cluster)
    there = ("--backup-storage-url", s3.minio(s3.bucket()))
    number = back_up(cluster, *there)
    empty(cluster)
    cluster.url = s3.minio(s3.bucket())
    restore(cluster, number, there, cluster.url, directory)
    cluster.start()
    assert answers(cluster) == before


def test_a_second_backup_after_compaction(
    small_cluster: Cluster, s3: S3Server, tmp_path: Path
) -> None:
    """Each of two full backups restores its own rows, though they share objects."""
    cluster = small_cluster
    first = filled(cluster)
    there = ("--backup-storage-url", f"fs://{tmp_path}/backups")
    one = back_up(cluster, *there)
    cluster.start()
    cluster.sql("SET RW_IMPLICIT_FLUSH TO true; DELETE FROM region WHERE r_regionkey = 3;")
    cluster.node.compact()
    second = answers(cluster)
    assert first != second
    two = back_up(cluster, *there)
    empty(cluster)
    for number, expected, place in ((one, first, "a"), (two, second, "b")):
        cluster.url = s3.minio(s3.bucket())
        restore(cluster, number, there, cluster.url, place)
        cluster.start()
        assert answers(cluster) == expected
        cluster.stop()


def _gcs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    server: GcsServer = request.getfixturevalue("gcs")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.endpoint)
    return f"gcs://{server.bucket()}@top"


def _azure(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    server: AzureServer = request.getfixturevalue("azure")
    monkeypatch.setenv("AZBLOB_ENDPOINT", server.endpoint)
    monkeypatch.setenv("AZBLOB_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZBLOB_ACCOUNT_KEY", KEY)
    return f"azblob://{server.container()}@top"


@pytest.mark.parametrize("provider", [_gcs, _azure])
def test_other_providers(
    small_cluster: Cluster,
    s3: S3Server,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    provider: Callable[[pytest.FixtureRequest, pytest.MonkeyPatch], str],
) -> None:
    """From S3 by way of another provider into S3: the same rows."""
    cluster = small_cluster
    before = filled(cluster)
    there = ("--backup-storage-url", provider(request, monkeypatch))
    number = back_up(cluster, *there)
    empty(cluster)
    cluster.url = s3.minio(s3.bucket())
    restore(cluster, number, there, cluster.url, "data_2")
    cluster.start()
    assert answers(cluster) == before
