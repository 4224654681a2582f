"""show: the page that a person reads before a restore. No secret value is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from metasnapshot.catalogue.completeness import header_of
from metasnapshot.catalogue.full_header import Header
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.cluster import KINDS, SINK, Catalog, Item, catalog_of
from metasnapshot.contents.properties import redact_properties
from metasnapshot.contents.secrets import redact
from metasnapshot.format.reader import SnapshotReader


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
        unknown_migrations: what it names that no known release has.
        size: bytes of the file.
        checksum: its XXH64.
        names: names of objects by kind; internal tables are only counted in `sections`.
        epochs: smallest and largest committed epoch of its state tables, or None.
        parameters: system parameters without secrets.
        risks: CDC sources and sinks, and what a restore does to them.
        sections: rows and bytes of each.
        full: what its side file says of its objects; None for a partial one.
    """

    entry: ManifestEntry
    cluster_ids: tuple[str, ...]
    layout: str
    releases: tuple[str, ...]
    unknown_migrations: tuple[str, ...]
    size: int
    checksum: int
    names: dict[str, list[str]]
    epochs: tuple[int, int] | None
    parameters: dict[str, str]
    risks: tuple[str, ...]
    sections: tuple[SectionSize, ...]
    full: Header | None


def summarise(repository: Repository, snapshot_id: int) -> Summary:
    """Read a snapshot, one row at a time, into its summary.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: it is damaged.
    """
    entry = repository.entry(snapshot_id)
    names = repository.store.names(repository.directory)
    heads = {head.path: head for head in names.objects}
    with repository.open(snapshot_id) as reader:
        catalog = catalog_of(reader)
        full = header_of(repository, heads, snapshot_id)
        return summary_of(entry, reader, catalog, catalog.items(), full)


def summary_of(
    entry: ManifestEntry,
    reader: SnapshotReader,
    catalog: Catalog,
    items: Iterable[Item],
    full: Header | None,
) -> Summary:
    """The summary of an opened snapshot, whose named objects are at hand."""
    epochs = (info.committed_epoch for info in entry.state_table_info.values())
    committed = [epoch for epoch in epochs if epoch]  # of V1 releases from 2.1 on write 0
    if not committed and entry.max_committed_epoch:
        committed = [entry.max_committed_epoch]
    return Summary(
        entry=entry,
        cluster_ids=catalog.cluster_ids(),
        layout=reader.layout,
        releases=reader.releases,
        unknown_migrations=reader.unknown_migrations,
        size=reader.size,
        checksum=reader.checksum,
        names=_names(items),
        epochs=(min(committed), max(committed)) if committed else None,
        parameters={name: str(redact(name, value)) for name, value in catalog.parameters().items()},
        risks=tuple(_risks(catalog)),
        sections=tuple(SectionSize(place.name, place.count, place.size) for place in reader.places),
        full=full,
    )


def _names(items: Iterable[Item]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for item in items:
        names[item.kind].append(item.name)
    return {kind: sorted(found) for kind, found in names.items()}


def _risks(catalog: Catalog) -> Iterator[str]:
    """What moves on outside the cluster while its metadata goes back."""
    for kind, name, given in catalog.connectors():
        properties = redact_properties(given)
        connector = properties["connector"]
        if kind == SINK:
            yield (
                f"sink {name} ({connector}) writes again what it wrote after the snapshot, unless "
                "it is exactly-once"
            )
        elif connector.endswith("-cdc"):
            slot = properties.get("slot.name")
            place = f", slot {slot}" if slot else ""
            yield (
                f"source {name} ({connector}{place}) asks for offsets of the snapshot, which the "
                "upstream database may have dropped"
            )
