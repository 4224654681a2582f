"""Which snapshot serves a table at an epoch, by the rule of each release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import goldens
import msgspec
import pytest

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import SnapshotNotFound, UsageError
from metasnapshot.operations.epoch import BackupReader, EpochNotFound
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore

TAG = goldens.SHIPPED / "v3.0.3"
U64_MAX = (1 << 64) - 1
UNIT = 1 << 16
"""Epochs are multiples of it: the bits below are no part of a query's epoch."""
GLOBAL = ("1.7.0", "1.8.2", "1.9.0", "1.9.2", "v1.9.2")
BY_TABLE = ("1.10.0", "1.10.2", "2.0.1", "2.0.7")
COMMITTED = ("2.1.0", "2.8.4", "release-2.8", "3.0.3", "main", "main-2026-08-21")


class CountingStore(LocalStore):
    """Counts how often each object was opened."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: Counter[str] = Counter()

    @contextmanager
    def open_reader(self, path: str) -> Generator[BinaryIO]:
        self.opened[path.rpartition("/")[2]] += 1
        with super().open_reader(path) as file:
            yield file


def _entry(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "hummock_version_id": 1, "ssts": [], "format_version": 2} | fields


def _reader(release: str | None, *entries: dict[str, Any]) -> BackupReader:
    store = MemoryStore()
    manifest = {"manifest_id": 1, "snapshot_metadata": entries}
    store.put_if_absent("backup/manifest.json", msgspec.json.encode(manifest))
    return BackupReader(Repository(store, "backup"), release)


def _served(reader: BackupReader, table: int, epoch: int) -> int | None:
    try:
        return reader.find(table, epoch).id
    except EpochNotFound:
        return None


def _camel(committed: int, safe: int) -> dict[str, str]:
    """As 1.10 to 2.0 write it: zeros are left out."""
    info = {"committedEpoch": str(committed), "safeEpoch": str(safe), "compactionGroupId": "2"}
    return {name: text for name, text in info.items() if text != "0"}


@pytest.mark.parametrize("release", GLOBAL)
def test_up_to_1_9_the_epochs_of_the_whole_cluster_count(release: str) -> None:
    """From the safe to the largest committed epoch, both included, whatever the table."""
    table = {"5": _camel(900 * UNIT, 800 * UNIT)}
    span = {"safe_epoch": 10 * UNIT, "max_committed_epoch": 20 * UNIT}
    reader = _reader(release, _entry(3, state_table_info=table, **span))
    for unit, expected in ((9, None), (10, 3), (15, 3), (20, 3), (21, None), (850, None)):
        for number in (5, 6):
            assert _served(reader, number, unit * UNIT) == expected


@pytest.mark.parametrize("release", BY_TABLE)
def test_from_1_10_to_2_0_the_tables_epochs_count(release: str) -> None:
    """From its safe to its committed epoch; the cluster's count only if no table is known."""
    tables = {"5": _camel(20 * UNIT, 10 * UNIT), "6": _camel(20 * UNIT, 0)}
    span = {"safe_epoch": 100 * UNIT, "max_committed_epoch": 200 * UNIT}
    reader = _reader(release, _entry(3, state_table_info=tables, **span), _entry(4, **span))
    for unit, expected in ((9, None), (10, 3), (20, 3), (21, None), (99, None), (100, 4)):
        assert _served(reader, 5, unit * UNIT) == expected
    assert (_served(reader, 6, 0), _served(reader, 6, 20 * UNIT)) == (3, 3)
    assert (_served(reader, 7, 15 * UNIT), _served(reader, 7, 150 * UNIT)) == (None, 4)


@pytest.mark.parametrize("release", COMMITTED)
def test_since_2_1_the_committed_epoch_must_be_equal(release: str) -> None:
    """Of the table itself; the epochs of the cluster count no more."""
    info = {"committed_epoch": 20 * UNIT, "compaction_group_id": 2}
    span = {"safe_epoch": 1, "max_committed_epoch": 900 * UNIT}
    reader = _reader(release, _entry(2, **span), _entry(3, state_table_info={"5": info}, **span))
    for unit, expected in ((19, None), (20, 3), (21, None)):
        assert _served(reader, 5, unit * UNIT) == expected
    assert _served(reader, 6, 20 * UNIT) is None


@pytest.mark.parametrize("release", [GLOBAL[-1], BY_TABLE[-1], COMMITTED[-1]])
def test_the_first_of_the_manifest_is_taken(release: str) -> None:
    """In the manifest's order, not by id."""
    info = {"5": {"committed_epoch": 20 * UNIT, "compaction_group_id": 2}}
    span = {"safe_epoch": 10 * UNIT, "max_committed_epoch": 20 * UNIT}
    entries = [_entry(number, state_table_info=info, **span) for number in (9, 2, 7)]
    assert _served(_reader(release, *entries), 5, 20 * UNIT) == 9


@pytest.mark.parametrize("release", [GLOBAL[-1], BY_TABLE[-1], COMMITTED[-1]])
def test_the_low_bits_of_an_epoch_do_not_count(release: str) -> None:
    """They are a key's spill offset."""
    info = {"5": {"committed_epoch": 20 * UNIT, "compaction_group_id": 2, "safe_epoch": 0}}
    span = {"safe_epoch": 0, "max_committed_epoch": 20 * UNIT}
    reader = _reader(release, _entry(1, state_table_info=info, **span))
    for low in (0, 1, UNIT - 1):
        assert _served(reader, 5, 20 * UNIT + low) == 1
    assert _served(reader, 5, 21 * UNIT) is None


@pytest.mark.parametrize("release", [GLOBAL[0], BY_TABLE[0], COMMITTED[0], COMMITTED[-1]])
def test_upstreams_words_for_an_epoch_that_nobody_has(release: str, tmp_path: Path) -> None:
    """Its own shell test looks for this line; the error is exit code 12, with what there is."""
    backups = goldens.copy_backups(TAG, tmp_path)
    with pytest.raises(EpochNotFound) as caught:
        BackupReader(backups, release).find(10, U64_MAX)
    assert str(caught.value) == "backup include epoch 18446744073709486080 not found"
    assert (caught.value.exit_code, caught.value.epoch, caught.value.table_id) == (
        12,
        U64_MAX - UNIT + 1,
        10,
    )


def test_the_hint_says_what_there_is(tmp_path: Path) -> None:
    """Each committed epoch of the table once, or that no snapshot has it."""
    backups = goldens.copy_backups(TAG, tmp_path)
    info = backups.entry(7).state_table_info
    table = min(info)
    for number, expected in (
        (table, f"table {table} is served at {info[table].committed_epoch}"),
        (4_000_000, "no snapshot has table 4000000; of a cluster before 2.1, give --release"),
    ):
        with pytest.raises(EpochNotFound) as caught:
            BackupReader(backups, "3.0.3").find(number, 1)
        assert caught.value.hint == expected


@pytest.mark.parametrize("tag", goldens.TAGS, ids=goldens.name)
def test_golden_manifests_serve_their_committed_epochs(tag: Path) -> None:
    """For each table the first snapshot that has its epoch is found, once epochs are such as real
    clusters have: the test data's are no multiples of 65536."""
    manifest = msgspec.json.decode((tag / "backup" / "manifest.json").read_bytes())
    first: dict[tuple[int, int], int] = {}
    for entry in manifest["snapshot_metadata"]:
        for table, info in entry["state_table_info"].items():
            info["committed_epoch"] &= ~(UNIT - 1)
            first.setdefault((int(table), info["committed_epoch"]), entry["id"])
    reader = _reader(tag.name.removeprefix("v"), *manifest["snapshot_metadata"])
    assert len(first) >= 5
    assert {key: _served(reader, *key) for key in first} == first


@pytest.mark.parametrize("release", ["", "3", "3.0", "latest", "3.0.3-alpha", "v"])
def test_no_release(release: str) -> None:
    """What is no release has no rule."""
    with pytest.raises(UsageError, match="not a release"):
        _reader(release)


def test_a_version_is_read_once(tmp_path: Path) -> None:
    """However often it is asked for; each snapshot's is its own."""
    goldens.copy_backups(TAG, tmp_path)
    store = CountingStore(tmp_path)
    reader = BackupReader(Repository(store, "backup"), "3.0.3")
    store.opened.clear()
    assert [reader.version(7).id for _ in range(3)] == [105, 105, 105]
    assert reader.version(1).id != 105
    assert reader.version(7) is reader.version(7)
    assert store.opened == {"7.snapshot": 1, "1.snapshot": 1}
    with pytest.raises(SnapshotNotFound):
        reader.version(3)


def test_a_refresh_follows_greater_ids_only(tmp_path: Path) -> None:
    """The manifest is read again when the meta node tells a greater id, not before."""
    goldens.copy_backups(TAG, tmp_path)
    store = CountingStore(tmp_path)
    mine = Repository(store, "backup")
    reader, known = BackupReader(mine, "3.0.3"), mine.manifest()
    reader.version(7)
    reader.version(2)
    changes.delete(Repository(LocalStore(tmp_path), "backup"), [7])
    store.opened.clear()
    for manifest_id in (0, known.manifest_id - 1, known.manifest_id):
        reader.refresh(manifest_id)
        assert (mine.manifest(), store.opened["manifest.json"]) == (known, 0)
    reader.refresh(known.manifest_id + 1)
    assert mine.manifest().ids == (1, 2)
    assert store.opened == {"manifest.json": 1}


def test_the_version_of_a_deleted_snapshot_is_forgotten(tmp_path: Path) -> None:
    """After the refresh; the others stay."""
    goldens.copy_backups(TAG, tmp_path)
    store = CountingStore(tmp_path)
    mine = Repository(store, "backup")
    reader = BackupReader(mine, "3.0.3")
    reader.version(7)
    kept = reader.version(2)
    changes.delete(Repository(LocalStore(tmp_path), "backup"), [7])
    assert reader.version(7).id == 105  # nobody told of it yet
    reader.refresh(mine.manifest().manifest_id + 1)
    with pytest.raises(SnapshotNotFound):
        reader.version(7)
    store.opened.clear()
    assert reader.version(2) is kept
    assert store.opened == {}


def test_an_older_manifest_is_not_taken(tmp_path: Path) -> None:
    """A store that shows an old state for a while does not take snapshots away."""
    goldens.copy_backups(TAG, tmp_path)
    mine = Repository(LocalStore(tmp_path), "backup")
    reader, known = BackupReader(mine, "3.0.3"), mine.manifest()
    path = tmp_path / "backup" / "manifest.json"
    path.write_bytes(b'{"manifest_id":0,"snapshot_metadata":[]}')
    reader.refresh(known.manifest_id + 1)
    assert mine.manifest() == known


SPAN = {"safe_epoch": 10 * UNIT, "max_committed_epoch": 20 * UNIT}


@pytest.mark.parametrize(
    ("version", "served"),
    [
        ("1.7.0", (10, 15, 20)),
        ("1.9.2", (10, 15, 20)),
        ("1.10.0", (800, 850, 900)),
        ("1.10.2", (800, 850, 900)),
        ("2.0.1", (800, 850, 900)),
        ("v2.0.7", (800, 850, 900)),
        ("2.1.0", (900,)),
        ("3.0.3", (900,)),
        ("main-2026-08-21", (900,)),
        (None, (800, 850, 900)),
        ("", (800, 850, 900)),
        ("1.10", (800, 850, 900)),
        ("my own build", (800, 850, 900)),
    ],
)
def test_an_entrys_release_is_its_rule(version: str | None, served: tuple[int, ...]) -> None:
    """Where no release is given; an entry that names none that is known shows it by its form."""
    table = {"5": _camel(900 * UNIT, 800 * UNIT)}
    reader = _reader(None, _entry(3, rw_version=version, state_table_info=table, **SPAN))
    units = (9, 10, 15, 20, 21, 799, 800, 850, 900, 901)
    assert tuple(unit for unit in units if _served(reader, 5, unit * UNIT)) == served


def test_an_entry_without_epochs_of_the_cluster_is_of_a_new_release() -> None:
    """Only what a table committed last is served."""
    table = {"5": _camel(900 * UNIT, 800 * UNIT)}
    reader = _reader(None, _entry(3, state_table_info=table))
    assert [_served(reader, 5, unit * UNIT) for unit in (800, 850, 900)] == [None, None, 3]


def test_each_entry_has_its_own_rule() -> None:
    """A cluster that was upgraded has entries of both; the first of the manifest that serves it."""
    table = {"5": _camel(900 * UNIT, 800 * UNIT)}
    old = _entry(3, rw_version="2.0.7", state_table_info=table, **SPAN)
    new = _entry(4, rw_version="3.0.3", state_table_info={"5": _camel(950 * UNIT, 0)})
    reader = _reader(None, old, new)
    assert [_served(reader, 5, unit * UNIT) for unit in (850, 949, 950)] == [3, None, 4]
