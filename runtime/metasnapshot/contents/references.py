"""Do the rows of a snapshot refer to rows that are there?

References are RisingWave's own foreign keys (as the registry's ddl.yaml has them of each release),
and what the code takes for granted: an object has its row in the table of its kind, a blob is the
message that its column holds, and no row stands twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from metasnapshot.contents.findings import ERROR, WARNING, Finding
from metasnapshot.contents.foreign_keys import Key, Reference, Values, missing, references_of
from metasnapshot.contents.references_v1 import check_v1_references
from metasnapshot.contents.unique_keys import UniqueKeys
from metasnapshot.errors import RowError, TooDeep
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of, shape_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.scalars import Blob
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.enums import ObjectType

KINDS: dict[ObjectType, Key] = {
    ObjectType.DATABASE: ("database", ("database_id",)),
    ObjectType.SCHEMA: ("schema", ("schema_id",)),
    ObjectType.TABLE: ("table", ("table_id",)),
    ObjectType.SOURCE: ("source", ("source_id",)),
    ObjectType.SINK: ("sink", ("sink_id",)),
    ObjectType.VIEW: ("view", ("view_id",)),
    ObjectType.INDEX: ("index", ("index_id",)),
    ObjectType.FUNCTION: ("function", ("function_id",)),
    ObjectType.CONNECTION: ("connection", ("connection_id",)),
    ObjectType.SUBSCRIPTION: ("subscription", ("subscription_id",)),
    ObjectType.SECRET: ("secret", ("secret_id",)),
}
"""Where the row of an object of each kind stands."""
JOBS = (Reference(("fragment", ("job_id",)), ("streaming_job", ("job_id",))),)
"""What no foreign key says, but the code takes for granted."""
SECRETS = tuple(
    Reference((table, ("secret_ref",)), ("secret", ("secret_id",))) for table in ("sink", "source")
)
"""Maps of secret.SecretRef: what they name can be looked up only when the job starts."""
MAP_OF_SECRETS = "secret.SecretRef"
LOST = "a restored cluster would miss it"
TWICE = "no database takes it: restore another snapshot"

Row = tuple[Any, ...]
"""The values of a key in a row."""
Known = dict[Key, Values]
"""What stands in keys."""


def check_references(reader: SnapshotReader) -> Iterator[Finding]:
    """Look at every row of a snapshot.

    Raises:
        DamageError: a row does not decode.
    """
    if reader.is_v1:
        yield from check_v1_references(reader)
        return
    known: Known = {}
    kinds = {kind: Values(key[1], is_integer=True) for kind, key in KINDS.items()}
    foreign = references_of(reader.definition.releases)
    wanted = {key for item in (*foreign, *JOBS, *SECRETS) for key in item}.union(KINDS.values())
    for section in reader.section_names:
        if section != HUMMOCK_VERSION:
            yield from _collect(reader, section, wanted, known, kinds)
    names = _section_names(reader)
    for references, severity in ((foreign, ERROR), (JOBS, ERROR), (SECRETS, WARNING)):
        for key, target in references:
            if key in known and target in known:
                found = missing(known[key], known[target])
                yield from _dangling(names[key[0]], known[key].names, target[0], found, severity)
    for kind, key in KINDS.items():
        if key in known:
            yield from _without_row(kind, names[key[0]], missing(kinds[kind], known[key]))


def _collect(
    reader: SnapshotReader,
    section: str,
    wanted: set[Key],
    known: Known,
    kinds: dict[ObjectType, Values],
) -> Iterator[Finding]:
    """Note the keys of a section, and look into its blobs."""
    layout = reader.definition
    model = model_of(layout, section)
    table = CODECS[model].table
    columns = {column.name: column for column in shape_of(layout, model).columns}
    for name, names in wanted:
        if name == table and columns.keys() >= set(names):
            kind = columns[names[0]].type
            is_integer = kind.kind == "integer" or kind.message == MAP_OF_SECRETS
            known[name, names] = Values(names, is_integer=is_integer)
    noted = [values for key, values in known.items() if key[0] == table]
    secrets = [item for item in noted if columns[item.names[0]].type.message == MAP_OF_SECRETS]
    keys = [item for item in noted if item not in secrets]
    primary = [column.name for column in columns.values() if column.pk]
    blobs = [column.name for column in columns.values() if column.type.message]
    unique = UniqueKeys(layout, section)
    for row in reader.rows(section):
        unique.note_row(row)
        for values in keys:
            values.note_row(row)
        for values in secrets:
            _note_secrets(getattr(row, values.names[0]), values)
        if table == "object":
            kinds[row.obj_type].note((row.oid,))
        for name in blobs:
            error = _no_message(getattr(row, name))
            if error is not None:
                key = ", ".join(str(getattr(row, key)) for key in primary)
                severity = WARNING if isinstance(error, TooDeep) else ERROR
                yield Finding(severity, section, key, f"column {name}: {error.reason}")
    for problem in unique.repeated_in_rows(lambda: reader.rows(section)):
        yield Finding(ERROR, section, "", problem, TWICE)


def _note_secrets(blob: Blob | None, values: Values) -> None:
    """The secrets that a map names."""
    if blob is not None and _no_message(blob) is None:
        secrets: Any = blob.message
        for secret in secrets.values():
            values.note((secret.secret_id,))


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
    section: str, names: Sequence[str], table: str, values: Iterable[Row], severity: str
) -> Iterator[Finding]:
    for value in values:
        row = ", ".join(f"{name} {part}" for name, part in zip(names, value, strict=True))
        what = f"{table} {', '.join(map(str, value))} is not there"
        yield Finding(severity, section, row, what, LOST)


def _without_row(kind: ObjectType, section: str, objects: Iterable[Row]) -> Iterator[Finding]:
    for (number,) in objects:
        what = f"object {number} is a {kind.value}, but there is no such row"
        yield Finding(ERROR, section, f"object {number}", what, LOST)
