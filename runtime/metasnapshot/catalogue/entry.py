"""A snapshot's entry in the manifest, as the release that it belongs to writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from metasnapshot.catalogue.manifest import ManifestEntry, StateTableInfo
from metasnapshot.errors import VersionError
from metasnapshot.format.framing import V2
from metasnapshot.format.messages import era_of
from metasnapshot.format.rules import is_any
from metasnapshot_models.definitions import Layout
from metasnapshot_models.layouts import LAYOUTS
from metasnapshot_models.v1 import V1_LAYOUTS

BY_TABLE = "entry_table_epochs"
"""Rule: max_committed_epoch is taken from the tables instead of from the version."""
HAS_TABLES = "entry_tables"
"""Rule: entries have state_table_info and rw_version."""
IN_SNAKE_CASE = "entry_snake_case"
"""Rule: they have them with numbers and snake_case, and no epochs of the whole cluster."""


def new_entry(
    snapshot_id: int,
    version: Any,
    object_ids: Sequence[int],
    layout: Layout,
    remarks: str | None = None,
    rw_version: str | None = None,
) -> ManifestEntry:
    """Describe a new V2 snapshot.

    Args:
        snapshot_id: its id.
        version: its HummockVersion message.
        object_ids: ids of the objects that it needs.
        layout: decides the dialect.
        remarks: a note.
        rw_version: the release that it is of, if that is certain.
    """
    tables = {table_id: _info(info) for table_id, info in _state_table_info(version)}
    fields: dict[str, Any] = {
        "id": snapshot_id,
        "hummock_version_id": version.id,
        "ssts": list(object_ids),
    }
    epochs: tuple[int | None, int | None] = (None, None)
    if not is_any(IN_SNAKE_CASE, layout.releases):
        safe_epoch = _own_epoch(version, "safe_epoch", layout.name)
        epochs = (_max_committed_epoch(version, tables, layout), safe_epoch)
        fields |= {"max_committed_epoch": epochs[0], "safe_epoch": epochs[1]}
    fields |= {"format_version": V2, "remarks": remarks}
    if is_any(HAS_TABLES, layout.releases):
        write = _snake_case if is_any(IN_SNAKE_CASE, layout.releases) else _camel_case
        fields["state_table_info"] = {str(key): write(info) for key, info in tables.items()}
        fields["rw_version"] = rw_version
    else:
        tables = {}
    return ManifestEntry(
        id=snapshot_id,
        hummock_version_id=version.id,
        format_version=V2,
        remarks=remarks,
        state_table_info=tables,
        rw_version=fields.get("rw_version"),
        max_committed_epoch=epochs[0],
        safe_epoch=epochs[1],
        text=msgspec.json.encode(fields),
    )


def describe(
    snapshot_id: int,
    form: tuple[int, str],
    version: Any,
    object_ids: Sequence[int],
    remarks: str | None = None,
    rw_version: str | None = None,
) -> ManifestEntry:
    """Describe a snapshot of either format; `form` is its format_version and its layout's name, the
    rest as new_entry takes it.
    """
    if form[1] in V1_LAYOUTS:
        return new_v1_entry(snapshot_id, form, version, object_ids, remarks, rw_version)
    return new_entry(snapshot_id, version, object_ids, LAYOUTS[form[1]], remarks, rw_version)


def new_v1_entry(
    snapshot_id: int,
    form: tuple[int, str],
    version: Any,
    object_ids: Sequence[int],
    remarks: str | None = None,
    rw_version: str | None = None,
) -> ManifestEntry:
    """Describe a V1 snapshot, with all that any release of its layout reads: none minds a field
    that it does not know, each misses those of its own time.

    Args:
        snapshot_id: its id.
        form: its format_version and the name of its layout.
        version: its HummockVersion message.
        object_ids: ids of the objects that it needs.
        remarks: a note.
        rw_version: the release that it is of, if that is certain.
    """
    format_version, layout = form
    tables = {table_id: _info(info) for table_id, info in _state_table_info(version)}
    newest = max((info.committed_epoch for info in tables.values()), default=0)
    of_version = _own_epoch(version, "max_committed_epoch", layout)
    releases = V1_LAYOUTS[layout].releases
    largest = newest or of_version if is_any(BY_TABLE, releases) else of_version or newest
    fields: dict[str, Any] = {
        "id": snapshot_id,
        "hummock_version_id": version.id,
        "ssts": list(object_ids),
        "max_committed_epoch": largest,
        "safe_epoch": getattr(version, "safe_epoch", 0),
        "format_version": format_version,
        "remarks": remarks,
    }
    if is_any(HAS_TABLES, releases):
        fields["state_table_info"] = {str(key): _camel_case(info) for key, info in tables.items()}
        fields["rw_version"] = rw_version
    else:
        tables, rw_version = {}, None
    return ManifestEntry(
        id=snapshot_id,
        hummock_version_id=version.id,
        format_version=format_version,
        remarks=remarks,
        state_table_info=tables,
        rw_version=rw_version,
        max_committed_epoch=largest,
        safe_epoch=fields["safe_epoch"],
        text=msgspec.json.encode(fields),
    )


def _state_table_info(version: Any) -> list[tuple[int, Any]]:
    return sorted(getattr(version, "state_table_info", {}).items())


def _info(info: Any) -> StateTableInfo:
    return StateTableInfo(
        info.committed_epoch, info.compaction_group_id, getattr(info, "safe_epoch", None)
    )


def _max_committed_epoch(version: Any, tables: dict[int, StateTableInfo], layout: Layout) -> int:
    if is_any(BY_TABLE, layout.releases):
        return max((info.committed_epoch for info in tables.values()), default=0)
    return _own_epoch(version, "max_committed_epoch", layout.name)


def _own_epoch(version: Any, name: str, layout: str) -> int:
    """An epoch of the whole cluster, which versions of later releases no longer have.

    Raises:
        VersionError: it is of such a release, and its file says that it is of an older one.
    """
    if name not in version.DESCRIPTOR.fields_by_name:
        raise VersionError(
            f"the Hummock version has fields of {era_of(version)}, where there is no {name}, while "
            f"the file's layout is {layout}: its migrations are not those of its writer"
        )
    return int(getattr(version, name))


def _snake_case(info: StateTableInfo) -> dict[str, Any]:
    return {
        "committed_epoch": info.committed_epoch,
        "compaction_group_id": info.compaction_group_id,
    }


def _camel_case(info: StateTableInfo) -> dict[str, Any]:
    """The form of pbjson: 64-bit numbers as text, zeros left out."""
    fields = {
        "committedEpoch": info.committed_epoch,
        "safeEpoch": info.safe_epoch or 0,
        "compactionGroupId": info.compaction_group_id,
    }
    return {name: str(value) for name, value in fields.items() if value}
