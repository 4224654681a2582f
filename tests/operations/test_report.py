"""report: what a page says, as data, out of what other verbs know."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import goldens
import made_cluster as made
import pytest
from made_cluster import EPOCH, laid, shop, wide

import metasnapshot
from metasnapshot.catalogue.facts import DrillNote
from metasnapshot.catalogue.rehearsals import note_drill
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import epoch_time
from metasnapshot.hummock.objects import needed_by
from metasnapshot.operations.diff.compare import diff_names
from metasnapshot.operations.diff.sides import SnapshotSide
from metasnapshot.operations.pins import pins
from metasnapshot.operations.report.costs import costs_of, sizes_in
from metasnapshot.operations.report.gather import gather
from metasnapshot.operations.report.inventory import Inventory
from metasnapshot.operations.report.model import Report

TAG = goldens.SHIPPED / "v3.0.3"
NOW = epoch_time(EPOCH) + timedelta(hours=10)


def directory(path: Path, count: int = 6, hours: dict[int, float] | None = None) -> Repository:
    """Snapshots of a shop an hour apart; each needs forty objects, five of them new."""
    snapshots = [
        shop(number, grown=number > 5).finished(range(5 * number, 5 * number + 40))
        for number in range(1, count + 1)
    ]
    return laid(path, snapshots, hours)


def told(repository: Repository, number: int | None, *, history: bool = False) -> Report:
    return gather(repository, number, repository.manifest().entries, history=history, now=NOW)


def texts(report: Report, level: str) -> str:
    return " ".join(each.text for each in report.sentences if each.level == level)


def test_what_is_in_it(tmp_path: Path) -> None:
    """Kinds, names, levels by group, and risks are those of the snapshot."""
    inside = told(directory(tmp_path), 6).inside
    assert inside is not None
    kinds = {kind.kind: kind for kind in inside.kinds}
    assert kinds["tables"].names == (
        *("dev.public.customers", "dev.public.orders", "dev.public.products"),
    )
    assert (kinds["materialized views"].count, kinds["sinks"].count) == (5, 3)
    assert inside.hummock.files == 40
    assert {(level.group, level.level) for level in inside.hummock.levels} == {
        *((2, 0), (2, 6), (3, 6)),
    }
    assert sum(level.size for level in inside.hummock.levels) == inside.hummock.size
    assert any("slot rw_customers" in risk for risk in inside.risks)


def test_who_reads_whom(tmp_path: Path) -> None:
    """Edges go from what is read to who reads it; a sink into a table feeds it."""
    inside = told(directory(tmp_path), 6).inside
    assert inside is not None
    names = {node.id: node.name.rsplit(".", 1)[-1] for node in inside.lineage.nodes}
    edges = {(names[one], names[other]) for one, other in inside.lineage.edges}
    assert ("orders", "order_items") in edges
    assert ("revenue_by_customer", "alerts") in edges
    assert ("stock_to_table", "products") in edges
    assert ("order_items", "orders") not in edges
    assert (inside.lineage.node_count, inside.lineage.alone) == (13, 0)


def test_golden_snapshots_of_every_kind_have_a_report(tmp_path: Path) -> None:
    """Of each shipped release, whatever its names and rows."""
    for tag in goldens.TAGS:
        repository = goldens.copy_backups(tag, tmp_path / tag.name)
        report = gather(repository, 7, repository.manifest().entries)
        assert report.error == "", tag.name
        assert report.inside is not None
        assert report.inside.changes is not None


@pytest.mark.parametrize("path", goldens.V1_SNAPSHOTS[:6], ids=goldens.name)
def test_v1_snapshots_have_their_lineage(path: Path) -> None:
    """What a message says that it depends on is an edge, as far as both are named objects."""
    with metasnapshot.open(path) as reader:
        found = Inventory(reader)
        named = {item.id for item in found.items}
        expected = {
            (number, item.id)
            for item in found.items
            for number in getattr(item.row.message, "dependent_relations", ())
            if number in named and number != item.id
        }
        lineage = found.lineage()
        kinds = {item.id: item.kind for item in found.items}
    drawn = {"tables", "materialized views", "views", "sources", "sinks"}
    wanted = {edge for edge in expected if {kinds[number] for number in edge} <= drawn}
    assert wanted <= set(lineage.edges)


def test_changes_are_those_of_diff(tmp_path: Path) -> None:
    """By kind and name, as diff tells them, of a golden pair with changes of every sort."""
    repository = goldens.copy_backups(TAG, tmp_path)
    report = gather(repository, 7, repository.manifest().entries)
    assert report.inside is not None
    assert report.inside.changes is not None
    with repository.open(2) as before, repository.open(7) as after:
        expected = list(diff_names(SnapshotSide(before), SnapshotSide(after)))
    assert report.inside.changes.total == len(expected)
    shown = {(item.kind, item.change, str(item.key[0])) for item in report.inside.changes.listed}
    assert shown == {(item.kind, item.change, str(item.key[0])) for item in expected}


def test_costs_are_those_of_pins(tmp_path: Path) -> None:
    """Alone and together, and what a delete would free."""
    repository = directory(tmp_path)
    points = told(repository, 6).directory.points
    for point in points:
        found = pins(repository, [point.id])
        assert (point.objects, point.alone, point.own) == (
            *(found.objects, found.size, found.own_size),
        )
    assert points[-1].together == pins(repository, [point.id for point in points]).size
    together = [point.together for point in points]
    assert together == sorted(together)


def test_sizes_out_of_text_are_those_of_the_message(tmp_path: Path) -> None:
    """The quick way gives what the rule gives, and where it lacks an object, the rule is asked."""
    repository = goldens.copy_backups(TAG, tmp_path)
    for number in (1, 2, 7):
        with repository.open(number) as reader:
            needed = {item.id: item.size for item in needed_by(reader)}
            found = sizes_in(reader, list(needed))
            assert {key: found[key] for key in needed} == needed


def test_files_are_read_within_a_budget(tmp_path: Path) -> None:
    """What is not read is not known, and nothing is made up for it."""
    repository = directory(tmp_path)
    entries = repository.manifest().entries
    sizes = {
        entry.id: (tmp_path / "backup" / f"{entry.id}.snapshot").stat().st_size for entry in entries
    }
    costs, broken = costs_of(repository, entries, sizes, {}, read_max=sizes[6] + 1)
    assert broken == {}
    assert [cost.alone is None for cost in costs] == [True] * 5 + [False]
    assert costs[-1].together == costs[-1].alone


def test_gaps_of_the_schedule(tmp_path: Path) -> None:
    """Longer than usual, the longest first; the one since the newest has no end."""
    hours = {1: 1.0, 2: 2.0, 3: 3.0, 4: 6.5, 5: 7.5, 6: 8.4}
    found = told(directory(tmp_path, hours=hours), 6).directory
    assert found.usual == timedelta(hours=1)
    assert [(gap.after_id, gap.before_id) for gap in found.gaps] == [(3, 4)]
    assert found.gaps[0].length == timedelta(hours=3.5)
    late = gather(
        Repository(made.LocalStore(tmp_path), "backup"),
        6,
        Repository(made.LocalStore(tmp_path), "backup").manifest().entries,
        now=NOW + timedelta(days=2),
    )
    assert [(gap.after_id, gap.before_id) for gap in late.directory.gaps] == [(6, None), (3, 4)]
    assert "2 gaps in the schedule" in texts(late, "doubtful")


def test_two_snapshots_make_no_schedule(tmp_path: Path) -> None:
    """One interval is not usual, and no gap is called one."""
    found = told(directory(tmp_path, 2, {1: 0.0, 2: 9.0}), 2).directory
    assert (found.usual, found.gaps) == (None, ())


@pytest.mark.parametrize(("days", "level"), [(0, "good"), (29, "good"), (31, "doubtful")])
def test_the_age_of_the_snapshot_is_judged(tmp_path: Path, days: int, level: str) -> None:
    """One that is older than a month is no good news."""
    repository = directory(tmp_path)
    now = NOW + timedelta(days=days)
    found = gather(repository, 6, repository.manifest().entries, now=now)
    assert " old." in texts(found, level)


def test_a_drill_is_told(tmp_path: Path) -> None:
    """When, how long and with what; one that failed is bad news, one long ago is doubtful."""
    repository = directory(tmp_path)
    assert "No restore was ever rehearsed" in texts(told(repository, 6), "doubtful")
    for at, ok, level in [
        ((NOW - timedelta(hours=3)).isoformat(), True, "good"),
        ((NOW - timedelta(days=40)).isoformat(), True, "doubtful"),
        ((NOW - timedelta(hours=3)).isoformat(), False, "bad"),
    ]:
        entry = repository.entry(4)
        assert note_drill(repository, entry, DrillNote(at=at, seconds=12.3, ok=ok, rows=7))
        report = told(repository, 6)
        assert "A restore of snapshot 4 was rehearsed" in texts(report, level)
        assert report.drill is not None
        assert (report.drill[0], report.drill[1].seconds) == (4, 12.3)


def test_a_damaged_snapshot_gets_its_report(tmp_path: Path) -> None:
    """It says so first, has no insides, and the rest of the directory is told."""
    repository = directory(tmp_path)
    path = tmp_path / "backup" / "6.snapshot"
    path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)
    report = told(repository, 6)
    assert (report.level, report.inside, report.error_code) == ("bad", None, 4)
    assert "checksum mismatch" in report.error
    assert len(report.directory.points) == 6
    sound = told(repository, 5)
    assert (sound.level, sound.error_code) == ("bad", 0)
    assert "(backup/6.snapshot): checksum mismatch" in texts(sound, "bad")


def test_a_lost_file_is_told(tmp_path: Path) -> None:
    """The manifest names a snapshot that is not there."""
    repository = directory(tmp_path)
    (tmp_path / "backup" / "3.snapshot").unlink()
    report = told(repository, 6)
    assert "without a file: 3" in texts(report, "bad")
    assert [point.id for point in report.directory.points if point.size is None] == [3]


def test_an_empty_directory_has_a_report(tmp_path: Path) -> None:
    """It says that there is nothing."""
    report = told(laid(tmp_path, []), None, history=True)
    assert report.level == "bad"
    assert "There is no snapshot" in texts(report, "bad")


def test_history_goes_from_one_to_the_next(tmp_path: Path) -> None:
    """The newest first, and over a damaged one, which its own line tells of."""
    repository = directory(tmp_path)
    found = told(repository, 6, history=True).history
    assert [(each.before_id, each.after_id) for each in found] == [
        *((5, 6), (4, 5), (3, 4), (2, 3), (1, 2)),
    ]
    assert found[0].counts == (("materialized views", 1, 0, 0), ("sinks", 1, 0, 0))
    assert (found[1].total, found[1].objects_added, found[1].objects_removed) == (0, 5, 5)
    path = tmp_path / "backup" / "4.snapshot"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    found = told(repository, 6, history=True).history
    assert [(each.before_id, each.after_id) for each in found] == [(5, 6), (3, 5), (2, 3), (1, 2)]


def test_a_large_cluster_is_cut_to_a_page(tmp_path: Path) -> None:
    """The busiest are drawn, the largest are listed, and all are counted."""
    inside = told(laid(tmp_path, [wide(1, 3000, range(1, 300))]), 1).inside
    assert inside is not None
    assert len(inside.lineage.nodes) <= 60 < inside.lineage.node_count
    assert inside.lineage.edge_count == 2000
    assert (len(inside.tables), inside.table_count) == (1000, 3000)
    counts = {kind.kind: (kind.count, len(kind.names)) for kind in inside.kinds}
    assert counts["tables"] == (2000, 1000)
