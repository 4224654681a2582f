"""Full backups in buckets that are more than a place for bytes: that keep versions, that lock what
is put there, whose lifecycle deletes; and below places of a bucket that a cluster owns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from object_world import ObjectWorld
from s3 import S3Server
from shell import Shell

from metasnapshot.store.url import open_store

LARGE = 9 << 20
"""Bytes of an object that goes up in parts."""
GC = ("gc", "--objects", "--grace", "0s", "--commit")
BELOW = {"the root": ("", 2), "above": ("a", 2), "the URL's root": ("a/b", 2), "beside": ("a/c", 0)}


@pytest.fixture
def client(s3: S3Server) -> Any:
    return s3.client("s3")


@pytest.fixture
def world(tmp_path: Path) -> ObjectWorld:
    return ObjectWorld(tmp_path)


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.path, capsys)


def back_up(shell: Shell, world: ObjectWorld, url: str, *more: str) -> tuple[int, Any]:
    return shell.answer(
        *("backup", "--meta-store", f"sqlite:///{world.meta}", "--meta-node-stopped"),
        *("--backup-storage-url", url, "--with-objects", *more),
    )


def restored(shell: Shell, world: ObjectWorld, url: str) -> dict[str, bytes]:
    """The objects that a restore brings back into an empty place."""
    code, found = shell.answer(
        *("restore", "latest", "--meta-store", f"sqlite:///{world.empty}", "--with-objects"),
        *("--backup-storage-url", url, "--hummock-storage-url", f"fs://{world.path}/new"),
        *("--hummock-storage-directory", "data", "--overwrite-hummock-storage-endpoint"),
        *("--overwrite-backup-storage-url", "fs:///b", "--overwrite-backup-storage-directory", "b"),
    )
    assert code == 0, found
    files = (world.path / "new" / "data").glob("*.*")
    return {path.name: path.read_bytes() for path in files}


def state(world: ObjectWorld) -> dict[str, bytes]:
    needed = {item.id: item.suffix for item in world.needed}
    return {f"{number}.{suffix}": world.objects[number] for number, suffix in needed.items()}


@pytest.mark.parametrize("is_versioned", [True, False])
def test_what_is_deleted_is_hidden(
    s3: S3Server, client: Any, world: ObjectWorld, shell: Shell, *, is_versioned: bool
) -> None:
    """A bucket that keeps versions frees nothing: delete, expire and gc say so, where they deleted
    something; every version of every object is still there. Another one is not spoken of.
    """
    bucket = s3.bucket()
    if is_versioned:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    url, ids = s3.minio(bucket), list[int]()
    world.add_sst(80_000)
    for number in (80_001, 80_002, 80_003):
        code, found = back_up(shell, world, url)
        assert (code, found["complete"]) == (0, True)
        ids.append(found["snapshot"]["id"])
        world.add_sst(number)
    world.remove_sst(80_000)
    assert back_up(shell, world, url)[0] == 0
    there = ("--backup-storage-url", url)
    wanted = {"hidden": True} if is_versioned else {}
    for verb in (
        ("delete", str(ids[0]), "--yes"),
        ("expire", "--keep-last", "1", "--commit"),
        GC,
    ):
        code, out, err = shell.run(*verb, *there, "--json")
        assert (code, '"hidden":true' in out.replace(" ", "")) == (0, is_versioned), out
        assert ("hidden, not freed" in err) == is_versioned
    assert shell.answer(*GC, *there)[1].get("hidden") is None  # there was nothing to delete
    assert wanted in ({"hidden": True}, {})
    names = [head.path for head in open_store(url).list("backup/objects")]
    assert not [name for name in names if "/80000-" in name]
    found = client.list_object_versions(Bucket=bucket, Prefix="backup/objects/")
    kept = [item["Key"] for item in found.get("Versions", ()) if "/80000-" in item["Key"]]
    assert len(kept) == is_versioned
    code, _ = shell.answer("verify", "latest", *there, "--content", "hashes")
    assert code == 0


def test_a_bucket_that_locks_its_objects(
    s3: S3Server, client: Any, world: ObjectWorld, shell: Shell
) -> None:
    """Objects go there with their checksums, small and large, twice; a restore has all of them. A
    hidden object is copied again.
    """
    client.create_bucket(Bucket="locked-full", ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}
    client.put_object_lock_configuration(
        Bucket="locked-full",
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
    )
    url = s3.minio("locked-full")
    world.add_sst(80_000, LARGE)
    code, found = back_up(shell, world, url)
    assert (code, found["objects"]["copied"]) == (0, len(world.needed)), found
    world.add_sst(80_001)
    code, found = back_up(shell, world, url)
    assert (code, found["objects"]["copied"]) == (0, 1), found
    (gone,) = (
        head.path for head in open_store(url).list("backup/objects") if "/80001-" in head.path
    )
    client.delete_object(Bucket="locked-full", Key=gone)
    code, found = back_up(shell, world, url)
    assert (code, found["objects"]["copied"]) == (0, 1), found
    assert restored(shell, world, url) == state(world)
    assert (
        shell.answer("verify", "latest", "--backup-storage-url", url, "--content", "hashes")[0] == 0
    )


def test_a_lifecycle_that_deletes(
    s3: S3Server, client: Any, world: ObjectWorld, shell: Shell
) -> None:
    """A rule that expires objects takes what backups need: verify names each, a restore refuses
    before it writes anything, and the next backup copies them anew.
    """
    bucket = s3.bucket()
    url = s3.minio(bucket)
    there = ("--backup-storage-url", url)
    assert back_up(shell, world, url)[0] == 0
    names = [
        head.path for head in open_store(url).list("backup/objects") if "area" not in head.path
    ]
    for name in names[:3]:
        client.delete_object(Bucket=bucket, Key=name)
    code, found = shell.answer("verify", "latest", *there, "--content", "hashes")
    assert code == 17, found
    code, found = shell.answer(
        *("restore", "latest", "--meta-store", f"sqlite:///{world.empty}", "--with-objects"),
        *(*there, "--hummock-storage-url", f"fs://{world.path}/new"),
        *("--hummock-storage-directory", "data", "--overwrite-hummock-storage-endpoint"),
        *("--overwrite-backup-storage-url", "fs:///b", "--overwrite-backup-storage-directory", "b"),
    )
    assert (code, (world.path / "new").exists()) == (17, False), found
    code, found = back_up(shell, world, url)
    assert (code, found["objects"]["copied"]) == (0, 3), found
    assert restored(shell, world, url) == state(world)


@pytest.mark.parametrize(("place", "wanted"), BELOW.values(), ids=BELOW)
def test_a_place_that_a_cluster_owns(
    s3: S3Server, world: ObjectWorld, shell: Shell, place: str, wanted: int
) -> None:
    """An ancestor in the bucket that has cluster_id/0 is found above the URL's own root too: exit
    2 before anything is written. One beside it does not matter.
    """
    bucket = s3.minio(s3.bucket())
    whole = open_store(bucket)
    whole.put_if_absent(f"{place}/cluster_id/0", b"another")
    code, found = back_up(shell, world, f"{bucket}/a/b")
    assert code == wanted, found
    if wanted:
        assert "cluster_id/0" in found["error"]["message"]
        assert [head.path for head in whole.list("")] == [f"{place}/cluster_id/0".lstrip("/")]
