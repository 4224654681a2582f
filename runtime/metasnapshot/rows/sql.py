"""SQL over tables that are read when a query needs them, and only the columns that it needs.

Each table is known to DuckDB as an empty one, and as a view under its own name. The plan of a query
over these says whose columns it reads: what is read then, is those. Nothing else is within reach:
no file, no network, no other setting. No other place imports duckdb.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import duckdb as duckdb_untyped  # pyright: ignore[reportMissingTypeStubs]

from metasnapshot.errors import MetasnapshotError, UsageError
from metasnapshot.rows.arrow import RecordBatch, Schema, pa
from metasnapshot.rows.views import PREFIX, Relation, make_views, quoted, unique_in_sql

duckdb: Any = duckdb_untyped
_COLUMN = re.compile(rf"\b{PREFIX}(\d+)\.(\d+)")
_USE = re.compile(r"\s*use\s", re.IGNORECASE)
PLANS_MAX = 5
BATCH_ROWS = 10_000
SCAN = "SCAN"
ARROW = "ARROW"


class Reads(NamedTuple):
    """What a query reads: the places of columns, by the number of a relation."""

    columns: dict[int, tuple[int, ...]]


class _Lazy:
    """Rows for readers of Arrow, as often as they are asked for."""

    def __init__(self, session: Session, number: int, wanted: tuple[int, ...]) -> None:
        self._session = session
        self._relation = session.relations[number]
        self._schema = self._relation.schema(number)
        self._wanted = wanted

    def __arrow_c_schema__(self) -> Any:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        reader = pa.RecordBatchReader.from_batches(self._schema, self._batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _batches(self) -> Iterator[RecordBatch]:
        """With columns that are not read as NULL: the schema has to be the same."""
        try:
            for batch in self._relation.batches(self._wanted):
                found = dict(zip(self._wanted, batch.columns, strict=True))
                arrays = [
                    found[place] if place in found else pa.nulls(batch.num_rows, item.type)
                    for place, item in enumerate(self._schema)
                ]
                yield pa.record_batch(arrays, schema=self._schema)
        except BaseException as error:
            self._session.failure = error  # DuckDB would tell its words alone
            raise


class Session:
    """A connection that knows some tables and nothing else."""

    def __init__(self, connection: Any, relations: Sequence[Relation], remarks: list[str]) -> None:
        self._connection = connection
        self.relations = relations
        self.remarks = remarks
        """What of names had to be changed."""
        self.failure: BaseException | None = None

    @contextmanager
    def _told(self) -> Generator[None]:
        """Errors of DuckDB as ours.

        Raises:
            UsageError: the query cannot be run.
            MetasnapshotError: what reading a table raised.
        """
        try:
            yield
        except duckdb.Error as error:
            failure, self.failure = self.failure, None
            if failure is not None:
                raise failure from error
            if isinstance(error, duckdb.OutOfMemoryException):
                hint = "more --memory"
            else:
                hint = "`metasnapshot tables` lists the tables; SHOW ALL TABLES in a query too"
            raise UsageError(f"the query: {error}".strip(), hint=hint) from error

    def plan(self, text: str) -> tuple[str, Reads]:
        """Find what a query reads. `USE` may stand before it.

        Returns:
            The query alone, and what it reads; the tables are ready for it.

        Raises:
            UsageError: it is no query, or not one; or it reads a table that cannot be read.
        """
        with self._told():
            statements = self._connection.extract_statements(text)
            if not statements or statements[-1].type.name != "SELECT":
                raise UsageError("not a query", hint="one SELECT, perhaps behind a USE")
            *before, query = statements
            for statement in before:
                if not _USE.match(statement.query):
                    raise UsageError(
                        f"more than a query: {statement.query.strip()}", hint="USE alone may be"
                    )
                self._connection.execute(statement)
            return query.query, self._prepare(query.query)

    def _prepare(self, query: str) -> Reads:
        """Register what is read, until the plan over that reads nothing else."""
        reads = Reads({})
        for _ in range(PLANS_MAX):
            found = self._planned(query)
            more = {
                number: tuple(sorted({*reads.columns.get(number, ()), *places}))
                for number, places in found.items()
            }
            if all(reads.columns.get(number) == places for number, places in more.items()):
                return reads
            reads = Reads({**reads.columns, **more})
            for number, places in reads.columns.items():
                relation = self.relations[number]
                if relation.refusal:
                    name = ".".join(relation.place)
                    raise UsageError(
                        f"{name} cannot be read: {relation.refusal}",
                        hint="`metasnapshot tables` says of each whether it can",
                    )
                lazy = _Lazy(self, number, places)
                self._connection.register(f"{PREFIX}{number}", lazy)
        raise MetasnapshotError(f"DuckDB {duckdb.__version__} plans the query anew each time")

    def _planned(self, query: str) -> dict[int, set[int]]:
        """The columns that the plan of a query reads."""
        ((_, plan), *_) = self._connection.execute(f"EXPLAIN (FORMAT JSON) {query}").fetchall()
        found: dict[int, set[int]] = {}
        for node in _nodes(json.loads(plan)):
            if SCAN not in node["name"] or ARROW not in node["name"]:
                continue
            columns = _COLUMN.findall(json.dumps(node["extra_info"]))
            if not columns:
                raise MetasnapshotError(
                    f"DuckDB {duckdb.__version__} does not say which columns it reads",
                    hint="another release of duckdb may",
                )
            for number, place in columns:
                found.setdefault(int(number), set()).add(int(place))
        return found

    @contextmanager
    def result(self, query: str, expressions: Callable[[str, str], str]) -> Generator[Any]:
        """Run a query that was planned.

        Args:
            query: the query.
            expressions: gives for a column in quotes and its type what is made of it in SQL.

        Returns:
            A pyarrow.RecordBatchReader.
        """
        with self._told():
            relation = self._connection.sql(query)
            names = unique_in_sql(relation.columns)
            columns = ", ".join(f"c{n}" for n in range(len(names)))
            chosen = ", ".join(
                f"{expressions(f'c{n}', str(type_))} AS {quoted(name)}"
                for n, (name, type_) in enumerate(zip(names, relation.types, strict=True))
            )
            whole = f"SELECT {chosen} FROM ({query.rstrip().rstrip(';')}\n) q({columns})"
            yield _Told(self._connection.sql(whole).to_arrow_reader(BATCH_ROWS), self)

    def told(self) -> Any:
        """For readers of a result: errors of DuckDB as ours."""
        return self._told()


class _Told:
    """A reader whose errors are ours."""

    def __init__(self, reader: Any, session: Session) -> None:
        self._reader = reader
        self._session = session
        self.schema: Schema = reader.schema

    def __iter__(self) -> Iterator[RecordBatch]:
        while True:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                return
            except (OSError, pa.ArrowException) as error:  # DuckDB's, through Arrow
                failure, self._session.failure = self._session.failure, None
                if failure is not None:
                    raise failure from error
                raise UsageError(
                    f"the query: {error}", hint="DuckDB's own message says why"
                ) from error
            yield batch


def _nodes(plan: Any) -> Iterator[dict[str, Any]]:
    for node in plan:
        yield node
        yield from _nodes(node["children"])


@contextmanager
def open_session(
    relations: Sequence[Relation], *, memory: int, spill: Path, use: tuple[str, str]
) -> Generator[Session]:
    """A session that knows these tables.

    Args:
        relations: the tables.
        memory: bytes that DuckDB may take.
        spill: a directory of ours, for what does not fit.
        use: database and schema of names that have none.

    Raises:
        UsageError: a database has a name that DuckDB keeps for itself.
    """
    config = {
        "enable_external_access": "false",
        "autoload_known_extensions": "false",
        "autoinstall_known_extensions": "false",
        "memory_limit": f"{memory}B",
        "temp_directory": str(spill),
    }
    with closing(duckdb.connect(":memory:", config=config)) as connection:
        remarks = make_views(connection, relations)
        database, schema = use
        connection.execute(f"USE {quoted(database)}.{quoted(schema)}")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET lock_configuration = true")
        yield Session(connection, relations, remarks)
