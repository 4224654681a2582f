"""Run a query over a snapshot's tables and sections, or over the sections of all snapshots."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.data_tables import DEFAULT_DATABASE, DEFAULT_SCHEMA, DataTable
from metasnapshot.errors import MetasnapshotError, UsageError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.table_blocks import MEMORY
from metasnapshot.operations.query.sections import (
    DATABASE,
    SCHEMA,
    Open,
    Sections,
    section_relations,
)
from metasnapshot.operations.query.tables import TableRelations
from metasnapshot.operations.read import Format
from metasnapshot.store.scratch import scratch_directory

if TYPE_CHECKING:
    from metasnapshot.rows.sql import Session
    from metasnapshot.rows.views import Relation

READING_SHARE = 4
"""Of the memory, a fourth is for reading tables, the rest for DuckDB."""


@dataclass(frozen=True)
class Used:
    """A table of rows that a query reads, and the epoch up to which it does."""

    table: DataTable
    epoch: int


@dataclass
class Query:
    """A query that is planned.

    Attributes:
        tables: that it reads.
        remarks: what is to be known: tables at different epochs, names that were changed.
        failed: snapshots of all that cannot be read and so are not asked, by id, and why.
    """

    tables: list[Used]
    remarks: list[str]
    failed: dict[int, MetasnapshotError]
    _session: Session = field(repr=False)
    _text: str = field(repr=False)

    def write(
        self,
        form: Format,
        file: BinaryIO,
        facts: dict[str, str],
        step: Callable[[int], object],
        *,
        stream: bool = False,
    ) -> int:
        """Write its rows. Returns how many.

        Raises:
            UsageError: DuckDB cannot run it.
            DamageError: bytes of a table are not as they were written.
            ValueUnfit: a value does not fit.
        """
        from metasnapshot.rows import shown  # noqa: PLC0415 - of the extra

        makers = {"csv": shown.for_csv, "jsonl": shown.for_json}
        with self._session.result(self._text, makers.get(form, shown.for_arrow)) as reader:
            return shown.write_result(reader, form, file, facts, step, stream=stream)


@contextmanager
def plan_query(
    relations: TableRelations | None,
    sections: Sections,
    text: str,
    memory: int = MEMORY,
) -> Generator[Query]:
    """Plan a query; its tables' objects are all there.

    Args:
        relations: tables of rows, if any.
        sections: tables of metadata.
        text: the query.
        memory: bytes that DuckDB and reading may take together.

    Raises:
        UsageError: it is no query, or reads what cannot be read; duckdb is not installed.
        ObjectMissing: an object is gone.
    """
    sql = _sql()
    tables: list[Relation] = [] if relations is None else relations.relations()
    use = _usual(relations)
    with (
        scratch_directory("query") as spill,
        sql.open_session(
            [*tables, *sections.relations],
            memory=memory - memory // READING_SHARE,
            spill=spill,
            use=use,
        ) as session,
    ):
        query, reads = session.plan(text)
        used: list[Used] = []
        if relations is not None:
            places: list[int] = sorted(reads.columns)
            chosen = [relations.tables[place] for place in places if place < len(tables)]
            relations.look_for(chosen)
            used = [Used(table, relations.epoch(table)) for table in chosen]
        remarks = list(session.remarks)
        if len({item.epoch for item in used}) > 1:
            epochs = ", ".join(f"{item.table.full_name} {item.epoch}" for item in used)
            remarks.append(f"the tables are as of different epochs: {epochs}")
        yield Query(used, remarks, sections.failed, session, query)


def _usual(relations: TableRelations | None) -> tuple[str, str]:
    """Database and schema of names that have none."""
    places = [] if relations is None else [table.parts[:2] for table in relations.tables]
    usual = (DEFAULT_DATABASE, DEFAULT_SCHEMA)
    return usual if usual in places else min(places, default=(DATABASE, SCHEMA))


def _sql() -> Any:
    """The room that knows DuckDB.

    Raises:
        UsageError: it is not installed.
    """
    try:
        from metasnapshot.rows import sql  # noqa: PLC0415 - of the extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("duckdb", "pyarrow"):
            raise
        raise UsageError(
            "queries need duckdb and pyarrow", hint="pip install 'metasnapshot[query]'"
        ) from error
    return sql


def sections_of(
    repository: Repository, reader: SnapshotReader | None, *, with_secrets: bool
) -> Sections:
    """The sections of an opened snapshot, or of all snapshots, as relations.

    Raises:
        UsageError: duckdb is not installed.
        MetasnapshotError: no snapshot can be read.
    """
    _sql()
    if reader is None:
        opens: Open = repository.open
        ids = repository.ids
        return section_relations(opens, sorted(ids), with_id=True, with_secrets=with_secrets)
    opened = reader

    @contextmanager
    def same(_: int) -> Generator[SnapshotReader]:
        yield opened

    return section_relations(same, [reader.id], with_id=False, with_secrets=with_secrets)
