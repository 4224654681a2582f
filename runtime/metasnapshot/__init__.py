"""Backup, verification, inspection and restore of the metadata of RisingWave clusters.

import metasnapshot

snapshot = metasnapshot.loads(data)              # a whole snapshot, checksum verified
snapshot.sections["tables"][0].name
assert metasnapshot.dumps(snapshot) == data      # byte for byte

with metasnapshot.open("7.snapshot") as reader:  # one row at a time
    for table in reader.rows("tables"):
        print(table.name)

Names are loaded when they are first asked for: the command starts before them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from metasnapshot.version import VERSION as __version__  # noqa: N811 - what Python calls it

if TYPE_CHECKING:
    from metasnapshot.errors import MetasnapshotError
    from metasnapshot.format.hummock_version import HummockVersion
    from metasnapshot.format.reader import SnapshotReader
    from metasnapshot.format.scalars import Blob, Fixed, Timestamp
    from metasnapshot.format.snapshot import MetaSnapshot, dumps, loads, open  # noqa: A004

__all__ = [
    "Blob",
    "Fixed",
    "HummockVersion",
    "MetaSnapshot",
    "MetasnapshotError",
    "SnapshotReader",
    "Timestamp",
    "__version__",
    "dumps",
    "loads",
    "open",
]
_MODULES = {
    "errors": ("MetasnapshotError",),
    "format.hummock_version": ("HummockVersion",),
    "format.reader": ("SnapshotReader",),
    "format.scalars": ("Blob", "Fixed", "Timestamp"),
    "format.snapshot": ("MetaSnapshot", "dumps", "loads", "open"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A public name, from the module that has it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
