"""Backup, verification, inspection and restore of the metadata of RisingWave clusters.

import metasnapshot

backups = metasnapshot.Backups("fs:///srv/backups")
meta_store = metasnapshot.MetaStore("sqlite:////var/lib/risingwave/meta.db")
made = metasnapshot.backup(meta_store, backups)
assert all(result.error is None for result in backups.verify([made.entry.id]))

snapshot = metasnapshot.loads(data)              # a whole snapshot, checksum verified
snapshot.sections["tables"][0].name
assert metasnapshot.dumps(snapshot) == data      # byte for byte

docs/library.md says more. Errors are those of metasnapshot.errors, each with an exit code and a
hint. Names are loaded when they are first asked for: the command starts before them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from metasnapshot.surface import HOMES
from metasnapshot.version import VERSION as __version__  # noqa: N811 - what Python calls it

if TYPE_CHECKING:
    from metasnapshot.catalogue.facts import DrillNote
    from metasnapshot.catalogue.full_header import Header
    from metasnapshot.catalogue.manifest import Manifest, ManifestEntry
    from metasnapshot.catalogue.records import Taken
    from metasnapshot.catalogue.times import epoch_time, exact
    from metasnapshot.catalogue.watcher import Watcher
    from metasnapshot.contents.findings import Finding, Findings
    from metasnapshot.contents.outside import Outside
    from metasnapshot.data import open_tables
    from metasnapshot.errors import MetasnapshotError
    from metasnapshot.format.hummock_version import HummockVersion
    from metasnapshot.format.reader import SnapshotReader
    from metasnapshot.format.rules import newest_release
    from metasnapshot.format.scalars import Blob, Fixed, Timestamp
    from metasnapshot.format.snapshot import MetaSnapshot, dumps, loads, open  # noqa: A004
    from metasnapshot.library.backups import Backups
    from metasnapshot.library.comparing import Diff, diff, diff_data
    from metasnapshot.library.exporting import Exported, ExportFormat, export, require_fit
    from metasnapshot.library.housekeeping import Collected, Judgement
    from metasnapshot.library.listing import ListedSnapshot, Listing
    from metasnapshot.library.live import backup_live, backup_pinned, open_meta_node
    from metasnapshot.library.making import backup, backup_full, plan_restore, restore, restoring
    from metasnapshot.library.meta_stores import MetaStore
    from metasnapshot.library.moments import PickedSnapshot, Timed, TooEarly
    from metasnapshot.library.picking import SnapshotId, given_id
    from metasnapshot.library.querying import query
    from metasnapshot.library.reading import Tables, tables_of
    from metasnapshot.library.reporting import (
        report,
        require_pages,
        timeline,
        write_differences,
        write_report,
        write_timeline,
    )
    from metasnapshot.library.schema import (
        coverage,
        create_schema,
        release_named,
        release_of,
        scaffolded,
        schema_script,
    )
    from metasnapshot.library.state import StateStore
    from metasnapshot.library.storage import StorageTrial, try_storage
    from metasnapshot.library.supporting import (
        PartMade,
        SupportPart,
        notes_of,
        rehearsed_plan,
        versions,
        write_bundle,
    )
    from metasnapshot.library.verifying import verify
    from metasnapshot.live.meta_node import MetaNode
    from metasnapshot.metastore.identity import find_same_meta_store
    from metasnapshot.metastore.kinds import client_variables
    from metasnapshot.metastore.risectl_url import url_of_options
    from metasnapshot.operations.area_costs import AreaCosts
    from metasnapshot.operations.backup import BackupResult
    from metasnapshot.operations.backup_full import FullResult
    from metasnapshot.operations.backup_live import LiveBackup
    from metasnapshot.operations.backup_options import BackupOptions
    from metasnapshot.operations.backup_pinned import PinnedResult, PinOptions
    from metasnapshot.operations.check import Health
    from metasnapshot.operations.copy import Copied
    from metasnapshot.operations.copy_full import CopiedObjects
    from metasnapshot.operations.coverage import ADD_RELEASE, Coverage
    from metasnapshot.operations.create_schema import SchemaResult
    from metasnapshot.operations.crew import JOBS_MAX, ROUNDS, Pace
    from metasnapshot.operations.diff.compare import Change
    from metasnapshot.operations.diff.data import RowChange, TableDiff
    from metasnapshot.operations.drill import DrillResult
    from metasnapshot.operations.expire import Judged, Policy
    from metasnapshot.operations.export import export_rows, new_path
    from metasnapshot.operations.export_etcd import EtcdExport
    from metasnapshot.operations.gc import Stray, Strays
    from metasnapshot.operations.gc_objects import UnneededObjects
    from metasnapshot.operations.pins import Pins
    from metasnapshot.operations.query.query import READING_SHARE, Query
    from metasnapshot.operations.read import Format, ReadResult, Where, Wish, epoch_ms, memory_size
    from metasnapshot.operations.read_all import TableFile
    from metasnapshot.operations.rebuild import Rebuilt
    from metasnapshot.operations.report.model import Report
    from metasnapshot.operations.restore.plan import (
        OBJECTS_CHECK,
        Check,
        ClonePlan,
        RestoreOptions,
        RestorePlan,
    )
    from metasnapshot.operations.restore.restoration import RestoreResult, Restoring
    from metasnapshot.operations.show import Summary
    from metasnapshot.operations.spread.scheduler import Workers
    from metasnapshot.operations.tables import TableSummary, summarise_tables
    from metasnapshot.operations.timeline.model import Event, Step, Stop, Timeline
    from metasnapshot.operations.verify import Level, VerifyResult
    from metasnapshot.operations.verify_content import ContentCheck, ContentResult, parse_share
    from metasnapshot.scaffold.models import Scaffold, check_release
    from metasnapshot.scaffold.pasting import Pasted, paste_scaffold
    from metasnapshot.store.context import Context, Progress
    from metasnapshot.store.deletes import Stays, say_what_stays
    from metasnapshot.store.location import find_overlap
    from metasnapshot.store.retry import RetryPolicy
    from metasnapshot.store.shown_url import shown_text, shown_url
    from metasnapshot.store.trial import Promise

__all__ = [
    "ADD_RELEASE",
    "JOBS_MAX",
    "OBJECTS_CHECK",
    "READING_SHARE",
    "ROUNDS",
    "AreaCosts",
    "BackupOptions",
    "BackupResult",
    "Backups",
    "Blob",
    "Change",
    "Check",
    "ClonePlan",
    "Collected",
    "ContentCheck",
    "ContentResult",
    "Context",
    "Copied",
    "CopiedObjects",
    "Coverage",
    "Diff",
    "DrillNote",
    "DrillResult",
    "EtcdExport",
    "Event",
    "ExportFormat",
    "Exported",
    "Finding",
    "Findings",
    "Fixed",
    "Format",
    "FullResult",
    "Header",
    "Health",
    "HummockVersion",
    "Judged",
    "Judgement",
    "Level",
    "ListedSnapshot",
    "Listing",
    "LiveBackup",
    "Manifest",
    "ManifestEntry",
    "MetaNode",
    "MetaSnapshot",
    "MetaStore",
    "MetasnapshotError",
    "Outside",
    "Pace",
    "PartMade",
    "Pasted",
    "PickedSnapshot",
    "PinOptions",
    "PinnedResult",
    "Pins",
    "Policy",
    "Progress",
    "Promise",
    "Query",
    "ReadResult",
    "Rebuilt",
    "Report",
    "RestoreOptions",
    "RestorePlan",
    "RestoreResult",
    "Restoring",
    "RetryPolicy",
    "RowChange",
    "Scaffold",
    "SchemaResult",
    "SnapshotId",
    "SnapshotReader",
    "StateStore",
    "Stays",
    "Step",
    "Stop",
    "StorageTrial",
    "Stray",
    "Strays",
    "Summary",
    "SupportPart",
    "TableDiff",
    "TableFile",
    "TableSummary",
    "Tables",
    "Taken",
    "Timed",
    "Timeline",
    "Timestamp",
    "TooEarly",
    "UnneededObjects",
    "VerifyResult",
    "Watcher",
    "Where",
    "Wish",
    "Workers",
    "__version__",
    "backup",
    "backup_full",
    "backup_live",
    "backup_pinned",
    "check_release",
    "client_variables",
    "coverage",
    "create_schema",
    "diff",
    "diff_data",
    "dumps",
    "epoch_ms",
    "epoch_time",
    "exact",
    "export",
    "export_rows",
    "find_overlap",
    "find_same_meta_store",
    "given_id",
    "loads",
    "memory_size",
    "new_path",
    "newest_release",
    "notes_of",
    "open",
    "open_meta_node",
    "open_tables",
    "parse_share",
    "paste_scaffold",
    "plan_restore",
    "query",
    "rehearsed_plan",
    "release_named",
    "release_of",
    "report",
    "require_fit",
    "require_pages",
    "restore",
    "restoring",
    "say_what_stays",
    "scaffolded",
    "schema_script",
    "shown_text",
    "shown_url",
    "summarise_tables",
    "tables_of",
    "timeline",
    "try_storage",
    "url_of_options",
    "verify",
    "versions",
    "write_bundle",
    "write_differences",
    "write_report",
    "write_timeline",
]


if not TYPE_CHECKING:  # or a checker would take any name that is misspelled

    def __getattr__(name: str) -> Any:
        """A public name, from the module that has it."""
        if name not in HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
