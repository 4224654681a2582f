"""Look inside: show which objects of the state store snapshots need."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from metasnapshot import AreaCosts, Pins
from metasnapshot.cli.gauges import tell_pins
from metasnapshot.cli.options import AS_SAID, Directory, Json, SnapshotId, StateStore
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.text import Document, say, say_json, tell
from metasnapshot.errors import ObjectMissing, UsageError
from metasnapshot.spans import counted


def pins(
    *ids: SnapshotId,
    directory: Annotated[Directory, FLAT],
    missing: Annotated[bool, Parameter(help="Look for every object in the state store.")] = False,
    area: Annotated[
        bool, Parameter(help="What full ones cost in the backup, instead of in the state store.")
    ] = False,
    state: Annotated[StateStore, FLAT] = AS_SAID,
    json: Json = False,
) -> int:
    """Show which objects of Hummock snapshots need, and what a delete would free. Exit 17 if
    --missing finds some lost.

    $ metasnapshot pins oldest --backup-storage-url fs:///srv/backups
    """
    if area:
        if missing or state != AS_SAID:
            raise UsageError("--area: the state store is not looked at")
        return _say_area(directory.open().area_costs(ids), json=json)
    place = state.place() if missing else None
    found = directory.open()
    result = found.pins(ids, state=place, look=missing)
    tell_pins(found, result)
    if json:
        say_json(document(result))
    else:
        names = ", ".join(map(str, result.snapshot_ids)) or "none"
        say(f"snapshots {names}: {result.objects} objects, {result.size} bytes")
        say(
            f"no other snapshot needs {result.own_objects} of them, {result.own_size} bytes: a "
            "delete frees them, unless the running cluster needs them"
        )
        for finding in result.lost.kept if result.lost else ():
            tell(finding)
    if not result.lost or not result.lost.missing:
        return 0
    names = ", ".join(map(str, result.snapshot_ids))
    error = ObjectMissing(f"{counted(result.lost.missing, 'object')} of snapshots {names}")
    current().outcome.fail(error)
    return error.exit_code


def _say_area(found: AreaCosts, *, json: bool) -> int:
    if json:
        say_json(
            {
                "snapshot_ids": list(found.snapshot_ids),
                "objects": found.objects,
                "bytes": found.size,
                "own_objects": found.own_objects,
                "own_bytes": found.own_size,
                "area": True,
                "partial_ids": list(found.partial_ids),
            }
        )
        return 0
    names = ", ".join(map(str, found.snapshot_ids)) or "none"
    say(f"snapshots {names}: {found.objects} objects in the backup, {found.size} bytes")
    say(
        f"all others are in other full ones too: a delete frees {found.own_objects} of "
        f"them, {found.own_size} bytes, with gc --objects"
    )
    for number in found.partial_ids:
        say(f"{number}: partial, without objects in the backup")
    return 0


def document(found: Pins) -> Document:
    """What --json prints."""
    document: Document = {
        "snapshot_ids": list(found.snapshot_ids),
        "objects": found.objects,
        "bytes": found.size,
        "own_objects": found.own_objects,
        "own_bytes": found.own_size,
    }
    if found.lost is None:
        return document
    return document | {
        "missing": found.lost.missing,
        "findings": [asdict(item) for item in found.lost.kept],
    }
