"""The marks of bases. While a snapshot is one, it stands among the kept ones of the ledger: 0.1.0,
which knows no deltas, refuses to delete it then. Beside the ledger, in the facts, it is noted that
the mark is ours and not the operator's. Without that note it counts as the operator's.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping

import msgspec

from metasnapshot.catalogue.facts import Facts, read_facts, record_facts
from metasnapshot.catalogue.ledger import Ledger, change_ledger, read_ledger
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.rehearsals import known_facts
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import NoObject, ObjectMissing
from metasnapshot.format.checksum import read_checksum


def heirs_of(repository: Repository) -> dict[int, list[int]]:
    """The deltas of each base, ascending; those that cannot be read are of none."""
    found: dict[int, list[int]] = {}
    for number, file in sorted(repository.deltas.items()):
        if file.error is None:
            found.setdefault(file.header.base_id, []).append(number)
    return found


def lost_bases(repository: Repository) -> list[tuple[list[int], str]]:
    """Which deltas cannot be rebuilt any more, and why, in words: their header is damaged, or their
    base is gone or has other bytes. The bases are looked at, the deltas are not read.
    """
    found: list[tuple[list[int], str]] = []
    for number, file in sorted(repository.deltas.items()):
        if file.error is not None:
            found.append(([number], f"snapshot {number}: {file.error}"))
    for base_id, heirs in sorted(heirs_of(repository).items()):
        by_hash: dict[tuple[int, str], list[int]] = {}
        for number in heirs:
            header = repository.deltas[number].header
            by_hash.setdefault((header.base_size, header.base_checksum), []).append(number)
        there = _trailer(repository, base_id)
        for wanted, ids in by_hash.items():
            if wanted != there:
                what = "is gone" if there is None else "is another one now"
                lost = ", ".join(map(str, ids))
                deltas = f"lost: {lost}" if len(ids) > 1 else f"lost: snapshot {lost}"
                found.append((ids, f"the base {base_id} {what}; {deltas}"))
    return found


def _trailer(repository: Repository, snapshot_id: int) -> tuple[int, str] | None:
    """Size and XXH64 of a snapshot's file, as it says them; None if it is gone."""
    try:
        with repository.store.open_reader(repository.path(snapshot_id)) as file:
            size = file.seek(0, os.SEEK_END)
            return size, read_checksum(file, size)
    except (ObjectMissing, NoObject):
        return None


def hold_base(repository: Repository, base_id: int, coming: int) -> None:
    """Mark a base before a delta of it is written, and see that no older release gives the delta's
    id again: they do not look for deltas, but never give what was deleted.

    Args:
        repository: the directory.
        base_id: the base.
        coming: the id of the delta.
    """
    store, directory = repository.store, repository.directory
    if base_id not in read_ledger(store, directory).kept:
        _note(repository, base_id, is_ours=True)

    def change(ledger: Ledger) -> None:
        ledger.kept = sorted({*ledger.kept, base_id})
        ledger.last_deleted = max(ledger.last_deleted, coming)

    change_ledger(store, directory, change)


def let_go(repository: Repository, ids: Iterable[int]) -> None:
    """Drop our marks of those that are no bases any more; the operator's stay."""
    found = read_facts(repository.store, repository.directory)
    ours = {number for number in ids if number in found and found[number].kept_as_base}
    if not ours:
        return

    def change(ledger: Ledger) -> None:
        ledger.kept = [number for number in ledger.kept if number not in ours]

    change_ledger(repository.store, repository.directory, change)
    for number in sorted(ours):
        _note(repository, number, is_ours=False)


def let_go_of_childless(repository: Repository) -> None:
    """Drop our marks of all that have no deltas; a backup that is about to write the first one
    finds the mark gone, and says so.
    """
    repository.reread()
    let_go(repository, set(repository.manifest().ids) - set(heirs_of(repository)))


def mark_by_operator(repository: Repository, ids: Collection[int], *, release: bool) -> list[int]:
    """Keep snapshots as the operator wants, or let go of them; returns all that the operator keeps.
    What deltas need stays marked then, as ours.
    """
    store, directory = repository.store, repository.directory
    needed = set(heirs_of(repository))
    marked = read_ledger(store, directory).kept
    for number in sorted(ids):
        if release and number in needed and number in marked:
            _note(repository, number, is_ours=True)
        elif not release:
            _note(repository, number, is_ours=False)
    gone = {number for number in ids if number not in needed} if release else set[int]()
    coming = set[int]() if release else set(ids)

    def change(ledger: Ledger) -> None:
        ledger.kept = sorted((set(ledger.kept) - gone) | coming)

    ledger = change_ledger(store, directory, change)
    return sorted(kept_by_operator(ledger, read_facts(store, directory)))


def kept_by_operator(ledger: Ledger, facts: Mapping[int, Facts]) -> set[int]:
    """Those of the kept ones that the operator marked."""
    ours = {number for number, found in facts.items() if found.kept_as_base}
    return set(ledger.kept) - ours


def _note(repository: Repository, snapshot_id: int, *, is_ours: bool) -> None:
    """Note whose the mark of a snapshot is; a note that says so already is left alone."""
    entry = repository.entry(snapshot_id)
    facts = known_facts(repository, entry) if is_ours else Records(repository).facts(entry)
    if facts is None or facts.kept_as_base == is_ours:
        return
    changed = msgspec.structs.replace(facts, kept_as_base=is_ours)
    record_facts(repository.store, repository.directory, snapshot_id, changed)
