"""A snapshot that a meta node makes for the time of a copy: its objects are pinned as long as it is
there, and it goes afterwards, whatever happened.

What cannot be released at once, because the process was killed or the node was away, is written
down in the backup directory before the node is asked; the next one that comes releases it. Only
what carries the token is ever deleted: the node may be another's by then.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Protocol

from metasnapshot.catalogue.completeness import header_of
from metasnapshot.catalogue.pin import (
    Pin,
    beating_pin,
    new_token,
    pin_path,
    read_pin,
    token_in,
    tokens_among,
    with_token,
)
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import MetaNodeError, MetaNodeUnavailable, MetasnapshotError
from metasnapshot.operations.gc_objects import living
from metasnapshot.store.deletes import delete_if_allowed

logger = logging.getLogger(__name__)
RELEASE_WAIT_S = 20.0
"""How long a release waits for a node that is away, or for a job that nobody waits for any more."""
POLL_S = 1.0
NEXT_HINT = (
    "the next `backup --with-objects --via-meta` into this directory releases it; or `metasnapshot "
    "list --via-meta` shows it, and `delete ID --via-meta` deletes it"
)


class Noted(Protocol):
    """A snapshot as a meta node tells of it."""

    @property
    def id(self) -> int:
        """Its id."""
        ...

    @property
    def remarks(self) -> str | None:
        """Its remarks."""
        ...


class PinningNode(Protocol):
    """What is asked of a meta node."""

    def start(self, remarks: str | None) -> int:
        """Have a snapshot made; returns its id."""
        ...

    def wait(self, job: int, wait_s: float) -> None:
        """Wait until it is made."""
        ...

    def runs(self, job: int) -> bool:
        """Whether it is being made."""
        ...

    def manifest(self) -> tuple[int, Sequence[Noted]]:
        """Id of its manifest, and its snapshots."""
        ...

    def delete(self, ids: Sequence[int]) -> None:
        """Delete snapshots."""
        ...


class Pinning:
    """A snapshot of a meta node for the time of a copy.

    Attributes:
        is_kept: whether the node keeps it; set once that is sure.
        stays: why it could not be released.
    """

    def __init__(self, node: PinningNode, token: str) -> None:
        self._node, self._token = node, token
        self._is_asked = False
        self._job: int | None = None
        self.is_kept = False
        self.stays: MetasnapshotError | None = None

    def make(self, remarks: str | None) -> int:
        """Have it made; returns its id. It must be waited for.

        Raises:
            ConflictError: another job runs.
            MetaNodeError: the node refuses.
            MetaNodeUnavailable: it does not answer; it may make one all the same.
        """
        self._is_asked = True
        try:
            self._job = self._node.start(with_token(remarks, self._token))
        except MetaNodeUnavailable:
            raise
        except MetasnapshotError:
            self._is_asked = False
            raise
        return self._job

    @property
    def is_there(self) -> bool:
        """Whether the node still has it."""
        return bool(pinned_for(self._node, self._token))

    def release(self) -> None:
        """See that the node has no such snapshot, nor makes one.

        Raises:
            MetasnapshotError: nobody knows, or it has one still.
        """
        deadline = time.monotonic() + RELEASE_WAIT_S
        while True:
            is_late = time.monotonic() > deadline
            try:
                may_come = self._may_come()
                if drop_pinned(self._node, self._token):
                    return
                if not may_come:
                    self._require_gone()
                    return
            except MetaNodeUnavailable:
                if is_late:
                    raise
            if is_late:
                raise MetaNodeError("the meta node may still make the snapshot", hint=NEXT_HINT)
            time.sleep(POLL_S)

    def _require_gone(self) -> None:
        """A snapshot of that id without the token may be another's, so it stays."""
        if self._job in {item.id for item in self._node.manifest()[1]}:
            raise MetaNodeError(
                f"snapshot {self._job} there does not carry the remarks that it was made with"
            )

    def _may_come(self) -> bool:
        """Whether there may be a snapshot soon that is not there now."""
        if self._job is None:
            return self._is_asked
        return self._node.runs(self._job)


@contextmanager
def pinning(node: PinningNode, repository: Repository, *, is_kept: bool) -> Generator[Pinning]:
    """Pin for the block, and release in any case; a release that fails is told, and leaves a note
    for the next run.

    Args:
        node: the meta node.
        repository: the backup directory, which has the note.
        is_kept: what is complete in the end stays pinned.
    """
    token = new_token()
    note = beating_pin(repository.store, repository.directory, token, is_kept=is_kept)
    note.begin("the token of a pin is taken")
    held = Pinning(node, token)
    try:
        yield held
    except MetasnapshotError as error:
        _release(held)
        if held.stays is not None:
            error.hint = f"{error.hint}; {held.stays}: {NEXT_HINT}".removeprefix("; ")
        raise
    except BaseException:
        _release(held)
        if held.stays is not None:
            logger.warning("%s: %s", held.stays, NEXT_HINT)
        raise
    else:
        if not held.is_kept:
            _release(held)
    finally:
        note.end(stays=held.stays is not None)


def _release(held: Pinning) -> None:
    held.stays = MetaNodeError("the release of the meta node's snapshot was broken off")
    try:
        held.release()
    except MetasnapshotError as error:
        held.stays = MetaNodeError(f"the meta node's snapshot may stay there: {error}")
    else:
        held.stays = None


class LeftPins:
    """What processes that were killed left pinned.

    Attributes:
        problems: what could not be released, and why.
    """

    def __init__(self, node: PinningNode, repository: Repository) -> None:
        self._node, self._repository = node, repository
        self._dead = list[tuple[str, Pin]]()
        self.problems: list[str] = []

    def release(self) -> None:
        """Release what the node has. One that it has not may be made this moment, so that the note
        stays until `settle`.
        """
        store, directory = self._repository.store, self._repository.directory
        paths = {pin_path(directory, t): t for t in tokens_among(store.names(directory))}
        for path in paths.keys() - living(store, paths):
            token = paths[path]
            if (pin := read_pin(store, directory, token)) is None:
                if store.head(path) is not None:
                    self.problems.append(f"{path} is damaged: what it pins was not released")
                continue
            if not self._drop(token, pin):
                self._dead.append((token, pin))

    def settle(self) -> None:
        """The same once more, when the node makes no snapshot but ours: what it has not now it
        never will, and the notes go.
        """
        store, directory = self._repository.store, self._repository.directory
        for token, pin in self._dead:
            if not self._drop(token, pin):
                delete_if_allowed(store, pin_path(directory, token))

    def _drop(self, token: str, pin: Pin) -> bool:
        """Release, and delete the note; False if there is nothing to release."""
        repository = self._repository
        try:
            ids = pinned_for(self._node, token)
            if not ids:
                return False
            if pin.is_kept and all(_is_complete(repository, number) for number in ids):
                logger.info("snapshot %s stays pinned, as was asked for", ids)
            else:
                drop_pinned(self._node, token)
                logger.warning("released snapshot %s, which a killed backup left pinned", ids)
        except MetasnapshotError as error:
            self.problems.append(f"what a killed backup left pinned may stay there: {error}")
            return True
        delete_if_allowed(repository.store, pin_path(repository.directory, token))
        return True


def pinned_for(node: PinningNode, token: str) -> list[int]:
    """Ids of the snapshots that a meta node made for a token: one at most, as nodes are."""
    return [item.id for item in node.manifest()[1] if token_in(item.remarks) == token]


def drop_pinned(node: PinningNode, token: str) -> bool:
    """Have them deleted; whether there were any.

    Raises:
        MetaNodeError: they are there still.
    """
    ids = pinned_for(node, token)
    if not ids:
        return False
    node.delete(ids)
    if left := pinned_for(node, token):
        raise MetaNodeError(f"snapshot {left[0]} was to be deleted, and is still there")
    return True


def _is_complete(repository: Repository, number: int) -> bool:
    return header_of(repository, Records(repository).heads, number) is not None
