"""Upstream's test_overwrite_endpoint.sh (src/storage/backup/integration_tests/), step by step: the
data directory is copied into another bucket under another name, and the snapshot restored with its
places overwritten.
"""

from __future__ import annotations

from cluster import Cluster
from cluster.control import BACKUP_DIRECTORY, DATA_DIRECTORY
from s3 import S3Server

pytest_plugins = ["cluster.fixtures"]
PLACES = ("state_store", "data_directory", "backup_storage_url", "backup_storage_directory")
NEW_DATA_DIRECTORY, NEW_BACKUP_DIRECTORY = "hummock_002", "backup_002"


def places(cluster: Cluster) -> tuple[str, ...]:
    """What SHOW parameters says of the four."""
    shown = dict(cluster.sql("SHOW parameters;"))
    return tuple(shown[name] for name in PLACES)


def test_overwrite_endpoint(cluster: Cluster, s3: S3Server) -> None:
    """The restored cluster has the new places in its parameters, its rows in the new bucket, and
    needs nothing of the old one but the snapshot.
    """
    cluster.sql("CREATE TABLE t (c int);")
    cluster.sql("INSERT INTO t values (1),(2);")
    cluster.sql("FLUSH;")
    old = cluster.url
    assert (f"hummock+{old}", DATA_DIRECTORY, old, BACKUP_DIRECTORY) == places(cluster)
    number = cluster.backup()

    new = s3.minio(s3.bucket())
    target = cluster.open_bucket(new)
    cluster.bucket.copy_to(f"{DATA_DIRECTORY}/", target, f"{NEW_DATA_DIRECTORY}/")
    cluster.prepare_restore()
    cluster.bucket.delete([item.path for item in cluster.bucket.list(f"{DATA_DIRECTORY}/")])
    cluster.run(
        *("meta", "restore-meta"),
        *("--meta-snapshot-id", str(number)),
        *cluster.meta_store_options,
        "--overwrite-hummock-storage-endpoint",
        *("--overwrite-backup-storage-url", new),
        *("--overwrite-backup-storage-directory", NEW_BACKUP_DIRECTORY),
        *("--hummock-storage-url", new),
        *("--hummock-storage-directory", NEW_DATA_DIRECTORY),
        *("--backup-storage-url", cluster.url),
        "--validate-integrity",
        "--create-schema",
    )
    cluster.start()
    assert (f"hummock+{new}", NEW_DATA_DIRECTORY, new, NEW_BACKUP_DIRECTORY) == places(cluster)
    assert cluster.sql("SELECT * FROM t ORDER BY c;") == [(1,), (2,)]
    assert cluster.bucket.sst_paths() == []

    second = cluster.backup()
    there = ("--backup-storage-url", new, "--backup-storage-directory", NEW_BACKUP_DIRECTORY)
    listed = cluster.run("list", *there, "--json").json["snapshots"]
    assert ([second], number + 1) == ([item["id"] for item in listed], second)
    assert [number] == [item["id"] for item in cluster.listed()]
