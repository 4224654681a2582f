"""What a report says, as plain data: no markup, no secret value. Parts that a page cannot hold are
cut here, and each says how much of it was left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from metasnapshot.catalogue.facts import DrillNote
from metasnapshot.catalogue.full_header import Header
from metasnapshot.catalogue.ledger import Verified
from metasnapshot.operations.diff.compare import Change
from metasnapshot.operations.show import Summary

GOOD, DOUBTFUL, BAD = "good", "doubtful", "bad"
"""What a sentence says of the state of things, best first."""


@dataclass(frozen=True)
class Sentence:
    """A statement about the snapshot or the directory, and whether it is good news."""

    level: str
    text: str


@dataclass(frozen=True)
class KindNames:
    """Objects of a kind by full name, sorted, as many as a page holds, and how many there are."""

    kind: str
    count: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class TableSize:
    """A table or materialized view, and the bytes of the objects that hold its rows, at most: they
    hold other tables' too.
    """

    name: str
    kind: str
    size: int
    keys: int


@dataclass(frozen=True)
class Node:
    """Something in the lineage: its id, kind and full name, and how many it reads and who read it.

    Attributes:
        id: of the object.
        kind: tables, materialized views, views, sources or sinks.
        name: of the object, as `database.schema.name`.
        reads: how many of the others it reads.
        readers: how many of the others read it.
    """

    id: int
    kind: str
    name: str
    reads: int
    readers: int


@dataclass(frozen=True)
class Lineage:
    """Who reads whom.

    Attributes:
        nodes: those that a picture holds, the busiest, by id.
        edges: between them.
        node_count: how many are connected with any other.
        edge_count: how many connections there are.
        alone: how many are connected with none.
        busiest: more of them than the picture has, by how many they are connected with.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]
    node_count: int
    edge_count: int
    alone: int
    busiest: tuple[Node, ...]


@dataclass(frozen=True)
class LevelSize:
    """A level of a compaction group: its SSTs and their bytes."""

    group: int
    level: int
    files: int
    size: int


@dataclass(frozen=True)
class Hummock:
    """The version: its id, and its levels by group; further groups are only counted.

    Attributes:
        version_id: of the version.
        levels: of the largest groups, those with files.
        group_count: how many groups there are.
        files: SSTs of all of them.
        size: bytes of all of them.
    """

    version_id: int
    levels: tuple[LevelSize, ...]
    group_count: int
    files: int
    size: int


@dataclass(frozen=True)
class Changes:
    """What changed by name from one snapshot to another: as many as a page holds, and of each kind
    how many were added, removed and changed.
    """

    before_id: int
    after_id: int
    listed: tuple[Change, ...]
    counts: tuple[tuple[str, int, int, int], ...]
    objects_added: int
    objects_removed: int

    @property
    def total(self) -> int:
        """How many there are, listed or not."""
        return sum(sum(numbers) for _, *numbers in self.counts)


@dataclass(frozen=True)
class Inside:
    """What is in the snapshot that the report is about."""

    summary: Summary
    kinds: tuple[KindNames, ...]
    tables: tuple[TableSize, ...]
    table_count: int
    lineage: Lineage
    hummock: Hummock
    risks: tuple[str, ...]
    risk_count: int
    changes: Changes | None
    why_no_changes: str = ""


@dataclass(frozen=True)
class Point:
    """A snapshot among the others, oldest first.

    Attributes:
        id: of the snapshot.
        taken: when, if anything says so.
        is_least: whether it may have been later.
        size: bytes of its file; None if it is lost.
        release: that wrote it, or the first of those that may have.
        is_kept: whether it is marked.
        verified: when it was found sound last.
        full: what its side file says of its objects.
        drill: when it was rehearsed last.
        remarks: a note.
        objects: how many it needs.
        alone: bytes of them; None where not all sizes are known.
        own: bytes of those that no other snapshot needs.
        together: bytes of all that this one and the older ones need, each once, as far as they are
            known.
    """

    id: int
    taken: datetime | None
    is_least: bool
    size: int | None
    release: str
    is_kept: bool
    verified: Verified | None
    full: Header | None
    drill: DrillNote | None
    remarks: str
    objects: int
    alone: int | None
    own: int | None
    together: int


@dataclass(frozen=True)
class Gap:
    """A time without a snapshot that is much longer than usual."""

    after_id: int
    before_id: int | None
    start: datetime
    length: timedelta


@dataclass(frozen=True)
class Directory:
    """All snapshots.

    Attributes:
        place: URL and directory, without credentials.
        manifest_id: of the manifest that was read.
        cluster_ids: the clusters that they are recorded to be of.
        points: the snapshots, oldest first.
        usual: the usual time from one to the next.
        gaps: longer ones, as many as a page holds, longest first.
        gap_count: how many there are.
        files_size: bytes of the snapshot files.
        unmeasured: how many snapshots need objects whose sizes are not known.
    """

    place: str
    manifest_id: int
    cluster_ids: tuple[str, ...]
    points: tuple[Point, ...]
    usual: timedelta | None
    gaps: tuple[Gap, ...]
    gap_count: int
    files_size: int
    unmeasured: int


@dataclass(frozen=True)
class Report:
    """Everything that a page says.

    Attributes:
        made_at: when.
        made_by: this release of metasnapshot.
        snapshot_id: which one it is about; None of an empty directory.
        is_all: whether it is about all of them.
        level: the worst of what it says.
        sentences: what it says of the state of things, worst first.
        inside: what is in the snapshot; None if it cannot be read.
        error: why not.
        error_code: the exit code of that; 0 if it can be read.
        directory: all snapshots.
        history: what changed from each of the newest to the one before it, if it is about all.
        drill: of all snapshots the newest rehearsal, and of which it was.
    """

    made_at: datetime
    made_by: str
    snapshot_id: int | None
    is_all: bool
    level: str
    sentences: tuple[Sentence, ...]
    inside: Inside | None
    error: str
    error_code: int
    directory: Directory
    history: tuple[Changes, ...] = ()
    drill: tuple[int, DrillNote] | None = field(default=None)
