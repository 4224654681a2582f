"""A small cluster whose state store has every object that its version needs: SSTs, vector files,
graphs and those of change logs, each with bytes of its own.

The version is that of golden snapshot 7. Sizes, places of metas and epochs in it are made those of
the objects; all else is as RisingWave wrote it.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import goldens
from sst_writer import LZ4, ZSTD, Sst, put

import metasnapshot
from metasnapshot.format import messages
from metasnapshot.hummock.checkpoint import write_checkpoint
from metasnapshot.hummock.objects import NeededObjects, needed_objects
from metasnapshot.hummock.paths import DATA, GRAPH, VECTOR, object_path
from metasnapshot.store.local import LocalStore
from metasnapshot.store.port import Store
from metasnapshot_models.layouts import LAYOUTS

TAG = goldens.SHIPPED / "v3.0.3"
LOG_COLUMNS = ("new_value_sst", "old_value_sst")
SIZES = ("file_size", "meta_offset", "min_epoch", "max_epoch")
COUNTS = ("uncompressed_file_size", "total_key_count", "stale_key_count")
EPOCH = 7654321196608000
BLOCK = 64_000
"""Bytes of a block of an SST that is larger."""


class ObjectWorld:
    """A folder with meta.db, a state store with objects, and empty.db to restore into.

    Attributes:
        objects: bytes of each object that the cluster needs, by id.
        needed: what the version says of them.
    """

    def __init__(self, path: Path, state: str = "state", life: int = 0) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.meta = goldens.copy_store(TAG, path / "meta.db")
        self.empty = goldens.empty_store(TAG, path / "empty.db")
        self.state = path / state
        self.life = life
        self.objects: dict[int, bytes] = {}
        snapshot = metasnapshot.loads((TAG / "backup" / "7.snapshot").read_bytes())
        self._layout = LAYOUTS[snapshot.layout]
        self.version: Any = snapshot.hummock_version.message
        self.logs: list[Any] = []
        with closing(sqlite3.connect(self.meta)) as connection, connection:
            self._fill(connection)
            connection.execute(
                "UPDATE system_parameter SET value = ? WHERE name = 'state_store'",
                (f"hummock+fs://{self.state}",),
            )
        self.write_version()
        self.write_objects(LocalStore(self.state))

    @property
    def needed(self) -> NeededObjects:
        own = needed_objects(self.version, ())
        return NeededObjects([*own, *_as_needed(self.logs)])

    def write_version(self) -> None:
        """Put the version into the checkpoint."""
        store = LocalStore(self.state)
        write_checkpoint(store, goldens.DATA_DIRECTORY, self.version, self._layout)

    def write_objects(self, store: Store, directory: str = goldens.DATA_DIRECTORY) -> None:
        """Put every object where a cluster without prefixes has it; what is there stays."""
        for item in self.needed:
            path = object_path(directory, item.id, item.suffix, prefixed=False)
            if store.head(path) is None:
                store.put_if_absent(path, self.objects[item.id])

    def place(self, object_id: int) -> Path:
        """The file of an object in the state store."""
        (found,) = (self.state / goldens.DATA_DIRECTORY).glob(f"{object_id}.*")
        return found

    def add_sst(self, object_id: int, size: int = 0) -> None:
        """Let the version need one more SST, which is there."""
        group = next(iter(self.version.levels.values()))
        info = group.levels[0].table_infos.add()
        table = min(self.version.state_table_info)
        self.objects[object_id] = _fill_sst(info, object_id, table, self.life, size)
        self.write_version()
        self.write_objects(LocalStore(self.state))

    def add_ssts(self, object_ids: Iterable[int]) -> None:
        """The same for many at once."""
        group = next(iter(self.version.levels.values()))
        table = min(self.version.state_table_info)
        for number in object_ids:
            info = group.levels[0].table_infos.add()
            self.objects[number] = _fill_sst(info, number, table, self.life)
        self.write_version()
        self.write_objects(LocalStore(self.state))

    def live_again(self) -> None:
        """From now on it is another life of the cluster: whatever is written has other epochs."""
        self.life += 1
        for info in self.version.state_table_info.values():
            info.committed_epoch += 1 << 16
        self.write_version()

    def add_vectors(self, object_ids: Iterable[int]) -> None:
        """Let the version need so many vector files more, which are there."""
        index = next(iter(self.version.vector_indexes.values()))
        files = getattr(index, index.WhichOneof("variant")).vector_files
        for number in object_ids:
            file = files.add(object_id=number, start_vector_id=number, vector_count=1)
            self._plain(file)
        self.write_version()
        self.write_objects(LocalStore(self.state))

    def remove_sst(self, object_id: int) -> None:
        """Let the version need an SST no more, as after a compaction; its file goes too."""
        for levels in self.version.levels.values():
            for level in (*levels.levels, *levels.l0.sub_levels):
                kept = [sst for sst in level.table_infos if sst.object_id != object_id]
                del level.table_infos[:]
                level.table_infos.extend(kept)
        self.write_version()
        self.place(object_id).unlink()

    def _fill(self, connection: sqlite3.Connection) -> None:
        for sst in _ssts(self.version):
            self._sst(sst)
        for index in self.version.vector_indexes.values():
            variant = getattr(index, index.WhichOneof("variant"))
            for file in variant.vector_files:
                self._plain(file)
            if "graph_file" in variant.DESCRIPTOR.fields_by_name and variant.HasField("graph_file"):
                self._plain(variant.graph_file)
        info = messages.message_class("hummock.SstableInfo", "v3.0.3")
        for column in LOG_COLUMNS:
            query = f"SELECT rowid, {column} FROM hummock_table_change_log"
            for row, data in connection.execute(query).fetchall():
                found = [info.FromString(part) for part in _parts(data)]
                for sst in found:
                    self._sst(sst)
                self.logs += found
                update = f"UPDATE hummock_table_change_log SET {column} = ? WHERE rowid = ?"
                connection.execute(update, (_array(found), row))

    def _sst(self, sst: Any) -> None:
        table = min(sst.table_ids, default=1)
        self.objects[sst.object_id] = _fill_sst(sst, sst.object_id, table, self.life)

    def _plain(self, file: Any) -> None:
        dice = random.Random(file.object_id + self.life)  # noqa: S311 - dice
        data = dice.randbytes(100 + file.object_id % 50)
        file.file_size = len(data)
        self.objects[file.object_id] = data


def fill_message(message: Any, objects: dict[int, bytes]) -> None:
    """Give bytes to every object that a message speaks of, at any depth, and make what it says of
    them true.
    """
    kind = message.DESCRIPTOR.name
    if kind == "SstableInfo":
        objects[message.object_id] = _fill_small(message)
    elif "file_size" in message.DESCRIPTOR.fields_by_name:
        dice = random.Random(message.object_id)  # noqa: S311 - dice
        data = dice.randbytes(100 + message.object_id % 50)
        message.file_size = len(data)
        objects[message.object_id] = data
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            parts = (
                value.values() if field.message_type.fields_by_name["value"].message_type else ()
            )
        else:
            parts = value if field.is_repeated else (value,)
        for part in parts:
            fill_message(part, objects)


def fill_logs(connection: sqlite3.Connection, objects: dict[int, bytes]) -> None:
    """The same for what the rows of change logs need."""
    info = messages.message_class("hummock.SstableInfo", "v3.0.3")
    for column in LOG_COLUMNS:
        query = f"SELECT rowid, {column} FROM hummock_table_change_log"
        for row, data in connection.execute(query).fetchall():
            found = [info.FromString(part) for part in _parts(data)]
            for sst in found:
                fill_message(sst, objects)
            update = f"UPDATE hummock_table_change_log SET {column} = ? WHERE rowid = ?"
            connection.execute(update, (_array(found), row))


def _fill_small(info: Any) -> bytes:
    """Make an SST with some keys of each table of a reference, and say all that is true of it."""
    sst = Sst(filter=b"\1\2\xff")
    dice = random.Random(info.object_id)  # noqa: S311 - dice
    epoch = EPOCH + (info.object_id << 16)
    for table in sorted(info.table_ids) or [1]:
        sst.add(table, [put(b"%03d" % n, epoch, dice.randbytes(40)) for n in range(10)], ZSTD)
    made = sst.info(type(info)(), info.object_id)
    for name in (*SIZES, *COUNTS):
        setattr(info, name, getattr(made, name))
    info.key_range.CopyFrom(made.key_range)
    return sst.data()


def _fill_sst(info: Any, object_id: int, table: int, life: int, size: int = 0) -> bytes:
    """Make an SST and say what is true of it, in a reference of any id, range and tables."""
    sst = Sst(filter=b"\1\2\xff")
    epoch = EPOCH + (life << 20) + (object_id << 16)
    dice = random.Random(object_id)  # noqa: S311 - dice
    for block, algorithm in enumerate((LZ4, ZSTD, 0)):
        value = dice.randbytes(40 + min(size, BLOCK) // 30)
        entries = [put(b"\0%c%03d" % (block, n), epoch, value) for n in range(10)]
        sst.add(table, entries, algorithm)
    for block in range(size // BLOCK):
        sst.add(table, [put(b"\1%06d" % block, epoch, dice.randbytes(BLOCK))], 0)
    made = sst.info(type(info)(), object_id)
    for name in SIZES:
        setattr(info, name, getattr(made, name))
    if not info.object_id:
        info.MergeFrom(made)
        info.sst_size = info.file_size
    return sst.data()


def _ssts(version: Any) -> Iterator[Any]:
    for levels in version.levels.values():
        for level in (*levels.levels, *levels.l0.sub_levels):
            yield from level.table_infos


def _as_needed(ssts: Sequence[Any]) -> Iterator[Any]:
    """What the rows of change logs need: as levels of a version would."""
    version = messages.message_class("hummock.HummockVersion", "v3.0.3")()
    level = version.levels[1].levels.add()
    level.table_infos.extend(ssts)
    yield from needed_objects(version, ())


def _parts(data: bytes) -> Iterator[bytes]:
    """The messages of an array: field 1, repeated."""
    place = 0
    while place < len(data):
        assert data[place] == 0x0A
        size = shift = 0
        place += 1
        while True:
            byte = data[place]
            place += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield data[place : place + size]
        place += size


def _array(ssts: Sequence[Any]) -> bytes:
    out = bytearray()
    for sst in ssts:
        data, size = sst.SerializeToString(), bytearray()
        left = len(data)
        while left >= 0x80:
            size.append(left & 0x7F | 0x80)
            left >>= 7
        out += b"\x0a" + bytes([*size, left]) + data
    return bytes(out)


__all__ = ["DATA", "GRAPH", "VECTOR", "ObjectWorld", "fill_logs", "fill_message"]
