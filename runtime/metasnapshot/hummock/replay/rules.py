"""Which rule applies in which release: one line a rule, with the release that brought it.

A meta node replays every delta by its own rules, whoever wrote it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from metasnapshot.errors import UnknownFormat, UsageError
from metasnapshot_models.layouts import LAYOUTS, RELEASES

Number = tuple[int, int, int]
_BRANCHES: dict[str, Number] = {"main": (9999, 0, 0), "release-2.8": (2, 8, 9999)}
"""Branches by how their names begin, as if each was the last release of its line."""


@dataclass(frozen=True)
class Rules:
    """How a release applies a delta.

    Attributes:
        folded: the deltas of a group are folded into one before they apply.
        commits_each: each IntraLevel of a folded commit makes a sub level of its own.
        commits_by_table: a delta is a commit also when a table is new or its epoch grew.
        tables_sorted: an SST whose table ids are not ascending is an error.
        sst_size: an SST counts with its sst_size, else with its file_size.
        split_size_min: the least sst_size that a split leaves.
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
    split_size_min: int
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
    at = release_number(release)
    return Rules(
        folded=at < (2, 1, 0),
        commits_each=at >= (2, 0, 0),
        commits_by_table=at >= (2, 0, 0),
        tables_sorted=at >= (2, 1, 0),
        sst_size=at >= (2, 1, 0),
        split_size_min=1 if at >= (2, 2, 1) else 0,
        group_version=at >= (2, 2, 4),
        split_drops_empty=at >= (2, 2, 0),
        normalizes=(2, 7, 3) <= at < (2, 8, 0) or at >= (2, 8, 1),
        tables=at >= (1, 10, 0),
        logs=at < (3, 0, 0),
        logs_written=at < _BRANCHES["main"],
        logs_drop_on_commit=at < (1, 10, 0),
        logs_keep_equal=at >= (2, 3, 0),
        logs_by_checkpoint=at >= (2, 5, 0),
        logs_checked=at >= (2, 5, 0),
        vector_ranges=at >= (2, 6, 0),
        watermarks_committed=at >= (2, 1, 0),
        watermarks_dropped=at >= (3, 0, 2),
        watermarks_256=at < (2, 1, 0),
        watermarks_typed=at >= (2, 8, 0),
        filters_typed=at >= _BRANCHES["main"],
    )


def era_of_release(release: str) -> str:
    """The era of protobuf messages that a release reads."""
    return LAYOUTS[RELEASES[release].layout].era


def release_number(release: str) -> Number:
    """A release's number, to compare.

    Raises:
        UsageError: it is no release.
    """
    match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)", release)
    if match:
        return int(match[1]), int(match[2]), int(match[3])
    for name, number in _BRANCHES.items():
        if release == name or release.startswith(f"{name}-"):
            return number
    raise UsageError(f"not a release: {release!r:.60}", hint="such as 3.0.3")
