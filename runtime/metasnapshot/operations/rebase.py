"""Before a base is deleted its heirs are made independent of it: the oldest that stays becomes a
plain snapshot in the manifest, and the base of the others.

Each of them stays readable if this is killed at any step: the plain file comes first, then its
entry, then each other heir changes its base in one swap, and the delta of the first goes last. The
same again finishes what died.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import ExitStack, contextmanager

from metasnapshot.catalogue.bases import heirs_of, hold_base, let_go
from metasnapshot.catalogue.delta_changes import delta_bytes, replace_delta
from metasnapshot.catalogue.delta_files import delta_files, delta_path
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import drop_stale, sole_writer
from metasnapshot.errors import ConflictError
from metasnapshot.format.delta import Opened
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.operations.materialise import write_plain
from metasnapshot.store.deletes import delete_unless_retained

CHUNK_SIZE = 1 << 20


@contextmanager
def freed_bases(repository: Repository, gone: Collection[int]) -> Generator[None]:
    """For the block, in which they are deleted, no snapshot that stays is a delta of one that goes,
    and none becomes one.

    Args:
        repository: the directory.
        gone: ids of all that are about to be deleted.

    Raises:
        DamageError: an heir that stays cannot be rebuilt; nothing is deleted.
        ConflictError: a delta of one of them came meanwhile; nothing is deleted.
    """
    bases = sorted(_bases_among(repository, gone))
    if bases:
        drop_stale(repository.store, repository.directory, repository.reserved_ids())
    with ExitStack() as stack:
        for base_id in bases:
            stack.enter_context(sole_writer(repository.store, repository.directory, base_id))
        repository.reread()
        for base_id, heirs in heirs_of(repository).items():
            staying = [number for number in heirs if number not in gone]
            if base_id in gone and staying:
                _move_all(repository, base_id, staying, gone)
        _drop_shadows(repository, gone)
        let_go(repository, gone)  # one that was killed may have left marks without any heirs
        _require_free(repository, gone)
        yield


def _bases_among(repository: Repository, gone: Collection[int]) -> set[int]:
    """Those of them that are bases, or are the one that the next delta would be made of."""
    plain = repository.manifest().ids
    return {*heirs_of(repository), max(plain, default=0)} & set(plain) & set(gone)


def _move_all(
    repository: Repository, base_id: int, staying: list[int], gone: Collection[int]
) -> None:
    """Give heirs another base: the first of them, or a plain one between it and the old base, which
    is what somebody left who died at this.
    """
    plain = [number for number in repository.manifest().ids if number not in gone]
    between = [number for number in plain if base_id < number < staying[0]]
    first = max(between, default=staying[0])
    if not between:
        _promote(repository, first)
    for number in staying:
        if number != first:
            _move(repository, number, first)
    _drop(repository, first)


def _drop_shadows(repository: Repository, gone: Collection[int]) -> None:
    """Delete the deltas of what goes and has a plain file too, which one left who died before the
    end: without that file they would be snapshots again. Those whose base goes cannot be rebuilt
    any more, and the plain file is looked at first.
    """
    named = set(repository.manifest().ids)
    for number, file in delta_files(repository.store, repository.directory).items():
        if number not in named:
            continue
        if number not in gone:
            if file.error is not None or file.header.base_id not in gone:
                continue
            with repository.open(number):
                pass
        _drop(repository, number)


def _require_free(repository: Repository, gone: Collection[int]) -> None:
    """Look once more for heirs of what is to be deleted: a backup that saw the mark before it was
    taken away has written its delta by now, one that comes later finds no mark.

    Raises:
        ConflictError: there are some; nothing is deleted.
    """
    repository.forget_deltas()
    for base_id, heirs in heirs_of(repository).items():
        staying = [number for number in heirs if number not in gone]
        if base_id in gone and staying:
            hold_base(repository, base_id, max(staying))
            raise ConflictError(
                f"snapshot {staying[0]} became a delta of {base_id} meanwhile", hint="try again"
            )


def _promote(repository: Repository, number: int) -> None:
    """Make a delta a plain snapshot, marked as a base before its delta may go."""
    file = repository.deltas[number]
    with repository.open(number):  # rebuilt and verified, or nothing is begun
        pass
    write_plain(repository, file, repository, is_here=True)
    repository.reread()


def _move(repository: Repository, number: int, base_id: int) -> None:
    """Make a delta one of another base, which is there as a plain file."""
    file = repository.deltas.get(number)
    if file is None or file.header.base_id == base_id:
        return
    hold_base(repository, base_id, number)
    header, entry = file.header, file.plain
    with repository.get_stream(number) as stream:
        heir = Opened(SnapshotReader(stream), stream)
        taken = (header.taken, header.taken_by)
        data = delta_bytes(repository, base_id, heir, entry, taken, header.cluster_id)
    if data is None:  # it shares little with that one: it is kept whole
        _promote(repository, number)
        _drop(repository, number)
        return
    replace_delta(repository, number, base_id, data)


def _drop(repository: Repository, number: int) -> None:
    """Delete the delta of a snapshot that is a plain file by now."""
    path = delta_path(repository.directory, number)
    if repository.store.head(path) is not None:
        delete_unless_retained(repository.store, path, repository.stays)
    repository.forget_deltas()
