"""Keep house: back up, verify and expire again and again, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import TIMEOUT_MAX
from typing import Annotated
from uuid import uuid4

from cyclopts import Parameter

from metasnapshot.catalogue.clusters import entries_of
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.watcher import Watcher
from metasnapshot.cli.meta_store import MetaStoreAt
from metasnapshot.cli.objects import UNCOPIED, CopyObjects
from metasnapshot.cli.options import AS_SAID, Directory, StateStore
from metasnapshot.cli.parameters import DURATION, FLAT
from metasnapshot.cli.policy import NO_RULE, PolicyOptions
from metasnapshot.cli.process import interrupts
from metasnapshot.cli.run import current
from metasnapshot.cli.watch_log import Form, WatchLog
from metasnapshot.errors import MetasnapshotError, UsageError, WatchedByOthers
from metasnapshot.metastore.connect import MetaStore
from metasnapshot.operations import expire as expiring
from metasnapshot.operations.backup import BackupOptions, BackupResult, backup
from metasnapshot.operations.expire import Policy
from metasnapshot.operations.verify import Level, verify

RW_VERSION = Parameter(help="The cluster's release, as for backup.")


def watch(
    *,
    every: Annotated[
        timedelta, DURATION, Parameter(help="Time from one backup to the next, such as 30m.")
    ],
    store: Annotated[MetaStoreAt, FLAT],
    directory: Annotated[Directory, FLAT],
    state: Annotated[StateStore, FLAT] = AS_SAID,
    policy: Annotated[PolicyOptions, FLAT] = NO_RULE,
    level: Annotated[Level, Parameter(help="How deep each new snapshot is verified.")] = "rows",
    rw_version: Annotated[str | None, RW_VERSION] = None,
    objects: Annotated[CopyObjects, FLAT] = UNCOPIED,
    rounds: Annotated[
        int | None, Parameter(help="Stop after this many rounds; by default never.")
    ] = None,
    log: Annotated[Form, Parameter(help="Tell rounds in lines of text, or of JSON.")] = "text",
) -> int:
    r"""Back up, verify and expire again and again, in one process a directory. A round that
    fails is told, and the next one comes. Without a --keep rule nothing is expired. SIGTERM ends
    it with 0.

    $ metasnapshot watch --every 30m --keep-daily 14 \
        --meta-store postgresql://meta@db/meta --backup-storage-url s3://bucket
    """
    if not every:
        raise UsageError("--every is no time at all", hint="such as 30m")
    place = state.place() if level == "objects" else None  # no other looks into the state store
    found = directory.open()
    round_ = Round(
        found,
        store,
        BackupOptions(
            state.hummock_storage_url, state.hummock_storage_directory, rw_version=rw_version
        ),
        policy,
        level,
        place,
        WatchLog(log),
        objects,
    )
    return _keep_watch(round_, every, rounds)


def _keep_watch(round_: Round, every: timedelta, rounds: int | None) -> int:
    """Round after round; returns the exit code of the last."""
    watcher = Watcher(round_.found.store, round_.found.directory, uuid4().hex)
    code = number = 0
    try:
        while True:
            with current().metrics.timed("backup") as timed:
                code = timed.code = round_.run(
                    lambda: watcher.renew(every * 2 + timedelta(minutes=10))
                )
            number += 1
            if rounds is not None and number >= rounds:
                return code
            time.sleep(min(every.total_seconds(), TIMEOUT_MAX))
    except KeyboardInterrupt:
        if interrupts.is_asked:
            return 0
        raise
    finally:
        with suppress(MetasnapshotError):  # the next watcher waits for its time, no more
            watcher.leave()


@dataclass(frozen=True)
class Round:
    """One backup, its verification, and an expiry.

    Attributes:
        found: where to.
        store: the meta store.
        options: of the backup.
        policy: what to expire.
        level: how deep the new snapshot is verified.
        state: where its objects are, if that is said.
        log: tells what happened.
        objects: whether objects are copied too.
    """

    found: Repository
    store: MetaStoreAt
    options: BackupOptions
    policy: Policy
    level: Level
    state: tuple[str, str | None] | None
    log: WatchLog
    objects: CopyObjects = UNCOPIED

    def run(self, renew: Callable[[], None]) -> int:
        """Do all three; returns the exit code of the round.

        Args:
            renew: says that this watcher is alive, before each part.

        Raises:
            WatchedByOthers: another process does so.
        """
        try:
            renew()
            entries_of(self.found)  # stops where nobody knows which are to be counted
            with self.store.open() as meta_store:
                result = self._back_up(meta_store)
            renew()
            verified = verify(self.found, result.entry.id, self.level, self.state)
            if verified.error is not None:
                raise verified.error
            renew()
            gone = self._expire()
        except WatchedByOthers:
            raise
        except MetasnapshotError as error:
            if interrupts.seen:  # it failed by that
                raise KeyboardInterrupt from error
            self.log.failure(error)
            return error.exit_code
        self.log.success(result.entry.id, result.size, [entry.id for entry in gone])
        return 0

    def _back_up(self, meta_store: MetaStore) -> BackupResult:
        """One snapshot; with objects it is full, or an error says why not."""
        if not self.objects.with_objects:
            result = backup(meta_store, self.found, self.options)
            warnings = result.warnings
        else:
            from metasnapshot.operations.backup_full import backup_full  # noqa: PLC0415 - numpy

            full = backup_full(meta_store, self.found, self.options, self.objects)
            result, warnings = full.backup, full.warnings
            if full.error is not None:
                raise full.error
        for text in warnings:
            self.log.warning(text)
        return result

    def _expire(self) -> list[ManifestEntry]:
        if self.policy.is_empty:
            return []
        records = Records(self.found)
        for text in records.ahead(records.clocks()):
            self.log.warning(text)
        return expiring.expire(self.found, expiring.judge(self.found, self.policy))
