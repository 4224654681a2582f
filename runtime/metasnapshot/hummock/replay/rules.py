"""How a release replays version deltas, as rules: what each means stands here, which release has it
in schema/rules.yaml.

A meta node replays every delta by its own rules, also those that another release wrote.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from metasnapshot.errors import UnknownFormat
from metasnapshot.format.rules import rules_at
from metasnapshot_models.layouts import LAYOUTS, RELEASES


@dataclass(frozen=True)
class Rules:
    """How a release applies a delta.

    Attributes:
        folded: the deltas of a group are folded into one before they apply.
        commits_each: each IntraLevel of a folded commit makes a sub level of its own.
        commits_by_table: a delta is a commit also when a table is new or its epoch grew.
        tables_sorted: an SST whose table ids are not ascending is an error.
        sst_size: an SST counts with its sst_size, else with its file_size.
        split_leaves_one: a split leaves no SST an sst_size below 1.
        group_version: groups count the splits and truncations that they went through; a compaction
            is expired if that differs, else if an SST that it removes is not there.
        split_drops_empty: a split drops empty sub levels of the parent at once.
        normalizes: a split or truncation also recounts sizes and drops SSTs without tables.
        tables: the version knows its tables' epochs and groups by itself.
        logs: deltas change the change logs in the version.
        logs_written: a version is written with them, if only as they were.
        logs_drop_on_commit: a commit drops the log of every table without news in it.
        logs_keep_equal: truncating a log at an epoch keeps that epoch.
        logs_by_checkpoint: a log is truncated by its checkpoint epoch, which stays, else as a list.
        logs_checked: a log without epochs is an error, even where logs are not held.
        vector_ranges: vector files carry ranges of vector ids.
        watermarks_committed: a table's watermarks are cleared up to its committed epoch, else up to
            its safe epoch.
        watermarks_dropped: those of removed tables go, else only if the delta brings new ones.
        watermarks_256: their bitmaps have 256 bits whatever the table.
        watermarks_typed: the kind of a watermark is written explicitly.
        filters_typed: SSTs say their filter in fields of their own.
    """

    folded: bool
    commits_each: bool
    commits_by_table: bool
    tables_sorted: bool
    sst_size: bool
    split_leaves_one: bool
    group_version: bool
    split_drops_empty: bool
    normalizes: bool
    tables: bool
    logs: bool
    logs_written: bool
    logs_drop_on_commit: bool
    logs_keep_equal: bool
    logs_by_checkpoint: bool
    logs_checked: bool
    vector_ranges: bool
    watermarks_committed: bool
    watermarks_dropped: bool
    watermarks_256: bool
    watermarks_typed: bool
    filters_typed: bool


def rules_of(release: str) -> Rules:
    """The rules of a release, such as 2.8.4.

    Raises:
        UnknownFormat: the registry has no such release.
    """
    if release not in RELEASES:
        raise UnknownFormat(f"no release {release} in the registry")
    found = rules_at(release)
    return Rules(**{field.name: field.name in found for field in fields(Rules)})


def era_of_release(release: str) -> str:
    """The era of protobuf messages that a release reads."""
    return LAYOUTS[RELEASES[release].layout].era
