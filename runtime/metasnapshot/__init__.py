"""Backup, verification, inspection and restore of the metadata of RisingWave clusters.

import metasnapshot

snapshot = metasnapshot.loads(data)              # a whole snapshot, checksum verified
snapshot.sections["tables"][0].name
assert metasnapshot.dumps(snapshot) == data      # byte for byte

with metasnapshot.open("7.snapshot") as reader:  # one row at a time
    for table in reader.rows("tables"):
        print(table.name)
"""

from __future__ import annotations

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
    "dumps",
    "loads",
    "open",
]
