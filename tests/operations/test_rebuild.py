"""rebuild-manifest: a manifest out of the files, whatever became of the one that was there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import goldens
import msgspec
import pytest

import metasnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue import manifest as manifests
from metasnapshot.catalogue.manifest_file import PREVIOUS_NAME
from metasnapshot.catalogue.rebuilder import Rebuilder
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError
from metasnapshot.format.layout import HUMMOCK_VERSION, section_names
from metasnapshot.format.writer import SnapshotWriter
from metasnapshot.operations.rebuild import Rebuilt, rebuild, write
from metasnapshot.store.local import LocalStore
from metasnapshot_models.layouts import LAYOUTS, RELEASES
from metasnapshot_models.models import SerdeSeaqlMigration

TAG = goldens.SHIPPED / "v3.0.3"
WITH_BACKUPS = sorted(path.parents[1] for path in goldens.SHIPPED.glob("*/backup/manifest.json"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    goldens.copy_backups(TAG, tmp_path)
    return tmp_path / "backup"


def rebuilder(root: Path) -> Rebuilder:
    return Rebuilder(LocalStore(root.parent), root.name)


def looked(root: Path) -> Rebuilt:
    return rebuild(rebuilder(root))


def done(root: Path) -> Rebuilt:
    """Rebuild and write."""
    repository = rebuilder(root)
    found = rebuild(repository)
    write(repository, found)
    return found


def document(root: Path) -> dict[str, Any]:
    return msgspec.json.decode((root / "manifest.json").read_bytes())


def edit(root: Path, number: int, **fields: Any) -> None:
    """Change what an entry says."""
    manifest = document(root)
    next(item for item in manifest["snapshot_metadata"] if item["id"] == number).update(fields)
    (root / "manifest.json").write_bytes(msgspec.json.encode(manifest))


def files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir()}


def raws(data: bytes) -> dict[int, bytes]:
    """Each entry's bytes."""
    return {entry.id: entry.raw for entry in manifests.parse(data).entries}


@pytest.mark.parametrize("tag", WITH_BACKUPS, ids=goldens.name)
def test_a_manifest_of_risingwave_says_it_all(tag: Path, tmp_path: Path) -> None:
    """Of every release: nothing is added, changed or dropped, and each entry keeps its bytes."""
    goldens.copy_backups(tag, tmp_path)
    before = files(tmp_path / "backup")
    found = looked(tmp_path / "backup")
    assert (found.is_same, found.added, found.changed, found.dropped) == (True, (), (), ())
    assert found.damaged == {}
    known = manifests.parse(before["manifest.json"])
    assert [entry.raw for entry in found.manifest.entries] == [item.raw for item in known.entries]
    assert found.manifest.manifest_id == known.manifest_id + 1
    assert files(tmp_path / "backup") == before


@pytest.mark.parametrize("tag", WITH_BACKUPS, ids=goldens.name)
def test_a_lost_manifest_comes_back(tag: Path, tmp_path: Path) -> None:
    """All that RisingWave had written, in its own dialect, but remarks; a release if it is sure."""
    root = tmp_path / "backup"
    goldens.copy_backups(tag, tmp_path)
    before = document(root)
    (root / "manifest.json").unlink()
    found = done(root)
    assert (found.added, found.changed, found.dropped) == ((1, 2, 7), (), ())
    after = document(root)
    assert [item["id"] for item in after["snapshot_metadata"]] == [1, 2, 7]
    for old, new in zip(before["snapshot_metadata"], after["snapshot_metadata"], strict=True):
        assert new["remarks"] is None
        old["ssts"], new["ssts"] = sorted(old["ssts"]), sorted(new["ssts"])
        assert new | {"remarks": "", "rw_version": ""} == old | {"remarks": "", "rw_version": ""}
    assert Repository(LocalStore(tmp_path), "backup").manifest().ids == (1, 2, 7)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\x00", b'{"manifest_id":3}', b"[]"])
def test_a_damaged_manifest_is_replaced(root: Path, data: bytes) -> None:
    """And kept as the previous one, for whoever wants to look."""
    (root / "manifest.json").write_bytes(data)
    found = done(root)
    assert (found.added, found.damaged) == ((1, 2, 7), {})
    assert (root / PREVIOUS_NAME).read_bytes() == data
    assert Repository(LocalStore(root.parent), "backup").manifest().ids == (1, 2, 7)


EDITS: list[tuple[dict[str, Any], str]] = [
    ({"hummock_version_id": 99}, "hummock_version_id"),
    ({"ssts": [1, 2, 3]}, "ssts"),
    ({"ssts": []}, "ssts"),
    ({"format_version": 1}, "format_version"),
    ({"state_table_info": {}}, "state_table_info"),
    (
        {"state_table_info": {"55": {"committed_epoch": 1, "compaction_group_id": 3}}},
        "state_table_info",
    ),
]


@pytest.mark.parametrize(("fields", "name"), EDITS, ids=[str(item[0])[:40] for item in EDITS])
def test_an_edited_entry_is_put_right(root: Path, fields: dict[str, Any], name: str) -> None:
    """With its own remarks and release; the other entries keep their bytes."""
    before = document(root)
    edit(root, 2, **fields)
    edited = (root / "manifest.json").read_bytes()
    found = done(root)
    assert (found.added, found.changed, found.dropped) == ((), (2,), ())
    old, new = before["snapshot_metadata"][1], document(root)["snapshot_metadata"][1]
    assert (new["remarks"], new["rw_version"]) == (old["remarks"], "3.0.3")
    old["ssts"], new["ssts"] = sorted(old["ssts"]), sorted(new["ssts"])
    assert new[name] == old[name]
    assert new == old
    after = raws((root / "manifest.json").read_bytes())
    assert {number: after[number] for number in (1, 7)} == {
        number: raws(edited)[number] for number in (1, 7)
    }


def test_entries_that_say_the_same_keep_their_bytes(root: Path) -> None:
    """Spaces, unknown fields and their order included; so do unknown fields of the manifest."""
    text = (root / "manifest.json").read_text(encoding="utf-8")
    text = text.replace('"id":7,', '"id": 7 , "colour":"blue",')
    text = text.rstrip()[:-1] + ',"of_the_future":[1]}'
    (root / "manifest.json").write_text(text, encoding="utf-8")
    (root / "1.snapshot").unlink()
    found = done(root)
    assert (found.added, found.changed, found.dropped) == ((), (), (1,))
    after = (root / "manifest.json").read_text(encoding="utf-8")
    assert '"id": 7 , "colour":"blue",' in after
    assert after.endswith(',"of_the_future":[1]}')
    assert (root / PREVIOUS_NAME).read_text(encoding="utf-8") == text


def test_an_entry_without_a_file_is_dropped(root: Path) -> None:
    """Order and bytes of the others stay."""
    before = raws((root / "manifest.json").read_bytes())
    (root / "2.snapshot").unlink()
    found = done(root)
    assert (found.dropped, found.is_same, found.damaged) == ((2,), False, {})
    assert raws((root / "manifest.json").read_bytes()) == {n: before[n] for n in (1, 7)}


def test_a_file_without_an_entry_is_added(root: Path) -> None:
    """After those that are known."""
    goldens.copy_backups(TAG, root.parent / "x")
    changes.delete(Repository(LocalStore(root.parent), "backup"), [1])
    (root.parent / "x" / "backup" / "1.snapshot").rename(root / "1.snapshot")
    found = done(root)
    assert (found.added, found.manifest.ids) == ((1,), (2, 7, 1))
    assert found.manifest.manifest_id == 5


def _cut(root: Path) -> None:
    (root / "2.snapshot").write_bytes((root / "2.snapshot").read_bytes()[:-1])


def _flip(root: Path) -> None:
    data = bytearray((root / "2.snapshot").read_bytes())
    data[5000] ^= 1
    (root / "2.snapshot").write_bytes(data)


def _empty(root: Path) -> None:
    (root / "2.snapshot").write_bytes(b"")


def test_the_release_comes_back_if_one_alone_fits(tmp_path: Path) -> None:
    """Nobody but 2.7.0 has its layout; that of 3.0.3 is of earlier ones too."""
    for tag, expected in (("v2.7.0", "2.7.0"), ("v3.0.3", None)):
        goldens.copy_backups(goldens.SHIPPED / tag, tmp_path / tag)
        (tmp_path / tag / "backup" / "manifest.json").unlink()
        found = looked(tmp_path / tag / "backup")
        assert [entry.rw_version for entry in found.manifest.entries] == [expected] * 3


def _of_another_id(root: Path) -> None:
    (root / "2.snapshot").write_bytes((root / "7.snapshot").read_bytes())


@pytest.mark.parametrize("spoil", [_cut, _flip, _empty, _of_another_id])
def test_a_damaged_file_gets_no_entry(root: Path, spoil: Callable[[Path], None]) -> None:
    """It is said why, and the file stays, whether or not it had an entry."""
    spoil(root)
    data = (root / "2.snapshot").read_bytes()
    found = looked(root)
    assert (list(found.damaged), found.dropped, found.manifest.ids) == ([2], (2,), (1, 7))
    assert found.damaged[2] != ""
    (root / "manifest.json").unlink()
    found = done(root)
    assert (list(found.damaged), found.added, found.manifest.ids) == ([2], (1, 7), (1, 7))
    assert (root / "2.snapshot").read_bytes() == data


def test_a_look_writes_nothing(root: Path) -> None:
    """However much there is to change."""
    edit(root, 1, hummock_version_id=4)
    (root / "2.snapshot").unlink()
    before = files(root)
    assert not looked(root).is_same
    assert files(root) == before


def test_a_rebuilt_manifest_needs_no_other(root: Path) -> None:
    """The second time there is nothing to do."""
    (root / "manifest.json").unlink()
    done(root)
    assert looked(root).is_same


def test_the_id_of_the_manifest_grows(root: Path) -> None:
    """Above the one that is there, or was there before, so that a meta node takes the new one."""
    edit(root, 1, hummock_version_id=4)
    assert done(root).manifest.manifest_id == 4
    assert document(root)["manifest_id"] == 4
    (root / PREVIOUS_NAME).write_bytes(b'{"manifest_id":40,"snapshot_metadata":[]}')
    (root / "manifest.json").unlink()
    assert done(root).manifest.manifest_id == 41
    (root / PREVIOUS_NAME).write_bytes(b"{")
    (root / "manifest.json").write_bytes(b"{")
    assert done(root).manifest.manifest_id == len((1, 2, 7)) + 1


def test_a_manifest_that_changed_meanwhile_stays(root: Path) -> None:
    """A conflict, exit 11: whoever changed it knows of something that this did not see."""
    repository = rebuilder(root)
    edit(root, 1, hummock_version_id=4)
    found = rebuild(repository)
    changed = (root / "manifest.json").read_bytes()
    with pytest.raises(ConflictError) as caught:
        write(repository, found)
    assert caught.value.exit_code == 11
    assert (root / "manifest.json").read_bytes() == changed


def test_a_manifest_that_appeared_meanwhile_stays(root: Path) -> None:
    """Where there was none."""
    (root / "manifest.json").unlink()
    repository = rebuilder(root)
    found = rebuild(repository)
    (root / "manifest.json").write_bytes(b"theirs")
    with pytest.raises(ConflictError):
        write(repository, found)
    assert (root / "manifest.json").read_bytes() == b"theirs"


def test_an_empty_directory_has_nothing_to_write(tmp_path: Path) -> None:
    """It is as it should be."""
    found = looked(tmp_path / "backup")
    assert (found.is_same, found.manifest.ids, found.damaged) == (True, (), {})


@pytest.mark.parametrize(
    ("now", "previous", "expected"),
    [
        (b'{"manifest_id":42,"snapshot_meta', b'{"manifest_id":41}', 43),
        (b'{"manifest_id":42,"snapshot_meta', None, 43),
        (b"\0\0\0\0", b'{"manifest_id":41}', 43),
        (b"\0\0\0\0", b'{ "manifest_id" : 41 , "snap', 43),
        (None, b'{"manifest_id":41}', 42),
    ],
)
def test_the_id_grows_over_a_manifest_that_cannot_be_read(
    root: Path, now: bytes | None, previous: bytes | None, expected: int
) -> None:
    """A meta node takes no manifest whose id is not above its own; the damaged one had one more
    than the one that it replaced."""
    (root / "manifest.json").unlink()
    for name, data in (("manifest.json", now), (PREVIOUS_NAME, previous)):
        if data is not None:
            (root / name).write_bytes(data)
    assert done(root).manifest.manifest_id == expected


@pytest.mark.parametrize("release", ["1.9.0", "1.10.0", "2.0.1", "2.0.7"])
@pytest.mark.parametrize("tag", ["v2.2.0", "v2.8.4", "v3.0.3"])
def test_a_file_whose_migrations_are_of_an_older_release_is_damage(
    root: Path, release: str, tag: str
) -> None:
    """Its version has no epoch of the whole cluster, which entries of that release have: it gets
    no entry and is told, and the others are entered.
    """
    layout = LAYOUTS[RELEASES[release].layout]
    source = metasnapshot.loads((goldens.SHIPPED / tag / "backup" / "7.snapshot").read_bytes())
    with (root / "9.snapshot").open("wb") as file:
        writer = SnapshotWriter(file, 9, layout)
        for section in section_names(layout):
            if section == HUMMOCK_VERSION:
                writer.write_hummock_version(source.hummock_version)
                continue
            names = sorted(RELEASES[release].migrations) if section == "seaql_migrations" else []
            rows = [SerdeSeaqlMigration(version=name, applied_at=1) for name in names]
            writer.write_section(section, len(rows), rows)
        writer.finish()
    found = looked(root)
    assert "its migrations are not those of its writer" in found.damaged[9]
    assert found.manifest.ids == (1, 2, 7)
