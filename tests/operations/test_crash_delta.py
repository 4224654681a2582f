"""kill -9 at any step of a backup as delta, of a delete that rewrites heirs, and of a copy: every
snapshot that was there comes back byte for byte, and the same again ends well.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from deaths import PARTS, deaths
from delta_world import DeltaWorld

from metasnapshot.catalogue.repository import Repository
from metasnapshot.operations.check import check
from metasnapshot.operations.copy import copy
from metasnapshot.operations.delete import delete
from metasnapshot.store.local import LocalStore


def filled(path: Path) -> DeltaWorld:
    """A plain snapshot and two deltas of it, and a change that no snapshot has."""
    world = DeltaWorld(path)
    world.fill(3)
    world.change("last")
    return world


def first_delta(path: Path) -> DeltaWorld:
    """A plain snapshot that is no base yet."""
    world = DeltaWorld(path)
    world.fill(1)
    world.change("last")
    return world


@pytest.mark.parametrize("part", PARTS)
def test_backup(memory_path: Path, part: int) -> None:
    """Nothing but the new snapshot may be missing; what is listed is sound, and no id is given
    twice.
    """
    points, died = deaths(first_delta, DeltaWorld.back_up, memory_path, part)
    before = filled_bytes(memory_path)
    (base,) = before
    for number in points:
        world = died(number)
        found = world.plain_bytes()
        assert before.items() <= found.items()
        assert len(found) <= 2
        assert check(world.backups, None, 1).problems == ()
        again = world.back_up()
        assert again.base == base
        assert again.entry.id > max(found)
        assert before.items() <= world.plain_bytes().items()
        delete(world.backups, list(world.backups.ids))  # no mark is left that keeps it
        assert set() == world.names()


def filled_bytes(path: Path) -> dict[int, bytes]:
    """The snapshots of the world as it was kept."""
    world = DeltaWorld.__new__(DeltaWorld)
    world.path = path / "kept"
    return world.plain_bytes()


@pytest.mark.parametrize("part", PARTS)
def test_delete_of_a_base(memory_path: Path, part: int) -> None:
    """Heirs come back at every step, and again when the delete is done a second time."""

    def job(world: DeltaWorld) -> None:
        delete(world.backups, [min(world.backups.ids)])

    points, died = deaths(filled, job, memory_path, part)
    before = filled_bytes(memory_path)
    base = min(before)
    heirs = {number: data for number, data in before.items() if number != base}
    for number in points:
        world = died(number)
        found = world.plain_bytes()
        assert heirs.items() <= found.items() <= before.items()
        assert check(world.backups, None, 2).problems == ()
        if base in found:
            delete(world.backups, [base])
        assert heirs == world.plain_bytes()
        assert len(world.backups.manifest().ids) == 1
        made = world.back_up()
        assert made.base == world.backups.manifest().ids[0]
        delete(world.backups, list(world.backups.ids))
        assert world.plain_bytes() == {}


@pytest.mark.long
def test_delete_of_a_delta(memory_path: Path) -> None:
    """It is there or not, and the others do not notice."""

    def job(world: DeltaWorld) -> None:
        delete(world.backups, [max(world.backups.ids)])

    points, died = deaths(filled, job, memory_path)
    before = filled_bytes(memory_path)
    gone = max(before)
    others = {number: data for number, data in before.items() if number != gone}
    for number in points:
        world = died(number)
        found = world.plain_bytes()
        assert others.items() <= found.items() <= before.items()
        if gone in found:
            delete(world.backups, [gone])
        assert others == world.plain_bytes()


@pytest.mark.long
@pytest.mark.parametrize("materialise", [False, True])
def test_copy(memory_path: Path, *, materialise: bool) -> None:
    """What came is whole, and the same again brings the rest."""

    def target(world: DeltaWorld) -> Repository:
        return Repository(LocalStore(world.path), "other")

    def job(world: DeltaWorld) -> None:
        copy(world.backups, target(world), world.backups.ids, materialise=materialise)

    points, died = deaths(filled, job, memory_path)
    before = filled_bytes(memory_path)
    for number in points:
        world = died(number)
        assert bytes_in(target(world)).items() <= before.items()
        job(world)
        assert before == bytes_in(target(world))


def bytes_in(repository: Repository) -> dict[int, bytes]:
    """Each snapshot's own file, verified."""
    found: dict[int, bytes] = {}
    for number in repository.ids:
        with repository.open(number), repository.get_stream(number) as file:
            found[number] = file.read()
    return found
