"""Snapshots that are kept as deltas: they are listed and read like others, older releases are kept
from harm, and damage is named.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from goldens import SHIPPED
from made_deltas import signed

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.bases import heirs_of, lost_bases
from metasnapshot.catalogue.delta_changes import create_delta, delta_bytes
from metasnapshot.catalogue.delta_entry import DeltaEntry
from metasnapshot.catalogue.ledger import change_ledger, read_ledger
from metasnapshot.catalogue.manifest import Manifest, ManifestEntry, parse, render
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import (
    ChecksumMismatch,
    ConflictError,
    DamageError,
    RetentionLocked,
    SnapshotNotFound,
    UnknownFormat,
)
from metasnapshot.format.delta import Opened
from metasnapshot.format.delta_header import decode_head
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.operations.check import check
from metasnapshot.operations.delete import delete, keep
from metasnapshot.operations.gc import collect, look
from metasnapshot.store.local import LocalStore

GOLDEN = SHIPPED / "v3.0.3" / "backup"
BASE, HEIR = 2, 7
CLUSTER = "17698a74-9c3a-4cb8-b2e7-4c0354e00992"


def entry_of(number: int) -> ManifestEntry:
    """What RisingWave's own manifest says of it."""
    entries = parse((GOLDEN / "manifest.json").read_bytes()).entries
    return next(entry for entry in entries if entry.id == number)


def write_heir(repository: Repository) -> None:
    """Write snapshot 7 as a delta of snapshot 2."""
    with (GOLDEN / f"{HEIR}.snapshot").open("rb") as file:
        heir = Opened(SnapshotReader(file), file)
        entry = entry_of(HEIR)
        data = delta_bytes(repository, BASE, heir, entry, cluster_id=CLUSTER)
    assert data is not None
    create_delta(repository, HEIR, BASE, data)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with snapshot 2 in its manifest."""
    shutil.copyfile(GOLDEN / f"{BASE}.snapshot", tmp_path / f"{BASE}.snapshot")
    (tmp_path / "manifest.json").write_bytes(render(Manifest(1, (entry_of(BASE),))))
    return tmp_path


@pytest.fixture
def repository(directory: Path) -> Repository:
    """The same, with snapshot 7 as a delta."""
    found = Repository(LocalStore(directory), "")
    write_heir(found)
    return Repository(LocalStore(directory), "")


def test_a_delta_is_a_snapshot_that_the_manifest_does_not_name(
    repository: Repository, directory: Path
) -> None:
    """It stands among the entries, not in manifest.json."""
    assert repository.ids == (BASE, HEIR)
    assert repository.manifest().ids == (BASE,)
    assert b'"id":7' not in (directory / "manifest.json").read_bytes()
    assert {"2.snapshot", "7.delta"} == {p.name for p in directory.glob("?.*") if p.is_file()}


def test_its_entry_says_what_a_manifest_would(repository: Repository) -> None:
    """Everything that an entry says is there, the tables and the objects too."""
    found, wanted = repository.entry(HEIR), entry_of(HEIR)
    assert isinstance(found, DeltaEntry)
    assert sorted(wanted.ssts) == list(found.ssts) == found.id_array.tolist()
    assert wanted.state_table_info == dict(found.state_table_info)
    assert len(wanted.state_table_info) == len(found.state_table_info)
    names = ("hummock_version_id", "format_version", "remarks", "rw_version", "newest_epoch")
    for name in names:
        assert getattr(wanted, name) == getattr(found, name), name


def test_it_is_opened_byte_for_byte(repository: Repository) -> None:
    """Reader and stream give the snapshot's own file."""
    plain = (GOLDEN / "7.snapshot").read_bytes()
    with repository.get_stream(HEIR) as file:
        assert plain == file.read()
    with repository.open(HEIR) as reader:
        assert int.from_bytes(plain[-8:], "little") == reader.checksum
        assert reader.id == HEIR


def test_what_is_recorded_of_it_is_in_its_header(repository: Repository) -> None:
    """Cluster, layout and size of the file are known without a rebuilding."""
    facts = Records(repository).facts(repository.entry(HEIR))
    assert facts is not None
    assert (CLUSTER, (GOLDEN / "7.snapshot").stat().st_size) == (facts.cluster_id, facts.size)


def test_an_id_that_is_nowhere_is_not_found(repository: Repository) -> None:
    """The error names those that are there, deltas too."""
    with pytest.raises(SnapshotNotFound) as found:
        repository.entry(6)
    assert found.value.known == (BASE, HEIR)


def test_ids_go_on_behind_deltas(repository: Repository) -> None:
    """No id of a delta is given again, by this release or by an older one, which looks at
    last_deleted.
    """
    assert changes.next_id(repository, 1) == HEIR + 1
    assert read_ledger(repository.store, "").last_deleted == HEIR


def test_last_deleted_is_raised_before_the_delta_is_there(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sees the delta's file finds its id taken."""
    store = LocalStore(directory)
    seen: list[tuple[int, list[int]]] = []
    opened = store.open_writer

    def watched(path: str) -> object:
        if path.endswith(".delta"):
            ledger = read_ledger(store, "")
            seen.append((ledger.last_deleted, ledger.kept))
        return opened(path)

    monkeypatch.setattr(store, "open_writer", watched)
    write_heir(Repository(store, ""))
    assert seen == [(HEIR, [BASE])]


def test_a_base_is_kept_for_older_releases_and_not_for_the_operator(
    repository: Repository,
) -> None:
    """0.1.0 reads the ledger's `kept`; this release tells our mark from the operator's."""
    assert read_ledger(repository.store, "").kept == [BASE]
    assert Records(repository).kept == set()


def test_the_operators_mark_stays_apart(repository: Repository) -> None:
    """keep makes the mark the operator's, release gives it back to us: the base stays marked."""
    assert keep(repository, [BASE]) == [BASE]
    assert Records(repository).kept == {BASE}
    assert keep(repository, [BASE], release=True) == []
    assert Records(repository).kept == set()
    assert read_ledger(repository.store, "").kept == [BASE]


def test_the_last_heir_lets_go_of_its_base(repository: Repository, directory: Path) -> None:
    """A deleted delta takes our mark with it, and nothing else."""
    delete(repository, [HEIR])
    assert not (directory / "7.delta").exists()
    assert read_ledger(repository.store, "").kept == []
    assert repository.ids == (BASE,)
    assert changes.next_id(repository, 1) == HEIR + 1


def test_the_operators_mark_outlives_the_heirs(repository: Repository) -> None:
    """What the operator marked is kept when the deltas are gone."""
    keep(repository, [BASE])
    delete(repository, [HEIR])
    assert read_ledger(repository.store, "").kept == [BASE]


def test_a_kept_delta_is_not_deleted(repository: Repository, directory: Path) -> None:
    """keep works for deltas as for others."""
    assert keep(repository, [HEIR]) == [HEIR]
    with pytest.raises(RetentionLocked):
        delete(repository, [HEIR])
    assert (directory / "7.delta").exists()


def test_a_base_that_is_gone_is_red_at_once(repository: Repository, directory: Path) -> None:
    """check names the damage and which snapshots are lost; opening one names both files."""
    (directory / "2.snapshot").unlink()
    problems = check(repository, None, 1).problems
    assert any("the base 2 is gone; lost: snapshot 7" in text for text in problems)
    with pytest.raises(DamageError, match=r"7\.delta is a delta of snapshot 2, and 2\.snapshot"):
        repository.open(HEIR).__enter__()


def test_a_base_of_other_bytes_is_red_at_once(repository: Repository, directory: Path) -> None:
    """Another snapshot under the base's id is not taken for it."""
    shutil.copyfile(GOLDEN / "1.snapshot", directory / "2.snapshot")
    assert lost_bases(repository)[0][1] == "the base 2 is another one now; lost: snapshot 7"
    with pytest.raises(DamageError, match="was made of snapshot 2"):
        repository.open(HEIR).__enter__()


def test_a_base_that_is_damaged_inside_is_found(repository: Repository, directory: Path) -> None:
    """A flipped byte between its ends shows in what is rebuilt, and both files are named."""
    data = bytearray((directory / "2.snapshot").read_bytes())
    data[9000] ^= 1
    (directory / "2.snapshot").write_bytes(data)
    with pytest.raises(ChecksumMismatch, match=r"7\.delta on 2\.snapshot"):
        repository.open(HEIR).__enter__()


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("size", [0, 4, 40, 2000, -1])
def test_a_cut_delta_harms_no_other(directory: Path, size: int) -> None:
    """It stays listed, opening it is damage, and the others are as good as ever."""
    data = (directory / "7.delta").read_bytes()
    (directory / "7.delta").write_bytes(data[:size])
    again = Repository(LocalStore(directory), "")
    assert again.ids == (BASE, HEIR)
    with pytest.raises(DamageError, match=r"7\.delta"):
        again.open(HEIR).__enter__()
    with again.open(BASE) as reader:
        assert reader.id == BASE
    again.entry(HEIR).id_array  # noqa: B018 - an entry that says nothing says so without an error


@pytest.mark.usefixtures("repository")
def test_a_delta_of_a_later_release_is_refused(directory: Path) -> None:
    """Exit 14, not damage; and check tells of it."""
    data = bytearray((directory / "7.delta").read_bytes())
    data[8] = 2
    (directory / "7.delta").write_bytes(data)
    again = Repository(LocalStore(directory), "")
    with pytest.raises(UnknownFormat):
        again.open(HEIR).__enter__()
    assert lost_bases(again)


@pytest.mark.usefixtures("repository")
def test_a_delta_under_another_name_is_damage(directory: Path) -> None:
    """The id in its header is the one in its name."""
    (directory / "7.delta").rename(directory / "8.delta")
    with pytest.raises(DamageError, match=r"8\.delta is damaged: it is of snapshot 7"):
        Repository(LocalStore(directory), "").open(8).__enter__()


@pytest.mark.usefixtures("repository")
def test_a_delta_that_rebuilds_another_file_is_damage(directory: Path) -> None:
    """What comes back is held to the hash in the header, whatever its own end says."""
    data = (directory / "7.delta").read_bytes()
    (directory / "7.delta").write_bytes(signed(data, checksum="0123456789abcdef"))
    with pytest.raises(DamageError, match="does not come back"):
        Repository(LocalStore(directory), "").open(HEIR).__enter__()


def test_a_delta_of_another_id_inside_is_damage(repository: Repository, directory: Path) -> None:
    """Name, header and the file that comes back have one id."""
    data = (directory / "7.delta").read_bytes()
    (directory / "8.delta").write_bytes(signed(data, snapshot_id=8))
    with pytest.raises(DamageError, match=r"8\.delta on 2\.snapshot makes a file that holds id 7"):
        Repository(repository.store, "").open(8).__enter__()


def test_what_does_not_read_back_is_taken_away(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base that goes while its delta is written leaves no delta behind."""
    store = LocalStore(directory)
    opened = store.open_writer

    def without_base(path: str) -> object:
        if path.endswith(".delta"):
            (directory / "2.snapshot").unlink()
        return opened(path)

    monkeypatch.setattr(store, "open_writer", without_base)
    with pytest.raises(DamageError, match="is gone"):
        write_heir(Repository(store, ""))
    assert not (directory / "7.delta").exists()


def test_a_base_that_is_let_go_meanwhile_is_no_base(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who deletes the base takes the mark away first; then no delta of it is left behind."""
    store = LocalStore(directory)
    opened = store.open_writer

    def unmarked(path: str) -> object:
        if path.endswith(".delta"):
            change_ledger(store, "", lambda ledger: ledger.kept.clear())
        return opened(path)

    monkeypatch.setattr(store, "open_writer", unmarked)
    with pytest.raises(ConflictError, match="being deleted"):
        write_heir(Repository(store, ""))
    assert not (directory / "7.delta").exists()


def test_a_delta_is_only_ever_created(repository: Repository) -> None:
    """A second one of its id is refused."""
    with pytest.raises(ConflictError):
        write_heir(repository)
    with repository.open(HEIR) as reader:
        assert reader.id == HEIR


def test_the_manifest_comes_before_a_delta(repository: Repository, directory: Path) -> None:
    """Where a plain file and a delta have one id, the plain file counts; gc takes the delta only if
    the two are one snapshot.
    """
    shutil.copyfile(GOLDEN / "7.snapshot", directory / "7.snapshot")
    changes.enter(repository, entry_of(HEIR))
    again = Repository(LocalStore(directory), "")
    assert again.ids == (BASE, HEIR)
    assert not isinstance(again.entry(HEIR), DeltaEntry)
    assert heirs_of(again) == {}
    gone = collect(again, look(again, timedelta(seconds=-5)))
    assert [stray.path for stray in gone] == ["7.delta"]


@pytest.mark.usefixtures("repository")
def test_headers_are_readable_alone(directory: Path) -> None:
    """The first bytes of a delta are all that a list needs."""
    header = decode_head("7.delta", (directory / "7.delta").read_bytes()[: 1 << 13])
    assert (header.base_id, header.snapshot_id) == (BASE, HEIR)
