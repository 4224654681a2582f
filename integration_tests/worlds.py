"""Clusters for integration tests: backups whose state store is a local directory, and targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import goldens
from servers import Server

from metasnapshot.catalogue.repository import Repository
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines import engine_named
from metasnapshot.metastore.load import TableDigest, Target, digest_rows, digest_table
from metasnapshot.metastore.values import PLAIN, Fit
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import RestoreResult, restore
from metasnapshot_models.definitions import Layout
from metasnapshot_models.layouts import LAYOUTS

FOLDERS = {"postgresql": ("postgres", 3), "mysql": ("mysql", 4)}
SCHEMAS = {"postgresql": "schema.postgres.sql", "mysql": "schema.mysql.sql"}
TAGS = [tag for tag in goldens.TAGS if (tag / "schema.postgres.sql").exists()]
"""Tags with the schema and rows of every engine."""
SEQUENCES = "hummock_sequences"


def schema(tag: Path, server: Server) -> str:
    """RisingWave's own tables of a tag."""
    return (tag / SCHEMAS[server.engine]).read_text()


class Backups:
    """A tag's snapshots 2 and 7, of a cluster whose state is in a local directory."""

    def __init__(self, tag: Path, path: Path) -> None:
        self.tag = tag
        self.state = path / "state"
        self.repository = goldens.copy_backups(tag, path)
        goldens.point_to_state(self.repository, self.state, (2, 7))

    def options(self, **more: Any) -> RestoreOptions:
        """How to restore any of them."""
        more = {"no_object_check": True, **more}
        return RestoreOptions(f"fs://{self.state}", goldens.DATA_DIRECTORY, **more)

    def restore(self, url: str, number: int = 2, **more: Any) -> RestoreResult:
        """Restore one of them."""
        with open_meta_store(url) as store:
            return restore(self.repository, store, number, self.options(**more))


def digests_of_file(
    reader: SnapshotReader, layout: Layout, fit: Fit | None = None
) -> dict[str, TableDigest]:
    """A snapshot's rows, as an engine would hold them."""
    target = Target(layout, fit or Fit(PLAIN))
    return {
        section: digest_rows(target, model_of(layout, section), reader.rows(section))
        for section in reader.section_names
        if section not in (HUMMOCK_VERSION, SEQUENCES)
    }


def digests_of_store(url: str, layout: Layout) -> dict[str, TableDigest]:
    """A meta store's rows."""
    with open_meta_store(url) as store, store.read_transaction() as connection:
        return {
            section: digest_table(connection, layout, model)
            for section, model in layout.sections
            if section != SEQUENCES
        }


def layout_of(repository: Repository, number: int) -> Layout:
    """The layout of a snapshot."""
    with repository.open(number) as reader:
        return LAYOUTS[reader.layout]


def fit_of(engine: str, *, cut_timestamps: bool = True) -> Fit:
    """What an engine holds, by its name."""
    return Fit(engine_named(engine).forms, cut_timestamps)
