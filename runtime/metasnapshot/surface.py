"""Where the public names of this package are defined: nothing of it is loaded for this table."""

from __future__ import annotations

MODULES = {
    "catalogue.facts": ("DrillNote",),
    "catalogue.full_header": ("Header",),
    "catalogue.manifest": (
        "Manifest",
        "ManifestEntry",
    ),
    "catalogue.records": ("Taken",),
    "catalogue.times": (
        "epoch_time",
        "exact",
    ),
    "catalogue.watcher": ("Watcher",),
    "contents.findings": (
        "Finding",
        "Findings",
    ),
    "contents.outside": ("Outside",),
    "data": ("open_tables",),
    "errors": ("MetasnapshotError",),
    "format.hummock_version": ("HummockVersion",),
    "format.reader": ("SnapshotReader",),
    "format.rules": ("newest_release",),
    "format.scalars": (
        "Blob",
        "Fixed",
        "Timestamp",
    ),
    "format.snapshot": (
        "MetaSnapshot",
        "dumps",
        "loads",
        "open",
    ),
    "library.backups": ("Backups",),
    "library.comparing": (
        "Diff",
        "diff",
        "diff_data",
    ),
    "library.exporting": (
        "ExportFormat",
        "Exported",
        "export",
        "require_fit",
    ),
    "library.housekeeping": (
        "Collected",
        "Judgement",
    ),
    "library.listing": (
        "ListedSnapshot",
        "Listing",
    ),
    "library.live": (
        "open_meta_node",
        "backup_live",
        "backup_pinned",
    ),
    "library.making": (
        "backup",
        "backup_full",
        "plan_restore",
        "restore",
        "restoring",
    ),
    "library.meta_stores": ("MetaStore",),
    "library.moments": (
        "PickedSnapshot",
        "Timed",
        "TooEarly",
    ),
    "library.picking": (
        "SnapshotId",
        "given_id",
    ),
    "library.querying": ("query",),
    "library.reading": (
        "Tables",
        "tables_of",
    ),
    "library.reporting": (
        "report",
        "require_pages",
        "timeline",
        "write_differences",
        "write_report",
        "write_timeline",
    ),
    "library.schema": (
        "coverage",
        "create_schema",
        "release_named",
        "release_of",
        "scaffolded",
        "schema_script",
    ),
    "library.state": ("StateStore",),
    "library.storage": (
        "StorageTrial",
        "try_storage",
    ),
    "library.supporting": (
        "PartMade",
        "SupportPart",
        "notes_of",
        "rehearsed_plan",
        "versions",
        "write_bundle",
    ),
    "library.verifying": ("verify",),
    "live.meta_node": ("MetaNode",),
    "metastore.identity": ("find_same_meta_store",),
    "metastore.risectl_url": ("url_of_options",),
    "operations.area_costs": ("AreaCosts",),
    "operations.backup": ("BackupResult",),
    "operations.backup_full": ("FullResult",),
    "operations.backup_live": ("LiveBackup",),
    "operations.backup_options": ("BackupOptions",),
    "operations.backup_pinned": (
        "PinnedResult",
        "PinOptions",
    ),
    "operations.check": ("Health",),
    "operations.copy": ("Copied",),
    "operations.copy_full": ("CopiedObjects",),
    "operations.coverage": (
        "ADD_RELEASE",
        "Coverage",
    ),
    "operations.create_schema": ("SchemaResult",),
    "operations.crew": (
        "Pace",
        "JOBS_MAX",
        "ROUNDS",
    ),
    "operations.diff.compare": ("Change",),
    "operations.diff.data": (
        "RowChange",
        "TableDiff",
    ),
    "operations.drill": ("DrillResult",),
    "operations.expire": (
        "Judged",
        "Policy",
    ),
    "operations.export": (
        "export_rows",
        "new_path",
    ),
    "operations.export_etcd": ("EtcdExport",),
    "operations.gc": (
        "Stray",
        "Strays",
    ),
    "operations.gc_objects": ("UnneededObjects",),
    "operations.pins": ("Pins",),
    "operations.query.query": (
        "READING_SHARE",
        "Query",
    ),
    "operations.read": (
        "Format",
        "Where",
        "Wish",
        "ReadResult",
        "memory_size",
        "epoch_ms",
    ),
    "operations.read_all": ("TableFile",),
    "operations.rebuild": ("Rebuilt",),
    "operations.report.model": ("Report",),
    "operations.restore.plan": (
        "Check",
        "ClonePlan",
        "RestoreOptions",
        "RestorePlan",
        "OBJECTS_CHECK",
    ),
    "operations.restore.restoration": (
        "RestoreResult",
        "Restoring",
    ),
    "operations.show": ("Summary",),
    "operations.spread.scheduler": ("Workers",),
    "operations.tables": (
        "TableSummary",
        "summarise_tables",
    ),
    "operations.verify": (
        "Level",
        "VerifyResult",
    ),
    "operations.verify_content": (
        "ContentCheck",
        "ContentResult",
        "parse_share",
    ),
    "operations.timeline.model": (
        "Event",
        "Step",
        "Stop",
        "Timeline",
    ),
    "scaffold.models": (
        "Scaffold",
        "check_release",
    ),
    "scaffold.pasting": (
        "Pasted",
        "paste_scaffold",
    ),
    "store.deletes": (
        "Stays",
        "say_what_stays",
    ),
    "store.context": (
        "Context",
        "Progress",
    ),
    "store.location": ("find_overlap",),
    "store.retry": ("RetryPolicy",),
    "store.shown_url": (
        "shown_text",
        "shown_url",
    ),
    "store.trial": ("Promise",),
}
HOMES = {name: module for module, names in MODULES.items() for name in names}
"""The module of each name."""
