"""`make bench-query`: a GROUP BY over ten million rows of a backup, beside DuckDB over the same
rows in Parquet, and beside `read` into Parquet and DuckDB over that. Time and RSS, as they are.

The table lies nowhere (tests/endless.py); each way runs in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb  # pyright: ignore[reportMissingTypeStubs]
from endless import Endless, peak

from metasnapshot.rows.sql import open_session
from metasnapshot.rows.views import Relation, ViewColumn
from metasnapshot.rows.writers import write_parquet

ROWS = 10_000_000
SSTS = 5
QUERY = "SELECT c6, count(*) AS n, sum(c1) AS s FROM {} GROUP BY c6 ORDER BY c6"
"""Two of eight columns."""
FILE = "rows.parquet"


def table(rows: int) -> Endless:
    one = Endless(SSTS, 1, "eight")
    return Endless(SSTS, max(1, rows // one.rows), "eight")


def ask(store: Endless, folder: Path) -> list[Any]:
    """As `query` does."""
    read = store.read()
    columns = tuple(ViewColumn(name, read.arrow_schema.field(name).type) for name in read.names)

    def batches(wanted: tuple[int, ...]) -> Iterator[Any]:
        return replace(read, places=wanted).batches()

    relation = Relation(("dev", "public", "orders"), columns, batches)
    use = ("dev", "public")
    with open_session([relation], memory=1 << 30, spill=folder, use=use) as session:
        query, _ = session.plan(QUERY.format("orders"))
        with session.result(query, lambda column, _: column) as result:
            return [row for batch in result for row in batch.to_pylist()]


def write(store: Endless, folder: Path) -> int:
    """As `read` does."""
    with (folder / FILE).open("wb") as file:
        return write_parquet(store.read(), file, {}, lambda _: None)


def ask_parquet(folder: Path) -> list[Any]:
    connection = duckdb.connect()
    found = connection.execute(QUERY.format(f"'{folder / FILE}'")).fetchall()
    connection.close()
    return found


WAYS: dict[str, Callable[[Endless, Path], Any]] = {
    "read into Parquet": write,
    "DuckDB over that Parquet": lambda _, folder: ask_parquet(folder),
    "query": ask,
}


def run(way: str, rows: int, folder: Path) -> dict[str, Any]:
    """One way, in a process of its own."""
    words = [sys.executable, __file__, way, str(rows), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> int:
    """All ways, or one."""
    if len(sys.argv) > 2:
        way, rows, folder = sys.argv[1:]
        store = table(int(rows))
        start, cpu = time.monotonic(), time.process_time()
        found = WAYS[way](store, Path(folder))
        seconds = {"wall": time.monotonic() - start, "cpu": time.process_time() - cpu}
        groups = len(found) if isinstance(found, list) else 0
        print(json.dumps({**seconds, "peak": peak(), "rows": store.rows, "groups": groups}))
        return 0
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        print(f"{table(rows).rows} rows of eight columns in {SSTS} SSTs, GROUP BY over two\n")
        print("| | seconds | of the processor | peak RSS, MiB |\n|---|---|---|---|")
        for way in WAYS:
            found = run(way, rows, Path(folder))
            seconds = f"{found['wall']:.1f} | {found['cpu']:.1f}"
            print(f"| {way} | {seconds} | {found['peak'] >> 20} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
