"""show: the page that a person reads before a restore. No secret value is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.operations.names import SECTIONS, TABLE_KINDS, TABLES_SECTION, kind_of
from metasnapshot.operations.secrets import redact


@dataclass(frozen=True)
class SectionSize:
    """Rows and bytes of a section."""

    name: str
    rows: int
    size: int


@dataclass(frozen=True)
class Summary:
    """A snapshot at a glance.

    Attributes:
        entry: as the manifest has it.
        cluster_ids: usually one.
        layout: the layout of the file.
        releases: the releases that may have written it.
        size: bytes of the file.
        checksum: its XXH64.
        names: names of objects by kind; internal tables are only counted in `sections`.
        epochs: smallest and largest committed epoch of its state tables, or None.
        parameters: system parameters without secrets.
        risks: CDC sources and sinks, and what a restore does to them.
        sections: rows and bytes of each.
    """

    entry: ManifestEntry
    cluster_ids: tuple[str, ...]
    layout: str
    releases: tuple[str, ...]
    size: int
    checksum: int
    names: dict[str, list[str]]
    epochs: tuple[int, int] | None
    parameters: dict[str, str]
    risks: tuple[str, ...]
    sections: tuple[SectionSize, ...]


def summarise(repository: Repository, snapshot_id: int) -> Summary:
    """Read a snapshot, one row at a time, into its summary.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: it is damaged.
    """
    entry = repository.entry(snapshot_id)
    with repository.open(snapshot_id) as reader:
        committed = [info.committed_epoch for info in entry.state_table_info.values()]
        return Summary(
            entry=entry,
            cluster_ids=tuple(str(row.cluster_id) for row in reader.rows("clusters")),
            layout=reader.layout,
            releases=reader.releases,
            size=reader.size,
            checksum=reader.checksum,
            names=_names(reader),
            epochs=(min(committed), max(committed)) if committed else None,
            parameters={
                row.name: str(redact(row.name, row.value))
                for row in reader.rows("system_parameters")
            },
            risks=tuple(_risks(reader)),
            sections=tuple(
                SectionSize(place.name, place.count, place.size) for place in reader.places
            ),
        )


def _names(reader: SnapshotReader) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {kind: [] for kind in (*TABLE_KINDS.values(), *SECTIONS.values())}
    for section in (TABLES_SECTION, *SECTIONS):
        for row in reader.rows(section) if section in reader.section_names else ():
            kind = kind_of(section, row)
            if kind is not None:
                names[kind].append(row.name)
    return {kind: sorted(found) for kind, found in names.items()}


def _risks(reader: SnapshotReader) -> Iterator[str]:
    """What moves on outside the cluster while its metadata goes back."""
    for row in _with_connector(reader.rows("sources"), "with_properties"):
        connector = row.with_properties["connector"]
        if connector.endswith("-cdc"):
            slot = row.with_properties.get("slot.name")
            place = f", slot {slot}" if slot else ""
            yield (
                f"source {row.name} ({connector}{place}) asks for offsets of the snapshot, which "
                "the upstream database may have dropped"
            )
    for row in _with_connector(reader.rows("sinks"), "properties"):
        yield (
            f"sink {row.name} ({row.properties['connector']}) writes again what it wrote after the "
            "snapshot, unless it is exactly-once"
        )


def _with_connector(rows: Iterable[Any], column: str) -> Iterator[Any]:
    return (row for row in rows if "connector" in getattr(row, column))
