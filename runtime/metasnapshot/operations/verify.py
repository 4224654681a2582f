"""verify: are a snapshot's bytes what was written, and would a cluster live with what they say?

Each level includes those before it. `file` hashes the file, compares the checksum, header, frame
and manifest entry, and looks for bytes after the last section that is known; `rows` decodes every
row and the Hummock version; `refs` follows every reference between rows, version and sequences, and
looks for rows that stand twice; `objects` looks for every object in the state store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from msgspec import structs

from metasnapshot.catalogue.ledger import (
    ContentNote,
    Ledger,
    Verified,
    change_ledger,
    read_ledger,
)
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.findings import ERROR, Finding, Findings
from metasnapshot.errors import (
    DamageError,
    MetasnapshotError,
    ObjectMissing,
    StorageError,
    UnknownFormat,
)
from metasnapshot.format.framing import V1
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.operations.cycles import rare_collections
from metasnapshot.store.codes import Denied
from metasnapshot.store.context import PLAIN, Context

if TYPE_CHECKING:
    from metasnapshot.operations.verify_content import ContentCheck, ContentResult

Level = Literal["file", "rows", "refs", "objects"]
HASHES = "hashes"
LEVELS: tuple[str, ...] = get_args(Level)
"""From the quickest to the deepest."""


@dataclass(frozen=True)
class VerifyResult:
    """What was found in one snapshot.

    Attributes:
        snapshot_id: which one.
        level: how deep it was looked at.
        size: bytes of the file.
        checksum: its XXH64.
        layout: the layout that it is in.
        rows: rows in all sections.
        error: None if it is sound.
        remembered: whether the ledger could be written.
        unknown_migrations: what it names that no known release has.
        findings: of the levels refs and objects.
        content: what was found in its objects, if they were to be read.
        skipped: it was not looked at, for it was verified not long ago.
        missing: objects that are not where they must be; None if not all of them were looked at.
    """

    snapshot_id: int
    level: Level
    size: int = 0
    checksum: int = 0
    layout: str = ""
    rows: int = 0
    error: MetasnapshotError | None = None
    remembered: bool = True
    unknown_migrations: tuple[str, ...] = ()
    findings: Findings = field(default_factory=Findings)
    content: ContentResult | None = None
    skipped: bool = False
    missing: int | None = None


@rare_collections()
def verify(
    repository: Repository,
    snapshot_id: int,
    level: Level = "rows",
    state: tuple[str, str | None] | None = None,
    content: ContentCheck | None = None,
) -> VerifyResult:
    """Verify one snapshot. Damage is in the result, not raised; soundness goes into the ledger.

    Args:
        repository: where it is.
        snapshot_id: which one.
        level: how deep to look.
        state: URL and data directory of the state store, for level objects; by default what the
            snapshot's system parameters say.
        content: how to read its objects, if they are to be read.

    Raises:
        SnapshotNotFound: the manifest has no such id.
    """
    repository.entry(snapshot_id)
    result = _verify(repository, snapshot_id, level, state, content)
    note = _note_of(result)

    def change(ledger: Ledger) -> None:
        if result.error is None:
            ledger.verified[snapshot_id] = _joined(ledger.verified.get(snapshot_id), note)
        elif _is_unsound(result):
            ledger.verified.pop(snapshot_id, None)

    try:
        known = read_ledger(repository.store, repository.directory).verified
        if result.error is not None and snapshot_id not in known:
            return result  # nothing is remembered that would have to be forgotten
        change_ledger(repository.store, repository.directory, change)
    except (StorageError, DamageError, Denied):  # what cannot be written can still be verified
        return replace(result, remembered=False)
    return result


def _note_of(result: VerifyResult) -> Verified:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    found = result.content
    content = None if found is None else ContentNote(at, found.where, found.share)
    return Verified(at, result.level, f"{result.checksum:016x}", content)


def _joined(known: Verified | None, note: Verified) -> Verified:
    """What is known now: of the same bytes nothing deeper is forgotten, and no larger share."""
    if known is None or known.checksum != note.checksum:
        return note
    content, before = note.content or known.content, known.content
    if content is not None and before is not None and before.share > content.share:
        content = before
    return structs.replace(known if _is_deeper(known, note) else note, content=content)


def _is_deeper(known: Verified | None, note: Verified) -> bool:
    """Whether more is known of the same bytes already."""
    return (
        known is not None
        and known.checksum == note.checksum
        and known.level in LEVELS
        and LEVELS.index(known.level) > LEVELS.index(note.level)
    )


def is_fresh(
    verified: Verified | None,
    level: Level,
    age_max: timedelta,
    content: ContentCheck | None = None,
) -> bool:
    """Whether a snapshot was verified at this level, or a deeper one, not longer ago than that; and
    if objects are to be read, whether all of them were, at that place. A sample satisfies nobody.
    """
    if verified is None or verified.level not in LEVELS[LEVELS.index(level) :]:
        return False
    if not _is_young(verified.at, age_max):
        return False
    if content is None:
        return True
    note = verified.content
    return (
        note is not None
        and note.share == 1
        and content.kind == HASHES  # nobody notes that data was walked
        and content.where in (None, note.where)
        and _is_young(note.at, age_max)
    )


def _is_young(text: str, age_max: timedelta) -> bool:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return False
    return at.tzinfo is not None and datetime.now(UTC) - at <= age_max


def _verify(
    repository: Repository,
    snapshot_id: int,
    level: Level,
    state: tuple[str, str | None] | None,
    content: ContentCheck | None,
) -> VerifyResult:
    depth, findings = LEVELS.index(level), Findings()
    result = VerifyResult(snapshot_id, level, findings=findings)
    failed: MetasnapshotError | None = None
    try:
        with repository.open(snapshot_id) as reader:
            result = replace(
                result,
                size=reader.size,
                checksum=reader.checksum,
                layout=reader.layout,
                rows=reader.row_count,
                unknown_migrations=reader.unknown_migrations,
            )
            _check_entry(repository, snapshot_id, reader)
            if depth >= LEVELS.index("rows"):
                _decode(reader, repository.entry(snapshot_id).hummock_version_id)
            if depth >= LEVELS.index("refs"):
                findings.add(_check_contents(reader, repository.entry(snapshot_id)))
            if depth >= LEVELS.index("objects"):
                findings.add(find_lost_objects(reader, state, repository.context))
                result = replace(result, missing=findings.missing)
            findings.add(_unknown_bytes(reader))
            if content is not None:
                result, failed = _with_content(repository, reader, result, content)
    except MetasnapshotError as error:
        failed = error
    return replace(result, error=findings.error(f"snapshot {snapshot_id}") or failed)


def _with_content(
    repository: Repository, reader: SnapshotReader, result: VerifyResult, content: ContentCheck
) -> tuple[VerifyResult, MetasnapshotError | None]:
    from metasnapshot.operations.verify_content import check_content  # noqa: PLC0415 - numpy

    found = check_content(repository, reader, content)
    missing = result.missing
    if found.share == 1 or found.findings.missing:  # a sample says nothing of the others
        missing = max(missing or 0, found.findings.missing)
    return replace(result, content=found, missing=missing), found.error(reader.id)


def _is_unsound(result: VerifyResult) -> bool:
    """Whether something is wrong with the snapshot, not with the way to a store."""
    return isinstance(result.error, (DamageError, ObjectMissing)) or bool(
        result.findings.counts[ERROR]
    )


def _check_contents(reader: SnapshotReader, entry: ManifestEntry) -> Iterator[Finding]:
    """What the rows, the Hummock version and the sequences say of each other."""
    from metasnapshot.contents.references import (  # noqa: PLC0415 - of this level; loads numpy
        check_references,
    )
    from metasnapshot.contents.version_findings import check_version  # noqa: PLC0415

    yield from check_references(reader)
    yield from check_version(reader, entry)


def find_lost_objects(
    reader: SnapshotReader,
    state: tuple[str, str | None] | None = None,
    context: Context = PLAIN,
) -> Iterator[Finding]:
    """Look for every object that a snapshot needs.

    Args:
        reader: the snapshot, opened.
        state: URL and data directory of the state store; what is not given is as the snapshot's
            system parameters say.
        context: how it is reached.

    Raises:
        StorageError: the store cannot be listed.
    """
    from metasnapshot.contents.cluster import catalog_of  # noqa: PLC0415
    from metasnapshot.contents.object_findings import look_for  # noqa: PLC0415
    from metasnapshot.contents.ownership import (  # noqa: PLC0415
        DATA_DIRECTORY,
        STATE_STORE,
        parameter,
    )
    from metasnapshot.hummock.objects import needed_by  # noqa: PLC0415 - of this level
    from metasnapshot.store.url import open_store  # noqa: PLC0415

    url, directory = state or (None, None)
    if url is None or directory is None:
        parameters = catalog_of(reader).parameters()
        url = url or parameter(parameters, STATE_STORE)
        directory = directory or parameter(parameters, DATA_DIRECTORY)
    return look_for(open_store(url, context), url, directory, reader, needed_by(reader))


def _unknown_bytes(reader: SnapshotReader) -> Iterator[Finding]:
    """What a restore would lose: sections of a release that the registry lacks."""
    try:
        reader.require_known()
    except UnknownFormat as error:
        place = "after the last section"
        yield Finding(ERROR, "", place, str(error), error.hint, unknown=True)


def _check_entry(repository: Repository, snapshot_id: int, reader: SnapshotReader) -> None:
    """The file is the one that the manifest means."""
    entry = repository.entry(snapshot_id)
    of_entry = max(entry.format_version, V1)  # releases before 1.4 wrote none
    if reader.id != snapshot_id or max(reader.format_version, V1) != of_entry:
        raise DamageError(
            f"snapshot {snapshot_id} holds id {reader.id}, format_version {reader.format_version}; "
            f"the manifest says id {entry.id}, format_version {entry.format_version}"
        )


def _decode(reader: SnapshotReader, version_id: int) -> None:
    """Every row decodes, and the Hummock version is the one that the manifest means."""
    for section in reader.section_names:
        if section != HUMMOCK_VERSION:
            for _ in reader.rows(section):
                pass
    version = reader.hummock_version
    if version.id != version_id:
        raise DamageError(
            f"snapshot {reader.id} holds Hummock version {version.id}, the manifest says "
            f"{version_id}"
        )
