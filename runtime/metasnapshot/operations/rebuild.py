"""rebuild-manifest: all that a manifest says is in the snapshots' files, but for their remarks.

Each file is verified and described anew. An entry that says the same stays as it is, byte for byte;
remarks and release of an entry that says something else are kept. What a file does not back is
dropped, and a damaged file gets no entry: both are shown before anything is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from metasnapshot.catalogue.completeness import unnamed_ids
from metasnapshot.catalogue.entry import describe
from metasnapshot.catalogue.manifest import Manifest, ManifestEntry
from metasnapshot.catalogue.rebuilder import Rebuilder
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import taken_at
from metasnapshot.errors import DamageError, ObjectMissing, UnknownFormat
from metasnapshot.format.framing import V1
from metasnapshot.hummock.objects import needed_by


@dataclass(frozen=True)
class Rebuilt:
    """A manifest made out of files, and how it differs from the one that is there.

    Attributes:
        manifest: the new one.
        added: ids whose file no entry named.
        changed: ids whose entry said something else.
        dropped: ids of entries without a file.
        damaged: ids of files that do not verify, or cannot be read here, and why.
        is_same: whether there is nothing to write.
        full: ids of those added that have a side file: their objects are in the backup too.
    """

    manifest: Manifest
    added: tuple[int, ...]
    changed: tuple[int, ...]
    dropped: tuple[int, ...]
    damaged: dict[int, str]
    is_same: bool
    full: tuple[int, ...]


def rebuild(repository: Rebuilder) -> Rebuilt:
    """Work out a directory's manifest from its files; writes nothing.

    Raises:
        StorageError: the store cannot be read.
    """
    known = repository.manifest()
    entries = {entry.id: entry for entry in known.entries}
    made: dict[int, ManifestEntry] = {}
    damaged: dict[int, str] = {}
    for number in repository.file_ids():
        try:
            made[number] = _describe(repository, number, entries.get(number))
        except UnknownFormat as error:
            damaged[number] = str(error)
            if number in entries:  # of a format that is not read here: what is known of it stays
                made[number] = entries[number]
        except (DamageError, ObjectMissing) as error:
            damaged[number] = str(error)
    order = [*(number for number in entries if number in made), *sorted(made.keys() - entries)]
    before = max(known.manifest_id, repository.largest_manifest_id(), len(made))
    manifest = replace(
        known, manifest_id=before + 1, entries=tuple(made[number] for number in order)
    )
    names = repository.store.names(repository.directory)
    return Rebuilt(
        manifest,
        added=tuple(sorted(made.keys() - entries)),
        changed=tuple(n for n in order if n in entries and made[n] is not entries[n]),
        dropped=tuple(n for n in entries if n not in made),
        damaged=damaged,
        full=tuple(n for n in unnamed_ids(repository, names) if n in made),
        is_same=not repository.is_damaged
        and [entry.raw for entry in manifest.entries] == [entry.raw for entry in known.entries],
    )


def write(repository: Rebuilder, rebuilt: Rebuilt) -> None:
    """Put a rebuilt manifest in the place of the one that it was made from.

    Raises:
        ConflictError: that one changed meanwhile.
    """
    repository.replace_manifest(rebuilt.manifest)


def _describe(repository: Repository, number: int, known: ManifestEntry | None) -> ManifestEntry:
    """A file's entry: the one that is known if it says what the file says."""
    with repository.open_file(number) as reader:
        if reader.id != number:
            raise DamageError(f"{repository.path(number)} holds id {reader.id}")
        ids = sorted(needed_by(reader).ids)
        only = reader.releases[0] if len(reader.releases) == 1 else ""
        release = only if only[:1].isdigit() else None  # a branch says nothing of its version
        made = describe(
            number,
            (reader.format_version, reader.layout),
            reader.hummock_version.message,
            ids,
            known.remarks if known else None,
            (known.rw_version if known else None) or release,
        )
    is_timeless = known is not None and taken_at(known) is None and taken_at(made) is not None
    if known is not None and _facts(known) == _facts(made) and not is_timeless:
        return known
    return made


def _facts(entry: ManifestEntry) -> tuple[object, ...]:
    """What a file says of an entry."""
    tables = {key: info.committed_epoch for key, info in entry.state_table_info.items()}
    ids = sorted(set(entry.ssts))  # up to 0.1.17 an id may stand there more than once
    return entry.hummock_version_id, max(entry.format_version, V1), ids, tables
