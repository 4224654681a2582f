"""Documents of a backup directory that say too much, or nothing, and what they stop."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import goldens
import pytest

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.ids import ID_MAX, following_id, id_in, parse_id
from metasnapshot.catalogue.ledger import LEDGER_NAME, change_ledger, read_ledger
from metasnapshot.catalogue.manifest import MANIFEST_NAME
from metasnapshot.catalogue.manifest_file import PREVIOUS_NAME
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import is_held
from metasnapshot.catalogue.watcher import WATCHER_NAME, Watcher
from metasnapshot.errors import DamageError, StorageError
from metasnapshot.operations.check import check
from metasnapshot.operations.gc import LEFTOVER, collect, look
from metasnapshot.operations.verify import verify
from metasnapshot.store.lock import this_holder
from metasnapshot.store.memory import MemoryStore

TAG = goldens.SHIPPED / "v3.0.3"
U64 = 1 << 64
ENTRY = {"id": 1, "hummock_version_id": 2, "ssts": [3, 4], "format_version": 2}
HOUR = timedelta(hours=1)


def manifest(*entries: dict[str, Any], **fields: Any) -> bytes:
    found = {"manifest_id": 5, "snapshot_metadata": list(entries), **fields}
    return json.dumps(found).encode()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("7", 7),
        (str(10**17), 10**17),
        (str(10**18), 10**18),
        (str(ID_MAX), ID_MAX),
        (str(ID_MAX + 1), None),
        (str(10**19), None),
        ("07", None),
        ("-1", None),
        ("", None),
        ("٣", None),
        ("1 ", None),
        ("1e3", None),
    ],
)
def test_ids_are_read_alike_everywhere(tmp_path: Path, text: str, number: int | None) -> None:
    """In names of snapshots and reservations: what is an id is never foreign, what is none is."""
    assert parse_id(text) == id_in(f"{text}.snapshot", "snapshot") == number
    repository = goldens.copy_backups(TAG, tmp_path)
    for suffix in ("snapshot", "reserved"):
        (tmp_path / "backup" / f"{text}.{suffix}").write_bytes(b"x")
    found = {item.path: item.kind for item in look(repository, HOUR).found}
    if number == 7:
        assert found == {"backup/7.reserved": LEFTOVER}
    elif text:  # a name that begins with a dot is ours
        kinds = ("foreign", "foreign") if number is None else ("leftover", "orphan")
        assert tuple(found[f"backup/{text}.{end}"] for end in ("reserved", "snapshot")) == kinds
    assert (number in repository.file_ids()) == (number is not None)
    assert (number in repository.reserved_ids()) == (number is not None)


@pytest.mark.parametrize(
    ("where", "prepare"),
    [
        ("metasnapshot.json", lambda path: path.joinpath(LEDGER_NAME).write_text(
            json.dumps({"last_deleted": ID_MAX}))),
        ("snapshot file", lambda path: path.joinpath(f"{ID_MAX}.snapshot").touch()),
        ("reservation", lambda path: path.joinpath(f"{ID_MAX}.reserved").touch()),
        ("manifest.json", lambda path: path.joinpath(MANIFEST_NAME).write_bytes(
            manifest(ENTRY | {"id": ID_MAX}, manifest_id=99))),
    ],
)  # fmt: skip
def test_the_last_id_stops_backups_with_the_place(
    tmp_path: Path, where: str, prepare: Callable[[Path], object]
) -> None:
    """Whoever says that the last one is taken is named."""
    repository = goldens.copy_backups(TAG, tmp_path)
    prepare(tmp_path / "backup")
    with (
        pytest.raises(DamageError, match="no id is left") as caught,
        changes.reserve(repository, 1),
    ):
        pass
    assert where in str(caught.value)
    with pytest.raises(DamageError, match="sequence meta_backup"):
        following_id(ID_MAX + 1, {})
    assert following_id(ID_MAX, {"x": [ID_MAX - 1]}) == ID_MAX


LEDGERS = [
    b"",
    b"{",
    b"[]",
    b'{"kept":[1],"kept":[]}',
    b'{"last_deleted":-1}',
    b'{"last_deleted":%d}' % (ID_MAX + 1),
    b'{"last_deleted":%d}' % 10**30,
    b'{"kept":[-3]}',
    b'{"made":[1.5]}',
    b'{"verified":{"1":{"at":"x","level":"y"}}}',
    b'{"versions":{"x":1}}',
    b'{"unknown":1}',
    b'\xff{"kept":[]}',
    b'{"kept":' + b"[" * 100_000,
]


@pytest.mark.parametrize("data", LEDGERS, ids=range(len(LEDGERS)))
def test_a_damaged_ledger_stops_what_needs_it_alone(tmp_path: Path, data: bytes) -> None:
    """Backup and delete, by name; verify and gc go on, check tells, and the file stays."""
    repository = goldens.copy_backups(TAG, tmp_path)
    path = tmp_path / "backup" / LEDGER_NAME
    path.write_bytes(data)
    for attempt in (
        lambda: read_ledger(repository.store, "backup"),
        lambda: change_ledger(repository.store, "backup", lambda _: None),
        lambda: changes.delete(repository, [1]),
        lambda: changes.next_id(repository, 1),
    ):
        with pytest.raises(DamageError, match=r"metasnapshot\.json is damaged"):
            attempt()
    result = verify(repository, 7, "file")
    assert (result.error, result.remembered) == (None, False)
    assert look(repository, HOUR).found == ()
    assert any(
        "metasnapshot.json is damaged" in text for text in check(repository, None, 1).problems
    )
    assert path.read_bytes() == data


HERE = json.dumps(this_holder().host).encode()
HOLDERS = {
    "pid too large": b'{"pid":99999999999,"host":%b,"since":"x"}' % HERE,
    "pid 0": b'{"pid":0,"host":%b,"since":"x"}' % HERE,
    "pid -1": b'{"pid":-1,"host":%b,"since":"x"}' % HERE,
    "pid beyond all": b'{"pid":%d,"host":%b,"since":"x"}' % (10**40, HERE),
    "brackets": b"[" * 60_000,
    "brackets in it": b'{"x":' + b"[" * 60_000,
    "too large": b" " * 70_000,
    "no UTF-8": b'{"pid":1,"host":"\xff","since":"x"}',
    "twice": b'{"pid":1,"pid":%d,"host":%b,"since":"x"}' % (os.getpid(), HERE),
    "nothing": b"",
    "null": b"null",
}


@pytest.mark.parametrize("what", HOLDERS)
def test_a_damaged_reservation_is_nobodys(what: str) -> None:
    """It stops neither gc nor a backup, and goes when it is old enough."""
    repository = Repository(MemoryStore(), "backup")
    repository.store.put_if_absent("backup/9.reserved", HOLDERS[what])
    assert not is_held(repository.store, "backup", 9)
    with changes.reserve(repository, 1) as number:
        assert number == 10
    later = datetime.now(UTC) + 2 * HOUR
    gone = collect(repository, look(repository, HOUR, later))
    assert [item.path for item in gone] == ["backup/9.reserved"]


@pytest.mark.parametrize("what", HOLDERS)
def test_a_damaged_watch_is_nobodys(what: str) -> None:
    """The next watcher takes over; one that is too large is named."""
    store = MemoryStore()
    watch = b'{"holder":%b,"token":"other","until":"9999-01-01T00:00:00+00:00"}'
    store.put_if_absent(f"backup/{WATCHER_NAME}", watch % HOLDERS[what])
    watcher = Watcher(store, "backup", "mine")
    if what == "too large":
        with pytest.raises(DamageError, match=WATCHER_NAME):
            watcher.renew(HOUR)
        return
    watcher.renew(HOUR)
    watcher.leave()
    assert store.head(f"backup/{WATCHER_NAME}") is None


@pytest.mark.parametrize("name", [MANIFEST_NAME, LEDGER_NAME, "7.snapshot"])
@pytest.mark.parametrize("kind", ["pipe", "directory", "link to nothing"])
def test_what_is_no_file_ends_with_its_name(tmp_path: Path, name: str, kind: str) -> None:
    """At once, and never as a conflict with somebody."""
    repository = goldens.copy_backups(TAG, tmp_path)
    path = tmp_path / "backup" / name
    path.unlink(missing_ok=True)
    {"pipe": os.mkfifo, "directory": os.mkdir, "link to nothing": _dangle}[kind](path)
    attempts: dict[str, Callable[[], object]] = {
        MANIFEST_NAME: lambda: Repository(repository.store, "backup"),
        LEDGER_NAME: lambda: changes.next_id(repository, 1),
        "7.snapshot": lambda: repository.get(7),
    }
    with pytest.raises(StorageError, match=name):
        attempts[name]()


def _dangle(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("kind", ["pipe", "link to nothing", "too large"])
def test_the_manifest_before_is_in_nobodys_way(tmp_path: Path, kind: str) -> None:
    """Whatever lies where the one that is replaced is kept, the change is made."""
    repository = goldens.copy_backups(TAG, tmp_path)
    path = tmp_path / "backup" / PREVIOUS_NAME
    if kind == "too large":
        path.touch()
        os.truncate(path, 1 << 32)
    else:
        {"pipe": os.mkfifo, "link to nothing": _dangle}[kind](path)
    before = (tmp_path / "backup" / MANIFEST_NAME).read_bytes()
    changes.delete(repository, [1])
    assert path.read_bytes() == before
    assert Repository(repository.store, "backup").manifest().ids == (2, 7)
