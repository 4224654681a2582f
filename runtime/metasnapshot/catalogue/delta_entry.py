"""The entry of a snapshot that is kept as a delta, which no manifest has: what lists ask for is in
the delta's header, the rest is read when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from metasnapshot.catalogue.delta_files import DeltaFile
from metasnapshot.catalogue.manifest import ManifestEntry, StateTableInfo
from metasnapshot.errors import MetasnapshotError
from metasnapshot.format.framing import V2

NO_IDS = b'{"ssts":[]}'


@dataclass(frozen=True)
class DeltaEntry(ManifestEntry):
    """The entry that a delta stands for. One that cannot be read has an entry too, which says
    nothing but its id: opening it says why.

    Attributes:
        file: the delta.
    """

    file: DeltaFile = field(kw_only=True, repr=False, compare=False)

    @property
    def base_id(self) -> int | None:
        """The snapshot that it is a delta of; None if it cannot be read."""
        return None if self.file.error else self.file.header.base_id

    @property
    def raw(self) -> bytes:
        """The entry's bytes, as a manifest would have them."""
        return NO_IDS if self._plain is None else self._plain.raw

    @property
    def newest_epoch(self) -> int:
        """The largest epoch that it names."""
        return 0 if self.file.error else self.file.header.newest_epoch

    @property
    def object_count(self) -> int:
        """How many objects it needs."""
        return 0 if self.file.error else self.file.header.objects

    @property
    def id_array(self) -> Any:
        """The ids of its objects as an array of i64."""
        return super().id_array if self._plain is None else self._plain.id_array

    @property
    def ssts(self) -> tuple[int, ...]:
        """Ids of all objects that it needs."""
        return super().ssts if self._plain is None else self._plain.ssts

    @cached_property
    def _plain(self) -> ManifestEntry | None:
        """The same as a manifest would have it, None if that cannot be read."""
        try:
            return self.file.plain
        except MetasnapshotError:
            return None


class _Tables(Mapping[int, StateTableInfo]):
    """The state tables of a delta's entry, read when they are looked at."""

    def __init__(self, file: DeltaFile) -> None:
        self._file = file

    def __getitem__(self, key: int) -> StateTableInfo:
        return self._file.plain.state_table_info[key]

    def __iter__(self) -> Iterator[int]:
        return iter(self._file.plain.state_table_info)

    def __len__(self) -> int:
        return self._file.header.state_tables


def entry_of(file: DeltaFile) -> DeltaEntry:
    """The entry that a delta stands for."""
    if file.error is not None:
        return DeltaEntry(file.id, 0, V2, None, {}, None, None, None, NO_IDS, file=file)
    header = file.header
    return DeltaEntry(
        id=file.id,
        hummock_version_id=header.hummock_version_id,
        format_version=header.format_version,
        remarks=header.remarks,
        state_table_info=_Tables(file),
        rw_version=header.rw_version,
        max_committed_epoch=None,
        safe_epoch=None,
        text=NO_IDS,
        file=file,
    )
