"""Opens a snapshot that is kept as a delta: its file as it would lie there, out of the delta and
its base, and proved by the snapshot's own XXH64.
"""

from __future__ import annotations

import io
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from metasnapshot.catalogue.delta_files import DeltaFile
from metasnapshot.errors import DamageError, ObjectMissing
from metasnapshot.format.framing import BUFFER_SIZE
from metasnapshot.store.port import Store

if TYPE_CHECKING:
    from metasnapshot.format.reader import SnapshotReader


@contextmanager
def rebuilt_file(store: Store, delta: DeltaFile, base: str) -> Generator[BinaryIO]:
    """A snapshot's bytes as a seekable file.

    Args:
        store: where it lies.
        delta: the delta.
        base: where the file of its base should be.

    Raises:
        DamageError: the delta is damaged, or its base is gone or another one.
        UnknownFormat: a later release wrote the delta.
    """
    from metasnapshot.format.rebuilt import RebuiltFile  # noqa: PLC0415 - loads numpy

    found = delta.read()
    with ExitStack() as stack:
        try:
            file = stack.enter_context(store.open_reader(base))
        except ObjectMissing as error:
            raise _lost(delta, base) from error
        yield cast("BinaryIO", io.BufferedReader(RebuiltFile(found, file), BUFFER_SIZE))


@contextmanager
def rebuilt_reader(
    store: Store, delta: DeltaFile, base: str, release: str | None
) -> Generator[SnapshotReader]:
    """A snapshot, verified.

    Raises:
        DamageError: it is not what its writer wrote; says which files.
        UnknownFormat: as rebuilt_file.
    """
    from metasnapshot.format.reader import SnapshotReader  # noqa: PLC0415 - not for a list

    with rebuilt_file(store, delta, base) as file:
        try:
            reader = SnapshotReader(file, release=release)
        except DamageError as error:
            raise error.in_file(f"snapshot {delta.id} ({delta.path} on {base})") from None
        if (proof := f"{reader.checksum:016x}") != delta.header.checksum:
            raise DamageError(
                f"snapshot {delta.id} does not come back: {delta.path} on {base} makes a file "
                f"with XXH64 {proof}, not {delta.header.checksum}",
                hint="the base or the delta is damaged: `metasnapshot verify` of the base says "
                "which",
            )
        if reader.id != delta.id:
            raise DamageError(f"{delta.path} on {base} makes a file that holds id {reader.id}")
        yield reader


def _lost(delta: DeltaFile, base: str) -> DamageError:
    return DamageError(
        f"snapshot {delta.id} is lost: {delta.path} is a delta of snapshot "
        f"{delta.header.base_id}, and {base} is gone",
        hint="put that file back from another copy; RisingWave and risectl delete what they know "
        "no deltas of",
    )
