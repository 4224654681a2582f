"""What is recorded of snapshots beside the manifest, of whose bytes, and beside 0.1.0."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import goldens
import pytest

import metasnapshot
from metasnapshot import MetaSnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.facts import (
    FACTS_NAME,
    Facts,
    cluster_in,
    drop_facts,
    read_facts,
    record_facts,
)
from metasnapshot.catalogue.ledger import LEDGER_NAME
from metasnapshot.catalogue.records import EPOCH, FILE, Records, Taken
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import taken_at
from metasnapshot.errors import DamageError, StorageError, UnknownFormat
from metasnapshot.operations.copy import copy
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
PATH = f"backup/{FACTS_NAME}"
FACTS = Facts("00000000000000ff", 10, "a cluster", "3.0.1", ("3.0.1", "3.0.3"), NOON)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def snapshot() -> MetaSnapshot:
    return metasnapshot.loads(goldens.SMALL.read_bytes())


def other_cluster(snapshot: MetaSnapshot) -> MetaSnapshot:
    """The same under the same id, as another cluster would have it; its file is as long."""
    made = metasnapshot.loads(metasnapshot.dumps(snapshot))
    made.sections["clusters"][0].cluster_id = UUID(int=7)
    return made


def put(store: MemoryStore, path: str, data: bytes) -> None:
    store.delete(path)
    store.put_if_absent(path, data)


def test_facts_come_back(store: MemoryStore) -> None:
    """What was recorded is read, by id; a second record of an id takes the place of the first."""
    record_facts(store, "backup", 7, FACTS)
    record_facts(store, "backup", 2, replace_size(FACTS, 11))
    record_facts(store, "backup", 2, replace_size(FACTS, 12))
    assert read_facts(store, "backup") == {2: replace_size(FACTS, 12), 7: FACTS}
    drop_facts(store, "backup", [2, 3])
    assert read_facts(store, "backup") == {7: FACTS}


def replace_size(facts: Facts, size: int) -> Facts:
    return Facts(facts.checksum, size, facts.cluster_id, facts.layout, facts.releases, facts.taken)


def test_what_a_later_release_adds_stays(store: MemoryStore) -> None:
    """Keys that this one does not know, of the file and of a row, survive its writes."""
    row = {"checksum": "0" * 16, "size": 1, "objects": 5}
    text = json.dumps({"format": 1, "area": {"id": 1}, "snapshots": {"3": row}})
    put(store, PATH, text.encode())
    record_facts(store, "backup", 7, FACTS)
    found = json.loads(store.read(PATH).data)
    assert (found["area"], found["snapshots"]["3"]) == ({"id": 1}, row)
    assert read_facts(store, "backup")[7] == FACTS


def test_another_format_is_not_written_over(store: MemoryStore) -> None:
    """A file of a later format stays as it is, exit 14."""
    data = b'{"format":2,"snapshots":{}}'
    put(store, PATH, data)
    with pytest.raises(UnknownFormat, match="format 2"):
        record_facts(store, "backup", 7, FACTS)
    assert store.read(PATH).data == data


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"snapshots":{"1":{}},"snapshots":{}}', "'snapshots' stands twice"),
        (b'{"snapshots":{"1":{},"\\u0031":{}}}', "'1' stands twice"),
        (b'{"snapshots":{"07":{}}}', "'07' is no snapshot id"),
        (b'{"snapshots":{"9223372036854775807":{}}}', "is no snapshot id"),
        (b'{"snapshots":{"1":{"checksum":"0000000000000000"}}}', "snapshot 1, is damaged"),
        (b'{"snapshots":{"1":{"checksum":"x","size":1}}}', "snapshot 1, is damaged"),
        (b'{"snapshots":{"1":{"checksum":"%b","size":-1}}}' % (b"0" * 16), "snapshot 1,"),
        (b'{"snapshots":{"1":"\xff"}}', "no UTF-8"),
        (b'{"a":' + b"[" * 500 + b"]" * 500 + b"}", "brackets deep"),
    ],
)
def test_a_damaged_file_is_named(store: MemoryStore, data: bytes, place: str) -> None:
    """With the place, exit 4, and it stays as it is; the snapshots are known all the same."""
    repository = Repository(store, "backup")
    changes.create(repository, metasnapshot.loads(goldens.SMALL.read_bytes()))
    put(store, PATH, data)
    with pytest.raises(DamageError, match=FACTS_NAME) as caught:
        read_facts(store, "backup")
    assert place in str(caught.value)
    assert caught.value.exit_code == 4
    records = Records(repository)
    assert [FACTS_NAME in text for text in records.problems] == [True]
    assert records.newest_cluster_id() == cluster_of(goldens.SMALL)
    changes.delete(repository, [1])
    assert (repository.manifest().ids, store.read(PATH).data) == ((), data)


def cluster_of(path: Path) -> str | None:
    with metasnapshot.open(path) as reader:
        return cluster_in(reader)


def test_a_snapshot_is_recorded_when_it_is_made(store: MemoryStore, snapshot: MetaSnapshot) -> None:
    """Size and checksum of its file, its cluster, its layout and releases."""
    repository = Repository(store, "backup")
    entry = changes.create(repository, snapshot)
    facts = Records(repository).facts(entry)
    assert facts is not None
    data = store.read("backup/1.snapshot").data
    assert (facts.size, bytes.fromhex(facts.checksum)) == (len(data), data[:-9:-1])
    assert (facts.cluster_id, facts.layout) == (cluster_of(goldens.SMALL), snapshot.layout)
    assert "3.0.3" in facts.releases


@pytest.mark.parametrize("change", ["content", "size", "gone"])
def test_a_reused_id_inherits_nothing(
    store: MemoryStore, snapshot: MetaSnapshot, change: str
) -> None:
    """Another file under the id, as long or not, or none: what is recorded is not of it."""
    repository = Repository(store, "backup")
    entry = changes.create(repository, snapshot)
    other = other_cluster(snapshot)
    if change == "size":
        other.sections["system_parameters"].pop()
    store.delete("backup/1.snapshot")
    if change != "gone":
        store.put_if_absent("backup/1.snapshot", metasnapshot.dumps(other))
    records = Records(Repository(store, "backup"))
    assert records.facts(entry) is None
    wanted = None if change == "gone" else str(UUID(int=7))
    assert records.newest_cluster_id() == wanted


def test_a_deleted_snapshot_leaves_no_facts(store: MemoryStore, snapshot: MetaSnapshot) -> None:
    """Its row goes with it."""
    repository = Repository(store, "backup")
    changes.create(repository, snapshot)
    changes.delete(repository, [1])
    assert read_facts(store, "backup") == {}


def test_the_cluster_is_the_newest_sound_ones(tmp_path: Path) -> None:
    """Where nothing is recorded; damaged and lost ones are passed over."""
    shutil.copytree(goldens.SHIPPED / "v3.0.3" / "backup", tmp_path / "backup")
    repository = Repository(LocalStore(tmp_path), "backup")
    wanted = cluster_of(goldens.SHIPPED / "v3.0.3" / "backup" / "7.snapshot")
    records = Records(repository)
    assert records.newest_cluster_id() == wanted
    assert set(records.cluster_ids()) == {1, 2, 7}
    (tmp_path / "backup" / "7.snapshot").write_bytes(b"damaged")
    (tmp_path / "backup" / "2.snapshot").unlink()
    records = Records(repository)
    assert records.newest_cluster_id() == cluster_of(goldens.SMALL)
    assert set(records.cluster_ids()) == {1}


def test_a_snapshot_was_taken_at_its_epoch_at_least(tmp_path: Path) -> None:
    """Where nothing else is known: its file may have been copied here."""
    repository = goldens.copy_backups(goldens.SHIPPED / "v3.0.3", tmp_path)
    entry = repository.entry(7)
    time = taken_at(entry)
    assert time is not None
    found = Records(repository).taken(entry)
    assert found is not None
    assert (found, found.is_least) == (Taken(time, EPOCH), True)


@pytest.mark.parametrize("made", [True, False])
def test_a_files_time_counts_where_it_was_made_here(tmp_path: Path, *, made: bool) -> None:
    """Only if the ledger says so, and of the very Hummock version."""
    repository = goldens.copy_backups(goldens.SHIPPED / "v3.0.3", tmp_path)
    entry = repository.entry(7)
    version = entry.hummock_version_id + (not made)
    ledger = {"made": [7], "versions": {"7": version}, "last_deleted": 0}
    (tmp_path / "backup" / LEDGER_NAME).write_text(json.dumps(ledger))
    found = Records(repository).taken(entry)
    assert found is not None
    assert (found.by, found.is_least) == ((FILE, False) if made else (EPOCH, True))


def test_a_recorded_time_counts_before_all(store: MemoryStore, snapshot: MetaSnapshot) -> None:
    """Whatever file and epoch say; an idle cluster's epoch stands still."""
    repository = Repository(store, "backup")
    entry = changes.create(repository, snapshot)
    facts = Records(repository).facts(entry)
    assert facts is not None
    record_facts(store, "backup", 1, Facts(facts.checksum, facts.size, taken=NOON))
    assert Records(repository).taken(entry) == Taken(NOON, "clock")


def test_what_is_recorded_travels_with_a_copy(store: MemoryStore, snapshot: MetaSnapshot) -> None:
    """A time that somebody knew; where only its epochs say it, the copy's file does not."""
    source = Repository(store, "backup")
    known = changes.create(source, snapshot)
    facts = Records(source).facts(known)
    assert facts is not None
    for taken, by in ((NOON, "clock"), (None, EPOCH)):
        record_facts(store, "backup", 1, Facts(facts.checksum, facts.size, taken=taken))
        target = Repository(MemoryStore(), "safe")
        copy(source, target, [1])
        found = Records(target).taken(target.entry(1))
        assert (found is None) if taken_at(known) is None and taken is None else found is not None
        if found is not None:
            assert found.by == by
        copied = Records(target).facts(target.entry(1))
        assert copied is not None
        assert (copied.taken, copied.cluster_id) == (taken, cluster_of(goldens.SMALL))


def test_a_copy_of_a_file_made_here_keeps_its_time(tmp_path: Path) -> None:
    """It is recorded as a file's, for the copy's own file is of today."""
    source = goldens.copy_backups(goldens.SHIPPED / "v3.0.3", tmp_path)
    entry = source.entry(7)
    ledger = {"made": [7], "versions": {"7": entry.hummock_version_id}}
    (tmp_path / "backup" / LEDGER_NAME).write_text(json.dumps(ledger))
    before = Records(source).taken(entry)
    target = Repository(MemoryStore(), "safe")
    copy(source, target, [7])
    after = Records(target).taken(target.entry(7))
    assert after is not None
    assert after == before
    assert abs(after.time - datetime.now(UTC)) < timedelta(minutes=10)


def test_a_file_that_cannot_be_recorded_is_a_snapshot(snapshot: MetaSnapshot) -> None:
    """A store that refuses the facts keeps no backup from being made."""

    class Refusing(MemoryStore):
        def put_if_absent(self, path: str, data: bytes) -> str:
            if path.endswith(FACTS_NAME):
                raise StorageError("refused")
            return super().put_if_absent(path, data)

    repository = Repository(Refusing(), "backup")
    entry = changes.create(repository, snapshot)
    assert repository.manifest().ids == (1,)
    assert Records(repository).facts(entry) is None


def test_entries_of_one_id_are_told_apart_by_their_file(
    store: MemoryStore, snapshot: MetaSnapshot
) -> None:
    """The facts are of the file, whatever the entry says besides."""
    repository = Repository(store, "backup")
    entry = replace(changes.create(repository, snapshot), remarks="changed by hand")
    assert Records(repository).facts(entry) is not None
