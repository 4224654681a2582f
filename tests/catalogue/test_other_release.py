"""0.1.0 and this release in one backup directory, in turn."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import goldens
import pytest
from exhaustive import WHOLE
from object_world import ObjectWorld
from ran import Ran
from releases import FIRST, OtherRelease, build

from metasnapshot.catalogue.facts import FACTS_NAME, read_facts
from metasnapshot.catalogue.ledger import LEDGER_NAME
from metasnapshot.catalogue.records import CLOCK, FILE, Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.cli.app import main
from metasnapshot.store.local import LocalStore

TAG = goldens.SHIPPED / "v3.0.3"
ROUNDS = 2 if WHOLE else 1
THERE = ("--backup-storage-url", "fs://backups")
BACKUP = ("backup", "--meta-store", "sqlite:///meta.db", *THERE, "--meta-node-stopped")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> OtherRelease:
    return build(FIRST, tmp_path_factory.mktemp("first"))


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: meta.db and its state store."""
    monkeypatch.chdir(tmp_path)
    goldens.copy_store(TAG, tmp_path / "meta.db")
    goldens.write_state(TAG, tmp_path / "state")
    with sqlite3.connect("meta.db") as connection:
        connection.execute(
            "UPDATE system_parameter SET value = 'hummock+fs://state' WHERE name = 'state_store'"
        )
    connection.close()
    return tmp_path


class This:
    """This release, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def run(self, *arguments: str) -> Ran:
        self._capsys.readouterr()
        code = main(list(arguments))
        captured = self._capsys.readouterr()
        return Ran(code, captured.out, captured.err)


@pytest.fixture
def this(capsys: pytest.CaptureFixture[str]) -> This:
    return This(capsys)


def good(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


def opened() -> tuple[Repository, Records]:
    repository = Repository(LocalStore(Path("backups")), "backup")
    return repository, Records(repository)


def directory() -> str:
    (place,) = {path.parent for path in Path("backups").rglob("manifest.json")}
    return str(place.relative_to("backups"))


@pytest.mark.long
def test_one_after_the_other(first: OtherRelease, this: This) -> None:
    """Each backs up, lists, verifies, keeps and checks what the other made."""
    ids: list[int] = []
    for release in (first, this) * ROUNDS:
        ids.append(good(release.run(*BACKUP, "--json")).json["snapshot"]["id"])
        good(release.run("verify", *THERE, "--level", "file"))
        good(release.run("check", *THERE, "--min-count", str(len(ids))))
    for release in (first, this):
        good(release.run("keep", str(ids[0]), *THERE))
        found = good(release.run("list", *THERE, "--json")).json["snapshots"]
        assert [item["id"] for item in found] == ids
        assert [item["id"] for item in found if item["verified"]] == ids
        assert [item["id"] for item in found if item["kept"]] == [ids[0]]
    repository = Repository(LocalStore(Path("backups")), directory())
    records = Records(repository)
    times = [records.taken(entry) for entry in repository.manifest().entries]
    assert [found.by for found in times if found] == [FILE, CLOCK] * ROUNDS
    assert len(set(records.cluster_ids().values())) == 1


@pytest.mark.long
def test_the_first_release_leaves_the_facts_alone(first: OtherRelease, this: This) -> None:
    """Its gc names them as foreign and deletes nothing of them, nor does its rebuild touch them;
    its ledger keeps the form that it knows."""
    number = good(this.run(*BACKUP, "--json")).json["snapshot"]["id"]
    path = Path("backups", directory(), FACTS_NAME)
    before = path.read_bytes()
    found = good(first.run("gc", *THERE, "--grace", "0s", "--commit", "--json")).json
    kinds = {item["kind"] for item in found["found"] if item["path"].endswith(FACTS_NAME)}
    assert (kinds, found["deleted"]) == ({"foreign"}, [])
    good(first.run("rebuild-manifest", *THERE, "--commit"))
    good(first.run("check", *THERE))
    assert path.read_bytes() == before
    ledger = Path("backups", directory(), LEDGER_NAME).read_text()
    assert "cluster" not in ledger
    strays = good(this.run("gc", *THERE, "--grace", "0s", "--json")).json["found"]
    assert strays == []
    repository = Repository(LocalStore(Path("backups")), directory())
    assert Records(repository).facts(repository.entry(number)) is not None


@pytest.mark.long
def test_what_the_first_release_deletes_stays_deleted(first: OtherRelease, this: This) -> None:
    """Its delete leaves facts, which nothing of the next snapshot takes over; ids go on."""
    one = good(this.run(*BACKUP, "--json")).json["snapshot"]["id"]
    good(first.run("delete", str(one), *THERE, "--yes"))
    place = directory()
    store = LocalStore(Path("backups"))
    assert set(read_facts(store, place)) == {one}
    two = good(first.run(*BACKUP, "--json")).json["snapshot"]["id"]
    three = good(this.run(*BACKUP, "--json")).json["snapshot"]["id"]
    assert one < two < three
    repository = Repository(store, place)
    assert repository.manifest().ids == (two, three)
    good(this.run("delete", str(three), *THERE, "--yes"))
    assert set(read_facts(store, place)) == {one}
    good(first.run("check", *THERE))
    good(this.run("check", *THERE))


def test_an_expiry_by_the_first_release(first: OtherRelease, this: This) -> None:
    """It deletes what it judges by epochs, and this one goes on from there."""
    ids = [good(this.run(*BACKUP, "--json")).json["snapshot"]["id"] for _ in range(3)]
    good(first.run("expire", *THERE, "--keep-last", "2", "--commit"))
    good(this.run("expire", *THERE, "--keep-last", "1", "--commit"))
    repository = Repository(LocalStore(Path("backups")), directory())
    assert repository.manifest().ids == (ids[-1],)
    assert set(read_facts(repository.store, repository.directory)) == {ids[0], ids[-1]}
    good(first.run("verify", *THERE, "--level", "refs"))


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectWorld:
    """A cluster with objects, in a working directory of its own."""
    world = ObjectWorld(tmp_path / "full")
    monkeypatch.chdir(world.path)
    return world


def completeness(this: This) -> dict[int, str]:
    found = good(this.run("list", *THERE, "--json")).json["snapshots"]
    return {item["id"]: item["completeness"] for item in found}


@pytest.mark.long
def test_the_first_release_between_full_backups(
    first: OtherRelease, this: This, full: ObjectWorld
) -> None:
    """Its delete, expire, gc and rebuild take nothing that a full backup needs: what it left is
    full, what it deleted leaves an orphan, and the next full backup copies nothing again.
    """
    number = [good(this.run(*BACKUP, "--with-objects", "--json")).json["snapshot"]["id"]]
    number.append(good(first.run(*BACKUP, "--json")).json["snapshot"]["id"])
    number.append(good(this.run(*BACKUP, "--with-objects", "--json")).json["snapshot"]["id"])
    good(first.run("gc", *THERE, "--grace", "0s", "--commit"))
    good(first.run("delete", str(number[0]), *THERE, "--yes"))
    good(first.run("expire", *THERE, "--keep-last", "1", "--commit"))
    good(first.run("gc", *THERE, "--grace", "0s", "--commit"))
    good(first.run("rebuild-manifest", *THERE, "--commit"))
    assert completeness(this) == {number[2]: "full"}
    (orphan,) = good(this.run("gc", *THERE, "--grace", "0s", "--json")).json["found"]
    assert (orphan["kind"], orphan["path"].endswith(f"/{number[0]}.full")) == ("orphan", True)
    content = ("--content", "hashes", "--in", "area")
    good(this.run("verify", "latest", *THERE, *content))
    last = good(this.run(*BACKUP, "--with-objects", "--json")).json
    assert (last["objects"]["copied"], last["objects"]["reused"]) == (0, len(full.needed))
    assert last["snapshot"]["id"] > number[2]


@pytest.mark.long
def test_a_manifest_that_somebody_overwrote(
    first: OtherRelease, this: This, full: ObjectWorld
) -> None:
    """A meta node that writes its manifest from memory loses the entry, and no more: the objects
    stay, check says it, and after rebuild-manifest by either release the snapshot is full.
    """
    one = good(first.run(*BACKUP, "--json")).json["snapshot"]["id"]
    manifest = Path("backups", directory(), "manifest.json")
    before = manifest.read_bytes()
    two = good(this.run(*BACKUP, "--with-objects", "--json")).json["snapshot"]["id"]
    manifest.write_bytes(before)
    found = this.run("check", *THERE)
    assert (found.code, f"snapshot {two} is full" in found.err) == (5, True)
    three = good(this.run(*BACKUP, "--with-objects", "--json")).json
    assert (three["objects"]["copied"], len(full.needed)) == (0, three["objects"]["reused"])
    good(first.run("rebuild-manifest", *THERE, "--commit"))
    assert completeness(this) == {one: "partial", two: "full", three["snapshot"]["id"]: "full"}


@pytest.mark.long
def test_the_notes_of_content_do_not_disturb(
    first: OtherRelease, this: This, full: ObjectWorld
) -> None:
    """The first release reads a ledger with notes of content, and forgets them when it writes."""
    number = good(this.run(*BACKUP, "--with-objects", "--json")).json["snapshot"]["id"]
    good(this.run("verify", "latest", *THERE, "--content", "hashes"))
    found = good(first.run("list", *THERE, "--json")).json["snapshots"]
    assert [item["verified"]["level"] for item in found] == ["rows"]
    good(first.run("keep", str(number), *THERE))
    skipped = ("--if-older-than", "1d", "--json")
    plain = good(this.run("verify", "latest", *THERE, *skipped)).json["snapshots"]
    read = good(this.run("verify", "latest", *THERE, *skipped, "--content", "hashes")).json
    assert [item["skipped"] for item in (*plain, *read["snapshots"])] == [True, False]
    assert read["snapshots"][0]["content"]["objects"] == len(full.needed)


def test_deltas_beside_the_first_release(first: OtherRelease, this: This) -> None:
    """It does not see them, gives none of their ids again, refuses to delete their base (16),
    leaves their files alone, and reads what was materialised.
    """
    as_delta = (*BACKUP, "--as-delta", "--json")
    base, *heirs = [good(this.run(*as_delta)).json["snapshot"]["id"] for _ in range(3)]
    before = {path.name: path.read_bytes() for path in Path("backups", directory()).glob("*.delta")}
    found = good(first.run("list", *THERE, "--json")).json["snapshots"]
    assert [(item["id"], item["kept"]) for item in found] == [(base, True)]
    refused = first.run("delete", str(base), *THERE, "--yes")
    assert refused.code == 16
    good(first.run("gc", *THERE, "--grace", "0s", "--commit"))
    good(first.run("rebuild-manifest", *THERE, "--commit"))
    assert before == {
        path.name: path.read_bytes() for path in Path("backups", directory()).glob("*.delta")
    }
    good(this.run("verify", *THERE))
    newer = good(first.run(*BACKUP, "--json")).json["snapshot"]["id"]
    assert newer > max(heirs)
    good(this.run("copy", str(heirs[0]), *THERE, "--to", "fs://other", "--materialise"))
    good(first.run("verify", "--backup-storage-url", "fs://other", "--level", "refs"))
    good(this.run("delete", str(base), *THERE, "--yes"))
    good(first.run("check", *THERE))
    good(this.run("verify", *THERE))
