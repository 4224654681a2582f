"""Copies between buckets of one provider: the service copies what was read and checked here, and
what it refuses, or does badly, we write.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import obstore
import pytest
from gcs_server import GcsServer
from object_world import ObjectWorld
from obstore.exceptions import PermissionDeniedError
from s3 import S3Server
from s3_memory import MemoryServer, memory_server
from shell import Shell

from metasnapshot.errors import ConflictError, DamageError, ObjectMissing
from metasnapshot.hummock.objects import NeededObject
from metasnapshot.hummock.paths import VECTOR, object_path
from metasnapshot.hummock.transfer import Original, copy_object
from metasnapshot.store import within as copying
from metasnapshot.store.port import Store
from metasnapshot.store.url import open_store
from metasnapshot.store.within import copier

SIZES = (300 << 10, 9 << 20)
"""Of an object that is read at once, and of one that passes in pieces."""
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def memory() -> Generator[MemoryServer]:
    with memory_server() as server:
        yield server


@pytest.fixture(params=["moto", "memory"])
def server(request: pytest.FixtureRequest) -> S3Server | MemoryServer:
    return request.getfixturevalue({"moto": "s3", "memory": "memory"}[request.param])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bytes that we send, and the copies that we ask for, as they come."""
    found: list[str] = []

    def noting(name: str) -> None:
        call: Call = getattr(obstore, name)

        def noted(client: Any, path: str, *rest: Any, **options: Any) -> Any:
            found.append(f"{name} {path}")
            return call(client, path, *rest, **options)

        monkeypatch.setattr(obstore, name, noted)

    noting("put")
    noting("copy")
    return found


def given(store: Store, size: int, path: str = "a/1.vector") -> tuple[Original, bytes]:
    """An object of random bytes in a store."""
    data = random.Random(size).randbytes(size)  # noqa: S311 - dice
    with store.open_writer(path) as file:
        file.write(data)
    return Original(store, path, NeededObject(1, VECTOR, size)), data


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("roots", [("", ""), ("@one", "@two/x"), ("/deep/er", "")])
def test_the_service_copies(
    server: S3Server | MemoryServer, calls: list[str], size: int, roots: tuple[str, str]
) -> None:
    """Into another bucket and root: the bytes arrive, and none of them is sent by us."""
    source, target = (
        open_store(f"{server.minio(server.bucket())}{root.replace('@', '/')}") for root in roots
    )
    original, data = given(source, size)
    calls.clear()
    within = copier(source, target)
    assert within is not None
    copy_object(original, target, "b/1.vec", within)
    assert target.read("b/1.vec").data == data
    assert [call.split()[0] for call in calls] == ["copy"]


def test_within_one_bucket(server: S3Server | MemoryServer, calls: list[str]) -> None:
    """From one directory of a bucket into another one."""
    store = open_store(server.minio(server.bucket()))
    original, data = given(store, SIZES[0])
    calls.clear()
    copy_object(original, store, "b/1.vec", copier(store, store))
    assert (store.read("b/1.vec").data, len(calls)) == (data, 1)


def test_small_objects_are_sent(s3: S3Server, calls: list[str]) -> None:
    """Requests would cost more than the bytes."""
    source, target = (open_store(s3.minio(s3.bucket())) for _ in range(2))
    original, data = given(source, 1000)
    copy_object(original, target, "b/1.vec", copier(source, target))
    assert target.read("b/1.vec").data == data
    assert not [call for call in calls if call.startswith("copy")]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_refused_is_sent(s3: S3Server, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """A key of the target's that may not read the source: the bytes go through us, and nobody asks
    a second time.
    """
    asked: list[str] = []

    def refused(_: object, path: str, *__: object) -> None:
        asked.append(path)
        raise PermissionDeniedError("403 Forbidden AccessDenied")

    source, target = (open_store(s3.minio(s3.bucket())) for _ in range(2))
    original, data = given(source, size)
    monkeypatch.setattr(obstore, "copy", refused)
    within = copier(source, target)
    for name in ("b/1.vec", "b/2.vec"):
        copy_object(original, target, name, within)
        assert target.read(name).data == data
    assert len(asked) == 1


@pytest.mark.parametrize("arrives", [b"", b"cut", None])
def test_what_does_not_arrive_is_sent(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, arrives: bytes | None
) -> None:
    """A service that says yes and wrote nothing, or something of another size."""
    source, target = (open_store(s3.minio(s3.bucket())) for _ in range(2))
    original, data = given(source, SIZES[0])

    def lying(*_: object) -> None:
        if arrives is not None:
            target.put_if_absent("b/1.vec", arrives)

    monkeypatch.setattr(obstore, "copy", lying)
    copy_object(original, target, "b/1.vec", copier(source, target))
    assert target.read("b/1.vec").data == data


@pytest.mark.parametrize("size", SIZES)
def test_a_name_that_is_taken_stays(s3: S3Server, calls: list[str], size: int) -> None:
    """Another object under the name is refused and not overwritten; the very object is taken."""
    source, target = (open_store(s3.minio(s3.bucket())) for _ in range(2))
    original, data = given(source, size)
    other = bytes(size)
    for name, there in (("b/1.vec", other), ("b/2.vec", data)):
        with target.open_writer(name) as file:
            file.write(there)
    calls.clear()
    within = copier(source, target)
    with pytest.raises(ConflictError, match="another object"):
        copy_object(original, target, "b/1.vec", within)
    assert target.read("b/1.vec").data == other
    copy_object(original, target, "b/2.vec", within)
    assert not [call for call in calls if call.startswith("copy")]


@pytest.mark.parametrize("size", SIZES)
def test_nothing_unchecked_is_copied(s3: S3Server, calls: list[str], size: int) -> None:
    """Bytes that are not what they were get no name; what is gone is missing."""
    source, target = (open_store(s3.minio(s3.bucket())) for _ in range(2))
    original, _ = given(source, size)
    expected = Original(source, original.path, original.item, expected=bytes(16))
    gone = Original(source, "a/2.vector", original.item)
    calls.clear()
    with pytest.raises(DamageError):
        copy_object(expected, target, "b/1.vec", copier(source, target))
    with pytest.raises(ObjectMissing):
        copy_object(gone, target, "b/1.vec", copier(source, target))
    assert (target.head("b/1.vec"), calls) == (None, [])


def test_others_are_no_provider_of_both(
    s3: S3Server, memory: MemoryServer, gcs: GcsServer, tmp_path: Path, monkeypatch: Any
) -> None:
    """Other servers, other keys, other services, local files, and buckets of a service that copies
    within one only: nothing copies by itself.
    """
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.endpoint)
    one = open_store(s3.minio(s3.bucket()))
    others = (
        memory.minio(memory.bucket()),
        s3.minio(s3.bucket(), "other:keys"),
        f"gcs://{gcs.bucket()}",
        f"fs://{tmp_path}",
    )
    for url in others:
        assert copier(one, open_store(url)) is None
        assert copier(open_store(url), one) is None
    buckets = [open_store(f"gcs://{gcs.bucket()}") for _ in range(2)]
    assert copier(*buckets) is None
    assert copier(buckets[0], buckets[0]) is not None


def test_a_gcs_bucket(gcs: GcsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within it the object arrives, whatever the service does by itself."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.endpoint)
    store = open_store(f"gcs://{gcs.bucket()}")
    original, data = given(store, SIZES[0])
    copy_object(original, store, "b/1.vec", copier(store, store))
    assert store.read("b/1.vec").data == data


def test_backup_and_restore(
    memory: MemoryServer,
    tmp_path: Path,
    calls: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A full backup from bucket to bucket, and its restore into a third: all bytes are there, and
    none of an object was sent by us.
    """
    monkeypatch.setattr(copying, "SIZE_MIN", 0)
    world, shell = ObjectWorld(tmp_path), Shell(tmp_path, capsys)
    world.add_sst(90_001, SIZES[1])
    state, backups, new = (memory.minio(memory.bucket()) for _ in range(3))
    for item in world.needed:
        name = object_path("hummock_001", item.id, item.suffix, prefixed=True)
        with open_store(state).open_writer(name) as file:
            file.write(world.objects[item.id])
    with world.place(90_001).parent.joinpath("checkpoint/0").open("rb") as file:
        open_store(state).put_if_absent("hummock_001/checkpoint/0", file.read())
    there = ("--backup-storage-url", backups)
    meta = ("--meta-store", f"sqlite:///{world.meta}", "--hummock-storage-url", state)
    calls.clear()
    code, found = shell.answer("backup", *meta, *there, "--meta-node-stopped", "--with-objects")
    assert (code, found.get("complete")) == (0, True), found
    code, found = shell.answer(
        *("restore", "latest", "--meta-store", f"sqlite:///{world.empty}", *there),
        *("--hummock-storage-url", new, "--hummock-storage-directory", "data", "--with-objects"),
        *("--overwrite-hummock-storage-endpoint", "--overwrite-backup-storage-url", "fs:///b"),
        *("--overwrite-backup-storage-directory", "b"),
    )
    assert code == 0, found
    heads = open_store(new).list("data/")
    sizes = {head.path.rpartition("/")[2]: head.size for head in heads}
    assert {size for name, size in sizes.items() if name != "0"} >= {
        len(data) for data in world.objects.values()
    }
    copies = [call for call in calls if call.startswith("copy")]
    assert len(copies) == 2 * len(world.needed)
    sent = [call for call in calls if call.startswith("put")]
    with suppress(StopIteration):
        pytest.fail(next(call for call in sent if "/objects/" in call and "area" not in call))
