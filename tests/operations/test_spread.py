"""Work that is spread over machines: what goes to them, who they may be, how fast they read."""

from __future__ import annotations

import pickle
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest
from object_world import ObjectWorld
from shell import BACKUPS, STORE, Shell

from metasnapshot import Pace
from metasnapshot.catalogue.full import HASH_SIZE
from metasnapshot.cli.settings import check_environment
from metasnapshot.errors import UsageError
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import DATA
from metasnapshot.operations.copy_objects import ObjectWork
from metasnapshot.operations.spread import batch, by, errand
from metasnapshot.operations.spread.errand import Errand, Seen, Sighting, Witness
from metasnapshot.operations.spread.scheduler import Scheduler
from metasnapshot.operations.spread.sides import VARIABLES, Place, Side, area_side, state_side
from metasnapshot.operations.spread.spec import Spec
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.retry import DEFAULTS
from metasnapshot.store.url import open_store
from metasnapshot.version import VERSION

PLANTED = "pl4nt3d"


def errand_of(*sides: Side, witnesses: tuple[Witness, ...] | None = None) -> Errand:
    """What is sent to machines that shall see what this one sees."""
    files = witnesses or tuple(Witness() for _ in sides)
    places = tuple(side.place for side in sides)
    return Errand("run", places, DEFAULTS, "", 0o600, files, errand.look(sides, files))


@pytest.mark.parametrize(
    "address",
    [
        "tls://host:8786",
        "tls://10.0.0.7:1",
        "tls://[fd00::1]:8786/",
        "tcp://127.0.0.1:8786",
        "tcp://localhost:65535",
        "tcp://[::1]:8786",
    ],
)
def test_a_safe_line_is_taken(address: str) -> None:
    """TLS to anywhere, and anything that does not leave this machine."""
    assert Scheduler(address).address == address


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp://host:8786", "without TLS"),
        ("tcp://127.0.0.2:8786", "without TLS"),
        ("tcp://localhost.example:8786", "without TLS"),
        ("tcp://0.0.0.0:8786", "without TLS"),
        ("host:8786", "not the address"),
        ("ws://127.0.0.1:8786", "not the address"),
        ("inproc://127.0.0.1:8786", "not the address"),
        ("tls://host", "not the address"),
        ("tls://host:0", "not the address"),
        ("tls://host:65536", "not the address"),
        ("tls://user:word@host:8786", "not the address"),
        ("tls://host:8786/path", "not the address"),
        ("tls://host:8786?x=1", "not the address"),
        ("tcp://127.0.0.1:8786\ntls://x:1", "not the address"),
        ("", "not the address"),
    ],
)
def test_any_other_is_refused(address: str, words: str) -> None:
    """What speaks for a scheduler runs code here."""
    with pytest.raises(UsageError, match=words):
        Scheduler(address)


def test_an_insecure_line_must_be_asked_for() -> None:
    """By an option of its own, which means nothing by itself."""
    assert Scheduler("tcp://host:8786", is_insecure=True).place == ("host", 8786)
    assert Pace(scheduler="tcp://host:1", insecure_scheduler=True).dask is not None
    with pytest.raises(UsageError, match="--insecure-scheduler means nothing"):
        Pace(insecure_scheduler=True)
    with pytest.raises(UsageError, match="--scheduler-ca-file means nothing"):
        Pace(scheduler_ca_file="ca.pem")
    with pytest.raises(UsageError, match="has no TLS"):
        Pace(scheduler="tcp://127.0.0.1:1", scheduler_key_file="x.key")


@pytest.mark.parametrize(
    "words",
    [
        ("backup", *STORE, *BACKUPS),
        ("verify", *BACKUPS),
        ("copy", *BACKUPS, "--to", "fs://safe"),
        ("restore", "latest", "--meta-store", "sqlite:///empty.db", *BACKUPS),
        ("read", "latest", "orders", *BACKUPS),
    ],
    ids=lambda words: words[0],
)
def test_a_scheduler_of_nothing_is_refused(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no objects are moved there is nothing to spread."""
    found = Shell(tmp_path, capsys).run(*words, "--scheduler", "tls://host:8786")
    assert (found.code, "--scheduler means nothing without" in found.err) == (2, True)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is begun."""
    monkeypatch.delitem(sys.modules, "metasnapshot.operations.spread.on_dask", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match="--scheduler needs Dask") as caught:
        by.require_scheduler(Scheduler("tcp://127.0.0.1:1"))
    assert caught.value.hint == "pip install 'metasnapshot[dask]'"


def test_threads_never_load_dask(tmp_path: Path) -> None:
    """Work without a scheduler leaves it alone."""
    world = ObjectWorld(tmp_path)
    work = ObjectWork(world.needed, Pace(2))
    work.read(
        range(len(world.needed)), state_side(LocalStore(world.state), "hummock_001", prefixed=False)
    )
    assert work.done == len(world.needed)
    assert "metasnapshot.operations.spread.on_dask" not in sys.modules


@pytest.mark.parametrize(
    "url",
    [
        f"minio://user:{PLANTED}@127.0.0.1:9000/bucket",
        f"minio://{PLANTED}:word@https://host:9000/bucket/root",
        f"hummock+minio://user:{PLANTED}@127.0.0.1:9000/bucket",
        "fs:///srv/backups",
    ],
)
def test_no_task_has_a_credential(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of the URL nor of the environment, whatever the pickle is searched for."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", PLANTED)
    monkeypatch.setenv("METASNAPSHOT_BACKUP_STORAGE_URL", f"minio://a:{PLANTED}@host:1/b")
    monkeypatch.setattr(errand, "look", lambda *_: Sighting(VERSION, ()))
    store = open_store(url)
    sides = state_side(store, "data", prefixed=True), area_side(store, "backup")
    needed = NeededObjects([NeededObject(7, DATA, 100, 1, 2)])
    sent = (
        errand_of(*sides),
        Spec(sides[0].place, sides[1].place),
        batch.pack(0, needed, array("Q", [0]), bytearray(HASH_SIZE), None),
    )
    assert PLANTED.encode() not in pickle.dumps(sent)
    assert PLANTED not in repr(sent)


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://user:{PLANTED}@host/place",
        f"abfs://box@account/x?sig={PLANTED}",
        f"minio://user:{PLANTED}@host:9000/bucket;key={PLANTED}#{PLANTED}",
    ],
)
def test_a_store_that_tells_too_much_is_shortened(url: str) -> None:
    """A place is named as messages name it, whatever the store says of itself."""

    class Talkative(MemoryStore):
        @property
        def url(self) -> str:
            return url

    assert PLANTED not in repr(area_side(Talkative(), "backup").place)


@pytest.mark.parametrize(
    ("its", "words"),
    [
        (Sighting("0.1.9", (Seen(b"a"),)), f"has metasnapshot 0.1.9, and this is {VERSION}"),
        (Sighting(VERSION, (Seen(b"b"),)), "sees another fs:///x, backup/objects/area.json"),
        (Sighting(VERSION, (Seen(None),)), "sees no fs:///x"),
        (Sighting(VERSION, (Seen(error="denied"),)), "cannot read fs:///x.*denied"),
        (
            Sighting(VERSION, (Seen(b"a", 3),)),
            "sees another fs:///x, .*: a file of it is not there",
        ),
    ],
    ids=["version", "other", "none", "denied", "witness"],
)
def test_a_difference_is_named(its: Sighting, words: str) -> None:
    """With the worker, what it sees, and where it says how it reaches that place."""
    place = Place("backup", "fs:///x", "backup/objects")
    mine = Sighting(VERSION, (Seen(b"a", 7 if its.seen[0].witness else None),))
    sent = Errand("run", (place,), DEFAULTS, "", 0o600, (Witness(),), mine)
    with pytest.raises(UsageError, match=f"worker tcp://w:1 {words}") as caught:
        errand.require_same(sent, its, "tcp://w:1")
    is_old = its.version != VERSION
    wanted = "install one version" if is_old else "METASNAPSHOT_BACKUP_STORAGE_URL"
    assert wanted in caught.value.hint
    errand.require_same(sent, mine, "tcp://w:1")


def test_a_machine_goes_by_its_own_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens what that says, and works only if it is the place that is meant: once it is another,
    nothing is opened.
    """
    for name, text in (("one", b"a"), ("two", b"a"), ("three", b"c")):
        LocalStore(tmp_path / name).put_if_absent("backup/objects/area.json", text)
    sent = errand_of(area_side(LocalStore(tmp_path / "one"), "backup"))
    monkeypatch.setenv("METASNAPSHOT_BACKUP_STORAGE_URL", f"fs://{tmp_path}/two")
    (side,) = errand.open_sides(sent, "w")
    assert side.store.url == f"fs://{tmp_path}/two"
    errand.forget()
    monkeypatch.setenv("METASNAPSHOT_BACKUP_STORAGE_URL", f"fs://{tmp_path}/three")
    with pytest.raises(UsageError, match="worker w sees another"):
        errand.open_sides(sent, "w")
    monkeypatch.setenv("METASNAPSHOT_BACKUP_STORAGE_URL", "minio://host:1/bucket")
    with pytest.raises(UsageError, match="worker w cannot read"):
        errand.open_sides(sent, "w")


def test_the_command_knows_what_workers_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is a worker too has their variables in its environment."""
    for name in filter(None, VARIABLES.values()):
        monkeypatch.setenv(name, "fs:///srv")
    check_environment()
    monkeypatch.setenv("METASNAPSHOT_OTHER_STORAGE_URL", "fs:///srv")
    with pytest.raises(UsageError, match="METASNAPSHOT_OTHER_STORAGE_URL"):
        check_environment()


def test_batches_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many objects, or so many bytes: every place once, in its order."""
    monkeypatch.setattr(batch, "BATCH_MAX", 4)
    monkeypatch.setattr(batch, "BATCH_BYTES_MAX", 100)
    sizes = [10, 10, 10, 10, 10, 99, 1, 1, 200, 5]
    needed = NeededObjects(NeededObject(n, DATA, size) for n, size in enumerate(sizes))
    found = [list(piece) for piece in batch.cut(needed, range(len(sizes)))]
    assert found == [[0, 1, 2, 3], [4, 5], [6, 7], [8], [9]]


class _Client:
    """A cluster of so many threads."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def scheduler_info(self) -> dict[str, Any]:
        return {"workers": {str(n): {"nthreads": 1} for n in range(self.threads)}}


@pytest.mark.parametrize("changes", [(2,), (1, 5), (4, 1, 3), (3, 7, 2, 1)])
def test_the_limit_holds_for_all_together(
    changes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many workers come and go, the shares of what is under way never pass it; and they
    come near it.
    """
    on_dask = by.load_dask()
    monkeypatch.setattr(on_dask, "POLL_S", -1)
    client, limit, under_way, number = _Client(changes[0]), 1000, list[int](), 0
    fleet = on_dask.Fleet(client, limit)
    for threads in changes:
        client.threads = threads
        for _ in range(20):
            while (rate := fleet._rate(len(under_way))) is not None:  # noqa: SLF001
                fleet._rates[number] = rate  # noqa: SLF001
                under_way.append(number)
                number += 1
            assert sum(fleet._rates.values()) <= limit  # noqa: SLF001
            assert under_way
            del fleet._rates[under_way.pop(0)]  # noqa: SLF001
    fleet._rates.clear()  # noqa: SLF001
    under_way.clear()
    while (rate := fleet._rate(len(under_way))) is not None:  # noqa: SLF001
        fleet._rates[number + len(under_way)] = rate  # noqa: SLF001
        under_way.append(0)
    assert sum(fleet._rates.values()) > 0.9 * limit  # noqa: SLF001
