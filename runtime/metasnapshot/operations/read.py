"""read: the rows of a table of a snapshot, out of the objects of its state store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from metasnapshot.catalogue.area import object_path
from metasnapshot.catalogue.completeness import header_of
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.cluster import catalog_of
from metasnapshot.contents.data_tables import DataTable
from metasnapshot.contents.ownership import DATA_DIRECTORY, STATE_STORE, parameter
from metasnapshot.errors import StorageError, UsageError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.rules import is_any
from metasnapshot.hummock.objects import NeededObject
from metasnapshot.hummock.paths import DATA, is_prefixed
from metasnapshot.hummock.scan import PHYSICAL_SHIFT, SstRef, committed_epoch, plan_scan
from metasnapshot.hummock.table_blocks import MEMORY, ObjectStore
from metasnapshot.operations.crew import MEMORY_MIN, parse_size
from metasnapshot.store.context import PLAIN, Context
from metasnapshot.store.url import open_store

if TYPE_CHECKING:
    from metasnapshot.rows.table import TableRead

Format = Literal["parquet", "csv", "jsonl", "arrow"]
Where = Literal["area", "state"]
SUFFIXES: dict[Format, str] = {
    "parquet": "parquet",
    "csv": "csv",
    "jsonl": "jsonl",
    "arrow": "arrow",
}
EPOCH_START_MS = 1_617_235_200_000


@dataclass(frozen=True)
class Wish:
    """What is wanted of a table.

    Attributes:
        columns: by name; None for all that are not hidden.
        where: a condition on its key, "" for none.
        with_hidden: hidden columns too.
        with_timestamp: when each row was written, as column _rw_timestamp.
        epoch: up to which rows count, None for the one up to which its data is complete.
        on_unfit: "text" if columns whose values may not fit shall be text.
        decimal: "text", or digits of a decimal, such as 38,10.
        time: us or ns.
        timestamp: us or ns.
        dictionary: columns with few values, for Parquet.
        jobs: processes that read one table.
        memory: bytes that reading may take, about.
    """

    columns: tuple[str, ...] | None = None
    where: str = ""
    with_hidden: bool = False
    with_timestamp: bool = False
    epoch: int | None = None
    on_unfit: str = "fail"
    decimal: str = "38,10"
    time: str = "us"
    timestamp: str = "us"
    dictionary: tuple[str, ...] = ()
    jobs: int = 1
    memory: int = MEMORY


ALL = Wish()


@dataclass(frozen=True)
class ReadResult:
    """What was read: how many rows of which table, as of which epoch."""

    table: DataTable
    rows: int
    epoch: int
    columns: tuple[str, ...] = field(default=())


def area_of(
    repository: Repository, snapshot_id: int, url: str, where: Where | None
) -> ObjectStore | None:
    """Where the objects of a full backup lie; None if they are to be read in the state store.

    Args:
        repository: the backup directory.
        snapshot_id: which snapshot.
        url: of the backup directory's store, for other processes.
        where: area or state; by default the area, if the snapshot is full.

    Raises:
        StorageError: the area is wanted, and the snapshot is partial.
        DamageError, UnknownFormat: of its side file.
    """
    if where == "state":
        return None
    names = repository.store.names(repository.directory)
    heads = {head.path: head for head in names.objects}
    if header_of(repository, heads, snapshot_id) is None:
        if where is None:
            return None
        raise StorageError(
            f"snapshot {snapshot_id} is partial: its objects are not in the backup",
            hint="--in state reads them in the state store",
        )
    connect = partial(open_store, url, repository.context.quiet)
    path_of = partial(_area_path, repository.directory)
    return ObjectStore(connect, repository.directory, prefixed=True, path_of=path_of)


def _area_path(directory: str, ref: SstRef) -> str:
    return object_path(directory, NeededObject(ref.object_id, DATA, ref.size, ref.tag))


def objects_of(
    reader: SnapshotReader,
    state: tuple[str, str | None] | None = None,
    context: Context = PLAIN,
) -> ObjectStore:
    """Where the objects of a snapshot lie in its state store.

    Args:
        reader: the snapshot, opened.
        state: URL and data directory of the state store; what is not given is as the snapshot's
            system parameters say.
        context: how it is reached.
    """
    url, directory = state or (None, None)
    parameters = catalog_of(reader).parameters()
    url = url or parameter(parameters, STATE_STORE)
    directory = directory or parameter(parameters, DATA_DIRECTORY)
    return ObjectStore(
        partial(open_store, url, context.quiet), directory, is_prefixed(url, parameters)
    )


def plan_read(
    reader: SnapshotReader, table: DataTable, objects: ObjectStore, wish: Wish = ALL
) -> TableRead:
    """Make ready to read a table; nothing is read yet.

    Raises:
        UsageError: it cannot be read, or not so, and why.
        UnknownFormat: it has a type that is not known.
    """
    if table.refusal:
        raise UsageError(
            f"{table.kind} {table.full_name} cannot be read: {table.refusal}",
            hint="`metasnapshot tables` says of each whether it can",
        )
    module, fit = fitted(wish)
    schema = replace(table.schema(), name=table.full_name)
    version = reader.hummock_version.message
    _require_served(reader, version, table.id, wish.epoch)
    scan = plan_scan(version, table.id, epoch=wish.epoch, retention_s=schema.retention_s)
    from metasnapshot.rows.names import choose_columns  # noqa: PLC0415 - of the extra
    from metasnapshot.rows.where import parse_where  # noqa: PLC0415 - of the extra

    read = module.TableRead(
        objects,
        scan,
        schema,
        choose_columns(schema, wish.columns, with_hidden=wish.with_hidden),
        parse_where(wish.where, schema) if wish.where else (),
        wish.with_timestamp,
        fit,
        memory=wish.memory,
        jobs=wish.jobs,
    )
    for name in wish.dictionary:
        if name not in read.names:
            raise UsageError(f"--dictionary: no column {name} is read", hint="see --columns")
    return read


def fitted(wish: Wish) -> tuple[Any, Any]:
    """The room that makes Arrow of rows, and what types become in it.

    Raises:
        UsageError: pyarrow is not installed, or an option is not valid.
    """
    try:
        from metasnapshot.rows import table  # noqa: PLC0415 - of the extra
        from metasnapshot.rows.fit import DECIMAL_DIGITS, Fit  # noqa: PLC0415
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise UsageError(
            "reading rows needs pyarrow", hint="pip install 'metasnapshot[data]'"
        ) from error
    scale: int | None = None
    if wish.decimal != "text":
        digits, _, behind = wish.decimal.partition(",")
        if digits != str(DECIMAL_DIGITS) or not behind.isdecimal() or int(behind) > DECIMAL_DIGITS:
            raise UsageError(f"--decimal {wish.decimal}", hint="text, or 38,S with S up to 38")
        scale = int(behind)
    return table, Fit(wish.on_unfit == "text", scale, wish.time, wish.timestamp)


def _require_served(reader: SnapshotReader, version: Any, table_id: int, epoch: int | None) -> None:
    """Another epoch than a table's own is read only where RisingWave reads it.

    Raises:
        UsageError: it does not; it may have dropped versions that counted then.
    """
    committed = committed_epoch(version, table_id)
    if epoch is None or epoch >= committed:
        return  # a later one is refused when the scan is planned
    info = version.state_table_info.get(table_id) if hasattr(version, "state_table_info") else None
    safe = getattr(info, "safe_epoch", 0) or getattr(version, "safe_epoch", 0)
    if safe and safe <= epoch and not is_any("query_committed", reader.releases):
        return
    earliest = f"; the earliest is {safe}" if safe else ""
    raise UsageError(
        f"epoch {epoch} of table {table_id} cannot be read: versions of its keys that counted then "
        f"may be gone{earliest}",
        hint=f"its rows are complete at {committed}",
    )


def facts_of(reader: SnapshotReader, table: DataTable, read: TableRead) -> dict[str, str]:
    """What a file of a table's rows says of where they come from."""
    return {
        "metasnapshot.snapshot_id": str(reader.id),
        "metasnapshot.snapshot_checksum": f"{reader.checksum:016x}",
        "metasnapshot.table": table.full_name,
        "metasnapshot.epoch": str(read.scan.epoch),
    }


def write_rows(
    read: TableRead,
    facts: dict[str, str],
    form: Format,
    file: BinaryIO,
    step: Callable[[int], object],
    *,
    stream: bool = False,
    dictionary: Sequence[str] = (),
) -> int:
    """Look for all objects, then write all rows. Returns how many.

    Raises:
        ObjectMissing: an object is gone; nothing was written.
        DamageError: bytes are not as they were written; what was written is not to be trusted.
        ValueUnfit: a value does not fit.
    """
    from metasnapshot.rows import writers  # noqa: PLC0415 - of the extra

    read.objects.look_for(read.scan.refs)
    match form:
        case "parquet":
            return writers.write_parquet(read, file, facts, step, dictionary=tuple(dictionary))
        case "arrow":
            return writers.write_arrow(read, file, facts, step, stream=stream)
        case "csv" | "jsonl":
            return writers.write_lines(read, file, form, step)


def part_path(table: DataTable, form: Format) -> Path:
    """Where a table lies below a directory of all: `database/schema/name/part-00000.parquet`."""
    parts = [_file_name(part) for part in table.parts if part]
    return Path(*parts) / f"part-00000.{SUFFIXES[form]}"


def _file_name(name: str) -> str:
    """A name that is a directory's anywhere: what else there is, is a percent sign and its code."""
    safe = "".join(
        char
        if char.isalnum() or char in "_- "
        else "".join(f"%{byte:02X}" for byte in char.encode())
        for char in name
    )
    return safe or "%"


def memory_size(text: str) -> int:
    """Bytes of memory that a read may take.

    Raises:
        UsageError: it is not a size, or too little.
    """
    size = parse_size(text)
    if size < MEMORY_MIN:
        raise UsageError(f"--memory {text} is too little", hint="at least 1M")
    return size


def epoch_ms(epoch: int) -> int:
    """When an epoch began, in milliseconds since 1970."""
    return (epoch >> PHYSICAL_SHIFT) + EPOCH_START_MS
