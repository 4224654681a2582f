"""Do the rows of a snapshot refer to rows that are there?

References are those of RisingWave's own foreign keys (its migrations, as the schema of each release
has them), and what the code takes for granted: an object has its row in the table of its kind, a
blob is the message that its column holds, and no row stands twice. Ids are held as arrays of 8
bytes.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from metasnapshot.contents.findings import ERROR, WARNING, Finding
from metasnapshot.contents.references_v1 import check_v1_references
from metasnapshot.contents.unique_keys import UniqueKeys
from metasnapshot.errors import RowError, TooDeep
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of, shape_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.scalars import Blob
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.enums import ObjectType

Column = tuple[str, str]
"""A table and a column of it."""

REFERENCES: dict[Column, Column] = {
    ("actor", "fragment_id"): ("fragment", "fragment_id"),
    ("actor_dispatcher", "actor_id"): ("actor", "actor_id"),
    ("actor_dispatcher", "dispatcher_id"): ("fragment", "fragment_id"),
    ("cdc_table_snapshot_splits", "table_id"): ("object", "oid"),
    ("connection", "connection_id"): ("object", "oid"),
    ("database", "database_id"): ("object", "oid"),
    ("fragment", "job_id"): ("object", "oid"),
    ("fragment_relation", "source_fragment_id"): ("fragment", "fragment_id"),
    ("fragment_relation", "target_fragment_id"): ("fragment", "fragment_id"),
    ("fragment_splits", "fragment_id"): ("fragment", "fragment_id"),
    ("function", "function_id"): ("object", "oid"),
    ("index", "index_id"): ("object", "oid"),
    ("index", "index_table_id"): ("table", "table_id"),
    ("index", "primary_table_id"): ("table", "table_id"),
    ("object", "belong_to_oid"): ("object", "oid"),
    ("object", "database_id"): ("database", "database_id"),
    ("object", "owner_id"): ("user", "user_id"),
    ("object", "schema_id"): ("schema", "schema_id"),
    ("object_dependency", "oid"): ("object", "oid"),
    ("object_dependency", "used_by"): ("object", "oid"),
    ("pending_sink_state", "sink_id"): ("object", "oid"),
    ("refresh_job", "table_id"): ("table", "table_id"),
    ("schema", "schema_id"): ("object", "oid"),
    ("secret", "secret_id"): ("object", "oid"),
    ("sink", "connection_id"): ("connection", "connection_id"),
    ("sink", "sink_id"): ("object", "oid"),
    ("sink", "target_table"): ("table", "table_id"),
    ("source", "connection_id"): ("connection", "connection_id"),
    ("source", "optional_associated_table_id"): ("object", "oid"),
    ("source", "source_id"): ("object", "oid"),
    ("streaming_job", "job_id"): ("object", "oid"),
    ("subscription", "dependent_table_id"): ("object", "oid"),
    ("subscription", "subscription_id"): ("object", "oid"),
    ("table", "belongs_to_job_id"): ("object", "oid"),
    ("table", "dml_fragment_id"): ("fragment", "fragment_id"),
    ("table", "fragment_id"): ("fragment", "fragment_id"),
    ("table", "optional_associated_source_id"): ("object", "oid"),
    ("table", "table_id"): ("object", "oid"),
    ("user_default_privilege", "database_id"): ("database", "database_id"),
    ("user_default_privilege", "grantee"): ("user", "user_id"),
    ("user_default_privilege", "granted_by"): ("user", "user_id"),
    ("user_default_privilege", "schema_id"): ("schema", "schema_id"),
    ("user_default_privilege", "user_id"): ("user", "user_id"),
    ("user_privilege", "dependent_id"): ("user_privilege", "id"),
    ("user_privilege", "granted_by"): ("user", "user_id"),
    ("user_privilege", "oid"): ("object", "oid"),
    ("user_privilege", "user_id"): ("user", "user_id"),
    ("view", "view_id"): ("object", "oid"),
    ("worker_property", "worker_id"): ("worker", "worker_id"),
}
"""What refers to what; a column that a layout lacks, and a NULL, refer to nothing."""
KINDS: dict[ObjectType, Column] = {
    ObjectType.DATABASE: ("database", "database_id"),
    ObjectType.SCHEMA: ("schema", "schema_id"),
    ObjectType.TABLE: ("table", "table_id"),
    ObjectType.SOURCE: ("source", "source_id"),
    ObjectType.SINK: ("sink", "sink_id"),
    ObjectType.VIEW: ("view", "view_id"),
    ObjectType.INDEX: ("index", "index_id"),
    ObjectType.FUNCTION: ("function", "function_id"),
    ObjectType.CONNECTION: ("connection", "connection_id"),
    ObjectType.SUBSCRIPTION: ("subscription", "subscription_id"),
    ObjectType.SECRET: ("secret", "secret_id"),
}
"""Where the row of an object of each kind stands."""
JOBS: dict[Column, Column] = {("fragment", "job_id"): ("streaming_job", "job_id")}
"""What no foreign key says, but the code takes for granted."""
SECRETS: dict[Column, Column] = {
    ("sink", "secret_ref"): ("secret", "secret_id"),
    ("source", "secret_ref"): ("secret", "secret_id"),
}
"""Maps of secret.SecretRef: what they name can be looked up only when the job starts."""
_TARGETS = {*REFERENCES.values(), *KINDS.values(), *JOBS.values(), *SECRETS.values()}
_COLUMNS = {*REFERENCES, *SECRETS, *_TARGETS}
LOST = "a restored cluster would miss it"
TWICE = "no database takes it: restore another snapshot"

Ids = dict[Column, Any]
"""The ids in a column, each once, ascending."""


def check_references(reader: SnapshotReader) -> Iterator[Finding]:
    """Look at every row of a snapshot.

    Raises:
        DamageError: a row does not decode.
    """
    if reader.is_v1:
        yield from check_v1_references(reader)
        return
    ids: dict[Column, array[int]] = defaultdict(lambda: array("q"))
    kinds: dict[ObjectType, array[int]] = defaultdict(lambda: array("q"))
    for section in reader.section_names:
        if section != HUMMOCK_VERSION:
            yield from _collect(reader, section, ids, kinds)
    known: Ids = {
        column: np.unique(np.frombuffer(found, dtype=np.int64)) for column, found in ids.items()
    }
    names = _section_names(reader)
    for references, severity in ((REFERENCES, ERROR), (JOBS, ERROR), (SECRETS, WARNING)):
        for column, target in references.items():
            if column[0] in names and target[0] in names:
                yield from _dangling(names[column[0]], column, target, known, severity)
    for kind, column in KINDS.items():
        if column[0] in names:
            objects = np.unique(np.frombuffer(kinds[kind], dtype=np.int64))
            yield from _without_row(kind, names[column[0]], objects, known.get(column))


def _collect(
    reader: SnapshotReader,
    section: str,
    ids: dict[Column, array[int]],
    kinds: dict[ObjectType, array[int]],
) -> Iterator[Finding]:
    """Note the ids of a section, and look into its blobs."""
    layout = reader.definition
    model = model_of(layout, section)
    table = CODECS[model].table
    columns = shape_of(layout, model).columns
    noted = [
        (column.name, ids[table, column.name])
        for column in columns
        if (table, column.name) in _COLUMNS
    ]
    keys = [column.name for column in columns if column.pk]
    blobs = [column.name for column in columns if column.type.message]
    unique = UniqueKeys(layout, section)
    for row in reader.rows(section):
        unique.note_row(row)
        for name, found in noted:
            found.extend(_referred(getattr(row, name)))
        if table == "object":
            kinds[row.obj_type].append(row.oid)
        for name in blobs:
            error = _no_message(getattr(row, name))
            if error is not None:
                key = ", ".join(str(getattr(row, key)) for key in keys)
                severity = WARNING if isinstance(error, TooDeep) else ERROR
                yield Finding(severity, section, key, f"column {name}: {error.reason}")
    for problem in unique.repeated_in_rows(lambda: reader.rows(section)):
        yield Finding(ERROR, section, "", problem, TWICE)


def _referred(value: Any) -> Iterator[int]:
    """The ids that a value refers to: itself, or those of the secrets in a map."""
    if isinstance(value, Blob):
        if _no_message(value) is None:
            secrets: Any = value.message
            yield from (secret.secret_id for secret in secrets.values())
    elif value is not None:
        yield value


def _no_message(blob: Blob | None) -> RowError | None:
    """Why a blob is not the message of its column; None if it is."""
    try:
        _ = blob and blob.message
    except RowError as error:
        return error
    return None


def _section_names(reader: SnapshotReader) -> dict[str, str]:
    """Sections by table."""
    layout = reader.definition
    return {CODECS[model].table: section for section, model in layout.sections}


def _dangling(
    section: str, column: Column, target: Column, known: Ids, severity: str
) -> Iterator[Finding]:
    refer, there = known.get(column), known.get(target)
    if refer is None:
        return
    missing = refer if there is None else np.setdiff1d(refer, there, assume_unique=True)
    for number in missing.tolist():
        what = f"{target[0]} {number} is not there"
        yield Finding(severity, section, f"{column[1]} {number}", what, LOST)


def _without_row(kind: ObjectType, section: str, objects: Any, rows: Any) -> Iterator[Finding]:
    missing = objects if rows is None else np.setdiff1d(objects, rows, assume_unique=True)
    for number in missing.tolist():
        what = f"object {number} is a {kind.value}, but there is no such row"
        yield Finding(ERROR, section, f"object {number}", what, LOST)
