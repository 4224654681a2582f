"""The tree of errors. Each has an exit code, facts, and a hint where there is a next step.

    MetasnapshotError                 1  failed
    ├── UsageError                    2  the command or call was put wrongly
    ├── DamageError                   4  bytes are not what they should be
    │   ├── ChecksumMismatch             a hash differs
    │   ├── Truncated                    less is left than a length or count claims
    │   ├── RowError                     a row that its layout does not allow
    │   │   └── TooDeep              14  messages in messages, more than can be looked into
    │   ├── VersionError                 a Hummock version or checkpoint that does not decode
    │   └── SstDamage                    an SST object that is not as it was written
    │       ├── SstMismatch                a hash in it differs
    │       └── SstTruncated               it ends early, or a length claims more than there is
    ├── ManifestMissing              10  snapshots lie in the directory, but no manifest
    ├── ConflictError                11  locked, or exists already, or changed meanwhile
    │   └── WatchedByOthers              another process watches the directory
    ├── StaleBackups                  5  the newest sound snapshot is too old, or some are lost
    ├── SnapshotNotFound             12  the manifest has no such id
    ├── TargetNotEmpty               13  a restore would write into tables that have rows
    ├── AuthenticationError          15  user or password is wrong
    ├── RetentionLocked              16  a snapshot is kept and must not be deleted
    ├── UnknownFormat                14  a format, layout or schema that is not in the registry
    ├── StorageError                 17  the object store cannot be reached or refuses
    │   ├── ObjectMissing                an object that must exist does not
    │   └── NoObject                     what has its name is a pipe, a device, a broken link, …
    ├── ValueUnfit                    1  a value that the target's engine cannot hold
    ├── DatabaseError                18  the database cannot be reached or refuses
    ├── MetaNodeError                 1  a meta node could not do what it was asked
    │   └── MetaNodeUnavailable      18  it cannot be reached
    ├── SchedulerUnavailable         18  a Dask scheduler or its workers cannot be reached
    ├── InternalError                70  a bug in metasnapshot
    ├── Interrupted                 130  somebody pressed Ctrl-C, or sent SIGTERM
    └── InconsistentStore             1  the meta store contradicts itself or its checkpoint
        └── DeltaError                   a version delta does not fit the version before it

Upstream's BackupError (src/storage/backup/src/error.rs) and what stands for its kinds here:

    BackupStorage, StateStorage      StorageError, ObjectMissing
    MetaStorage                      DatabaseError
    Encoding, Decoding               RowError, Truncated, VersionError, UnknownFormat
    ChecksumMismatch                 ChecksumMismatch
    NonemptyMetaStorage              TargetNotEmpty
    Other                            InconsistentStore, UsageError
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

SOME_FAILED = 3
"""Exit code of a verb that did a part of its work; it says which part failed, and goes on."""


class MetasnapshotError(Exception):
    """Any foreseen failure. `str()` says what and where; `hint`, if any, what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: with its facts, whatever its constructor takes."""
        return _again, (type(self), self.args), self.__dict__

    def in_file(self, place: str) -> Self:
        """The same, with the place before its words, where only a caller knows it."""
        self.args = (f"{place}: {self}",)
        return self


def _again(kind: type[MetasnapshotError], words: tuple[Any, ...]) -> MetasnapshotError:
    return kind.__new__(kind, *words)


def _spelt(place: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in place.items() if value is not None)


class UsageError(MetasnapshotError):
    """The command line, configuration or call asks for something that makes no sense."""

    exit_code = 2


class DamageError(MetasnapshotError):
    """Stored bytes are not what their writer wrote."""

    exit_code = 4


class ChecksumMismatch(DamageError):
    """The XXH64 of some bytes, `computed`, is not the one stored with them, `stored`."""

    def __init__(self, what: str, *, stored: int, computed: int, hint: str = "") -> None:
        super().__init__(
            f"checksum mismatch in {what}: stored {stored:016x}, computed {computed:016x}",
            hint=hint or "the bytes are damaged or cut; restore them from another copy",
        )
        self.stored = stored
        self.computed = computed


class Truncated(DamageError):
    """A length or count claims more bytes than are left. Offsets are those of the file."""

    def __init__(self, what: str, *, section: str, row: int | None, offset: int) -> None:
        place = section if row is None else f"{section}, row {row}"
        super().__init__(f"truncated snapshot: {what} ({place}, offset {offset})")
        self.section = section
        self.row = row
        self.offset = offset


class RowError(DamageError):
    """A row that its layout does not allow. `section`, `row`, `column` say where, if known."""

    def __init__(
        self,
        reason: str,
        *,
        section: str = "",
        row: int | None = None,
        column: str = "",
        offset: int | None = None,
    ) -> None:
        self.reason = reason
        self.section = section
        self.row = row
        self.column = column
        self.offset = offset
        named: dict[str, Any] = {"section": section or None, "row": row}
        place = _spelt(named | {"column": column or None, "offset": offset})
        super().__init__(f"{place}: {reason}" if place else reason)

    def at(self, *, section: str, row: int | None = None, offset: int | None = None) -> RowError:
        """The same error with its place."""
        return RowError(self.reason, section=section, row=row, column=self.column, offset=offset)


class TooDeep(RowError):
    """A message that is nested deeper than this library follows; RisingWave's own has no limit, so
    it is no damage.
    """

    exit_code = 14


class VersionError(DamageError):
    """A Hummock version or checkpoint does not decode, or has fields that no known release has."""


class SstDamage(DamageError):
    """An SST object is not what its writer wrote. `name`, `block` and `offset` say where: the
    object's path, the number of a block (None outside any) and a place in the object's bytes.
    """

    def __init__(
        self, reason: str, *, name: str = "", block: int | None = None, offset: int | None = None
    ) -> None:
        place = _spelt({"object": name or None, "block": block, "offset": offset})
        hint = "the object is damaged; restore it from another copy"
        super().__init__(f"{place}: {reason}" if place else reason, hint=hint)
        self.reason = reason
        self.name = name
        self.block = block
        self.offset = offset


class SstMismatch(SstDamage):
    """The XXH64 of a block or of the meta, `computed`, is not the one stored, `stored`."""

    def __init__(self, what: str, *, stored: int, computed: int, **where: Any) -> None:
        reason = f"checksum mismatch in {what}: stored {stored:016x}, computed {computed:016x}"
        super().__init__(reason, **where)
        self.stored = stored
        self.computed = computed


class SstTruncated(SstDamage):
    """An SST object ends early, or a length in it claims more bytes than there are."""


class StaleBackups(MetasnapshotError):
    """The newest sound snapshot is too old, or there are too few, or some are lost."""

    exit_code = 5


class ManifestMissing(MetasnapshotError):
    """Snapshots lie in a directory without a manifest."""

    exit_code = 10


class ConflictError(MetasnapshotError):
    """Somebody else holds, made or changed the thing meanwhile."""

    exit_code = 11


class WatchedByOthers(ConflictError):
    """Another process watches the directory."""


class SnapshotNotFound(MetasnapshotError):
    """The manifest names no snapshot of this id, or none at all where the latest is asked for."""

    exit_code = 12

    def __init__(self, snapshot_id: int | str, known: Sequence[int], hint: str = "") -> None:
        super().__init__(
            f"snapshot id {snapshot_id} not found"
            if isinstance(snapshot_id, int)
            else f"no {snapshot_id} snapshot: there is none",
            hint=hint or f"the manifest has {', '.join(map(str, known)) or 'none'}",
        )
        self.snapshot_id = snapshot_id
        self.known = tuple(known)


class TargetNotEmpty(MetasnapshotError):
    """Meta tables that a restore would fill have rows. `rows` counts them by table, `shown` says so
    in short.
    """

    exit_code = 13

    def __init__(self, rows: dict[str, int], shown: str) -> None:
        super().__init__(
            f"meta store is not empty before being restored: {shown}",
            hint="is it the right database? if no running cluster uses it, --clean empties "
            "its tables first; a schema that a meta node just made has rows too",
        )
        self.rows = rows


class UnknownFormat(MetasnapshotError):
    """A snapshot format, layout or meta store schema that the registry does not describe."""

    exit_code = 14


class AuthenticationError(MetasnapshotError):
    """A server does not let this user in, or not with this password."""

    exit_code = 15


class RetentionLocked(MetasnapshotError):
    """A snapshot carries a keep mark."""

    exit_code = 16


class StorageError(MetasnapshotError):
    """The object store cannot be reached or refuses."""

    exit_code = 17


class ObjectMissing(StorageError):
    """An object that must exist does not. `path` is its path in the store."""

    def __init__(self, path: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(f"no such object: {path}{f' in {where}' if where else ''}", hint=hint)
        self.path = path


class NoObject(StorageError):
    """What has an object's name is no object: a directory, a pipe, a device, a broken link."""


class InconsistentStore(MetasnapshotError):
    """A meta store contradicts itself or its checkpoint: no right snapshot can be made of it."""


class DeltaError(InconsistentStore):
    """A version delta does not fit the version before it: a meta node would panic. `delta_id`,
    `group_id` (None outside any compaction group) and `rule` say where.
    """

    def __init__(self, reason: str, delta_id: int, group_id: int | None, rule: str) -> None:
        group = "" if group_id is None else f", compaction group {group_id}"
        super().__init__(f"version delta {delta_id}{group}, {rule}: {reason}")
        self.reason = reason
        self.delta_id = delta_id
        self.group_id = group_id
        self.rule = rule


class DatabaseError(MetasnapshotError):
    """The meta store cannot be reached or refuses."""

    exit_code = 18


class MetaNodeError(MetasnapshotError):
    """A meta node could not do what it was asked."""


class MetaNodeUnavailable(MetaNodeError):
    """A meta node cannot be reached."""

    exit_code = 18


class SchedulerUnavailable(MetasnapshotError):
    """A Dask scheduler cannot be reached, or has no worker, or they were lost."""

    exit_code = 18


class ValueUnfit(MetasnapshotError):
    """A value that the engine of the target would change or refuse. Nothing was written."""


class InternalError(MetasnapshotError):
    """Something that cannot happen happened; only the command line makes one, of what it caught."""

    exit_code = 70


class Interrupted(MetasnapshotError):
    """Somebody interrupted the command; only the command line makes one."""

    exit_code = 130
