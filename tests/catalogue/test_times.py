"""When a snapshot was taken, by its epochs."""

from __future__ import annotations

from datetime import UTC, datetime

import goldens
import pytest

from metasnapshot.catalogue.manifest import ManifestEntry, StateTableInfo
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import epoch_time, taken_at
from metasnapshot.store.local import LocalStore

SECOND = 1000 << 16


def entry(*epochs: int, whole: int | None = None) -> ManifestEntry:
    """An entry whose tables have these epochs, and its cluster that one."""
    return ManifestEntry(
        id=1,
        hummock_version_id=1,
        format_version=2,
        remarks=None,
        state_table_info={key: StateTableInfo(epoch, 2) for key, epoch in enumerate(epochs)},
        rw_version=None,
        max_committed_epoch=whole,
        safe_epoch=None,
        text=b"{}",
    )


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0, datetime(2021, 4, 1, tzinfo=UTC)),
        (65535, datetime(2021, 4, 1, tzinfo=UTC)),
        (65536, datetime(2021, 4, 1, microsecond=1000, tzinfo=UTC)),
        (86400 * SECOND + 7, datetime(2021, 4, 2, tzinfo=UTC)),
        (7654321458752000, datetime(2024, 12, 12, 19, 14, 36, 555000, tzinfo=UTC)),
    ],
)
def test_an_epoch_is_milliseconds_since_april_2021(epoch: int, expected: datetime) -> None:
    """Its lower 16 bits count within a millisecond."""
    assert epoch_time(epoch) == expected


def test_an_epoch_beyond_the_calendar_is_its_last_day() -> None:
    """The largest u64, which RisingWave uses for infinity, is no error."""
    assert epoch_time((1 << 64) - 1) == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("found", "seconds"),
    [
        (entry(SECOND, 3 * SECOND, 2 * SECOND), 3),
        (entry(SECOND, whole=5 * SECOND), 5),
        (entry(5 * SECOND, whole=SECOND), 5),
        (entry(whole=SECOND), 1),
        (entry(0, SECOND), 1),
    ],
    ids=["tables", "cluster", "tables later", "cluster alone", "a table without"],
)
def test_the_last_commit_counts(found: ManifestEntry, seconds: int) -> None:
    """Of any table, or of the whole cluster in manifests up to 2.0."""
    assert taken_at(found) == epoch_time(seconds * SECOND)


@pytest.mark.parametrize("found", [entry(), entry(0, 0), entry(whole=0)])
def test_without_an_epoch_nobody_knows(found: ManifestEntry) -> None:
    """No tables, or none that was ever committed: there is no time."""
    assert taken_at(found) is None


def test_of_manifests_of_risingwave() -> None:
    """Snapshot 1 is of a cluster without tables."""
    backups = Repository(LocalStore(goldens.SHIPPED / "v3.0.3"), "backup")
    assert [taken_at(found) for found in backups.manifest().entries] == [
        None,
        epoch_time(7654321458752000),
        epoch_time(7654321458752000),
    ]
