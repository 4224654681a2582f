"""`make bench-servers`: restores into PostgreSQL, MariaDB and SQLite beside inserts row by row,
each committed, as RisingWave's own restore makes them; backups beside pg_dump.

Servers and SQLite wait for the disk at each commit, as in production. The baseline has the values
at hand, decoded and converted; it inserts a hundredth of the rows, in the same mixture. Restores
and backups run in processes of their own, which say how long they took and how much memory.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import data
import measure
import msgspec
import numpy as np
import servers
import sqlalchemy as sa
import worlds

import metasnapshot
from metasnapshot import Blob, MetaSnapshot, SnapshotReader
from metasnapshot.catalogue import changes
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of, section_names, shape_of
from metasnapshot.format.writer import SnapshotWriter
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines import engine_named
from metasnapshot.metastore.load import Target, fitted_rows
from metasnapshot.metastore.values import Fit, to_db
from metasnapshot.operations import backup as backup_operation
from metasnapshot.operations.restore import restoration as restore_operation
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout
from metasnapshot_models.enums import ObjectType
from metasnapshot_models.layouts import LAYOUTS, LOAD_ORDER

COUNTS = {
    "objects": 80_000,
    "tables": 40_000,
    "fragments": 1_000,
    "user_privileges": 60_000,
    "object_dependencies": 20_000,
}
"""Rows that are added to the golden ones; each fragment has a blob of 20 kB."""
ROUNDS = 3
"""In which the baseline, restore and backup take turns; the median of each counts."""
SAMPLE = 100
"""The baseline inserts one row out of so many."""
FIRST = 1_000_000
"""The first new id."""
START = {"postgresql": servers.postgres, "mysql": servers.mariadb}
NAMES = {"postgresql": "PostgreSQL", "mysql": "MariaDB", "sqlite": "SQLite"}
TAG = worlds.TAGS[-1] if worlds.TAGS else None


class Figures(NamedTuple):
    """What a job in a process of its own says."""

    rows: int
    seconds: float
    peak_mib: int

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


def write_snapshot(path: Path, divisor: int) -> None:
    """The golden snapshot with many more rows, or a part of them."""
    golden = metasnapshot.loads((data.GOLDEN / "backup" / "2.snapshot").read_bytes())
    for row in golden.sections["system_parameters"]:
        if row.name == "state_store":
            row.value = data.STATE_STORE
    layout = LAYOUTS[golden.layout]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        writer = SnapshotWriter(file, golden.id, layout)
        for section in section_names(layout):
            if section == HUMMOCK_VERSION:
                writer.write_hummock_version(golden.hummock_version)
                continue
            count = COUNTS.get(section, 0) // divisor
            total = len(golden.sections[section]) + count
            writer.write_section(section, total, _rows(golden, section, count))
        writer.finish()
    data.write_manifest(path)


def _rows(golden: MetaSnapshot, section: str, count: int) -> Iterator[Any]:
    """The golden rows, then copies of one of them with ids of their own."""
    yield from golden.sections[section]
    random = np.random.default_rng(7)
    table = next(row for row in golden.sections["objects"] if row.obj_type is ObjectType.TABLE)
    for number in range(FIRST, FIRST + count):
        template = golden.sections[section][0]
        if section == "objects":
            changes: dict[str, Any] = {"oid": number}
            template = table
        elif section == "tables":
            changes = {"table_id": number, "name": f"table_{number}"}
        elif section == "fragments":
            blob = random.integers(0, 256, data.BLOB_SIZE, dtype=np.uint8).tobytes()
            changes = {"fragment_id": number, "stream_node": Blob(blob)}
        elif section == "user_privileges":
            changes = {"id": number, "oid": number, "dependent_id": None}
        else:
            changes = {"id": number, "oid": number, "used_by": FIRST}
        yield msgspec.structs.replace(template, **changes)


def restore(url: str) -> int:
    """Restore the snapshot in the working directory; returns its rows."""
    with open_meta_store(url) as store:
        options = RestoreOptions(
            "fs://state", "hummock_001", cut_timestamps=True, no_object_check=True
        )
        return sum(restore_operation.restore(data.repository(), store, 2, options).rows.values())


def backup(url: str) -> int:
    """Back up what was restored; the backup is deleted again."""
    found = data.repository()
    with open_meta_store(url) as store:
        result = backup_operation.backup(store, found)
    changes.delete(found, [result.entry.id])
    return sum(result.rows.values())


def run(job: str, url: str) -> Figures:
    """Run one of them in a process of its own."""
    command = [sys.executable, __file__, job, url]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Figures(*json.loads(shown.stdout))


def insert_row_by_row(url: str, path: Path) -> float:
    """Insert every row of a snapshot in a transaction of its own; returns rows a second."""
    engine = sa.make_url(url).get_backend_name()
    with metasnapshot.open(path) as reader:
        layout = LAYOUTS[reader.layout]
        inserts = list(_inserts(reader, layout, engine))
    driver: Any = _connect(url)
    cursor = driver.cursor()
    start = time.perf_counter()
    for statement, values in inserts:
        cursor.execute(statement, values)
    seconds = time.perf_counter() - start
    driver.close()
    return len(inserts) / seconds


def _inserts(
    reader: SnapshotReader, layout: Layout, engine: str
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Statement and values of every row, in an order in which foreign keys hold."""
    forms = engine_named(engine).forms
    target = Target(layout, Fit(forms, cut_timestamps=True))
    first = (ObjectType.DATABASE, ObjectType.SCHEMA)
    quote, mark = ("`" if engine == "mysql" else '"'), ("?" if engine == "sqlite" else "%s")
    for section in [name for name in LOAD_ORDER if name in dict(layout.sections)]:
        model, rows = model_of(layout, section), list(reader.rows(section))
        if section == "objects":
            rows.sort(key=lambda row: first.index(row.obj_type) if row.obj_type in first else 2)
        columns = shape_of(layout, model).columns
        change = [to_db(column, forms) for column in columns]
        names = ", ".join(f"{quote}{column.name}{quote}" for column in columns)
        marks = ", ".join([mark] * len(columns))
        table = f"{quote}{CODECS[model].table}{quote}"
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        for values in fitted_rows(target, model, rows):
            pairs = zip(values, change, strict=True)
            yield (
                statement,
                tuple(value if value is None or to is None else to(value) for value, to in pairs),
            )


def _connect(url: str) -> Any:
    """The driver's own connection, which commits each statement."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return sqlite3.connect(str(parsed.database), isolation_level=None)
    driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[parsed.drivername]
    engine = sa.create_engine(parsed.set(drivername=driver), isolation_level="AUTOCOMMIT")
    connection: Any = engine.connect()
    return connection.connection.driver_connection


@contextmanager
def engines(folder: Path) -> Generator[dict[str, Callable[[str], str]]]:
    """For each engine, what makes an empty meta store of a name and returns its URL."""
    assert TAG is not None

    def sqlite(name: str) -> str:
        path = folder / f"{name}.db"
        with sqlite3.connect(path) as connection:
            connection.executescript((data.GOLDEN / "schema.sqlite.sql").read_text("utf-8"))
        connection.close()
        return f"sqlite:///{path}"

    with (
        servers.postgres(folder / "1", durable=True) as postgres,
        servers.mariadb(folder / "2", durable=True) as mariadb,
    ):
        schemas = [worlds.schema(TAG, server) for server in (postgres, mariadb)]
        yield {
            "postgresql": lambda name: postgres.create(name, schemas[0]),
            "mysql": lambda name: mariadb.create(name, schemas[1]),
            "sqlite": sqlite,
        }


def pg_dump(url: str, target: Path) -> float:
    """Seconds of pg_dump's own compressed format."""
    start = time.perf_counter()
    subprocess.run(["pg_dump", "-Fc", "-f", str(target), url], check=True)  # noqa: S607
    return time.perf_counter() - start


def report(folder: Path) -> None:
    """Print one line for each engine, and one for pg_dump."""
    whole, sample = folder / "backup" / "2.snapshot", folder / "sample" / "2.snapshot"
    write_snapshot(whole, 1)
    write_snapshot(sample, SAMPLE)
    size = whole.stat().st_size / (1 << 20)
    print(f"snapshot of {size:.0f} MiB, {sum(COUNTS.values())} rows and the golden ones, ", end="")
    print(f"{COUNTS['fragments']} of them with blobs of {data.BLOB_SIZE} bytes\n")
    print("| | row by row, rows/s | restore, rows/s | ratio | backup, rows/s | RSS, MiB |")
    print("|---|---|---|---|---|---|")
    dumped = 0.0
    with engines(folder) as found:
        for engine, make in found.items():
            baselines, dumps = list[float](), list[float]()
            loaded, saved = list[Figures](), list[Figures]()
            for number in range(ROUNDS):
                baselines.append(insert_row_by_row(make(f"sample{number}"), sample))
                url = make(f"whole{number}")
                loaded.append(run("restore", url))
                saved.append(run("backup", url))
                if engine == "postgresql":
                    dumps.append(saved[0].rows / pg_dump(url, folder / "dump"))
            print(_line(NAMES[engine], baselines, loaded, saved), flush=True)
            dumped = median(dumps) if dumps else dumped
        print(f"\npg_dump -Fc of the same store: {dumped:.0f} rows/s")


def _line(name: str, baselines: list[float], loaded: list[Figures], saved: list[Figures]) -> str:
    """The medians of an engine's rounds, and the ratio of each."""
    baseline = median(baselines)
    restored, backed_up = (median(item.rate for item in items) for items in (loaded, saved))
    ratios = sorted(item.rate / one for item, one in zip(loaded, baselines, strict=True))
    peaks = ", ".join(str(max(item.peak_mib for item in items)) for items in (loaded, saved))
    each = ", ".join(f"{ratio:.1f}" for ratio in ratios)
    return (
        f"| {name} | {baseline:.0f} | {restored:.0f} | {restored / baseline:.1f} ({each}) "
        f"| {backed_up:.0f} | {peaks} |"
    )


def in_scratch(report: Callable[[Path], None]) -> int:
    """Make a report in a working directory that servers may enter; returns the exit code."""
    if TAG is None:
        print("the schema scripts of the servers are not there", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="metasnapshot-bench-") as scratch:
        for name in (".", "1", "2"):
            (Path(scratch) / name).mkdir(exist_ok=True)
            (Path(scratch) / name).chmod(0o755)
        os.chdir(scratch)
        report(Path(scratch))
    return 0


def main() -> int:
    if len(sys.argv) > 1:
        job = {"restore": restore, "backup": backup}[sys.argv[1]]
        start = time.perf_counter()
        rows = job(sys.argv[2])
        seconds = time.perf_counter() - start
        print(json.dumps(Figures(rows, seconds, measure.own_peak_kib() // 1024)))
        return 0
    return in_scratch(report)


if __name__ == "__main__":
    sys.exit(main())
