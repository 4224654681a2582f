"""Keep house: back up, verify and expire again and again, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import TIMEOUT_MAX
from typing import Annotated

from cyclopts import Parameter

import metasnapshot
from metasnapshot import BackupOptions, BackupResult, Backups, Level, ManifestEntry, Policy
from metasnapshot.cli.gauges import tell_backup, tell_count, tell_verified
from metasnapshot.cli.meta_store import MetaStoreAt
from metasnapshot.cli.objects import UNCOPIED, CopyObjects
from metasnapshot.cli.options import AS_SAID, Directory, StateStore
from metasnapshot.cli.parameters import DURATION, FLAT
from metasnapshot.cli.policy import NO_RULE, PolicyOptions
from metasnapshot.cli.process import interrupts
from metasnapshot.cli.run import current
from metasnapshot.cli.serving import UNSERVED, MetricsPort
from metasnapshot.cli.watch_log import Form, WatchLog
from metasnapshot.errors import MetasnapshotError, UsageError, WatchedByOthers

DEFAULTS = BackupOptions()
ROUNDS = Parameter(help="Stop after this many rounds; by default never.")
AS_DELTA = Parameter(help="Keep each snapshot as what differs from the newest plain one.")
FULL_EVERY = Parameter(help="With --as-delta: every so many-th snapshot is a plain one.")
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
    as_delta: Annotated[bool, AS_DELTA] = False,
    full_every: Annotated[int, FULL_EVERY] = DEFAULTS.full_every,
    rounds: Annotated[int | None, ROUNDS] = None,
    metrics: Annotated[MetricsPort, FLAT] = UNSERVED,
    log: Annotated[
        Form, Parameter(help="Print each round as a line of text, or of JSON.")
    ] = "text",
) -> int:
    r"""Back up, verify and expire again and again, in one process a directory. A round that
    fails is told, and the next one comes. Without a --keep rule nothing is expired. SIGTERM ends
    it with 0.

    $ metasnapshot watch --every 30m --keep-daily 14 \
        --meta-store postgresql://meta@db/meta --backup-storage-url s3://bucket
    """
    if not every:
        raise UsageError("--every is zero", hint="such as 30m")
    place = state.place() if level == "objects" else None  # no other looks into the state store
    found = directory.open()
    round_ = Round(
        found,
        store,
        BackupOptions(
            state.hummock_storage_url,
            state.hummock_storage_directory,
            rw_version=rw_version,
            as_delta=as_delta,
            full_every=full_every,
        ),
        policy,
        level,
        place,
        WatchLog(log),
        objects,
    )
    with metrics.served():
        return _keep_watch(round_, every, rounds)


def _keep_watch(round_: Round, every: timedelta, rounds: int | None) -> int:
    """Round after round; returns the exit code of the last."""
    watcher = round_.found.watcher()
    code = number = 0
    try:
        while True:
            number += 1
            code = _one_round(
                round_, number, lambda: watcher.renew(every * 2 + timedelta(minutes=10))
            )
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


def _one_round(round_: Round, number: int, renew: Callable[[], None]) -> int:
    """A round, and what those hear of it who want to be told; returns its exit code."""
    run = current()
    with run.round(number) as outcome:
        try:
            with run.metrics.timed("backup") as timed:
                timed.code = outcome.code = round_.run(renew)
        except BaseException as error:  # it ends the run, and is told with that
            outcome.stop(error)
            run.end(round_.log.failure)
            raise
        run.end(round_.log.failure)
        run.tell()
    return outcome.code


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

    found: Backups
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
            current().begin()
            renew()
            self.found.require_one_cluster()  # stops where nobody knows which are to be counted
            result = self._back_up()
            renew()
            number = result.entry.id
            verified = metasnapshot.verify(self.found, number, self.level, state=self.state)
            tell_verified(self.found, [verified])
            if verified.error is not None:
                raise verified.error
            renew()
            gone = self._expire()
            tell_count(self.found)
        except WatchedByOthers:
            raise
        except MetasnapshotError as error:
            if interrupts.seen:  # it failed by that
                raise KeyboardInterrupt from error
            current().outcome.fail(error)
            self.log.failure(error)
            return error.exit_code
        self.log.success(result.entry.id, result.size, [entry.id for entry in gone])
        return 0

    def _back_up(self) -> BackupResult:
        """One snapshot; with objects it is full, or an error says why not."""
        meta_store, start = self.store.place(), time.monotonic()
        if not self.objects.with_objects:
            result = metasnapshot.backup(meta_store, self.found, self.options)
            current().outcome.did("made", [result.entry.id])
            warnings = result.warnings
            tell_backup(self.found, result.entry.id, start)
        else:
            full = metasnapshot.backup_full(meta_store, self.found, self.options, self.objects)
            result, warnings = full.backup, full.warnings
            current().outcome.did("made", [result.entry.id])
            tell_backup(self.found, result.entry.id, start, full)
            if full.error is not None:
                raise full.error
        for text in warnings:
            self.log.warning(text)
        return result

    def _expire(self) -> tuple[ManifestEntry, ...]:
        if self.policy.is_empty:
            return ()
        judgement = self.found.judge(self.policy)
        for text in judgement.warnings:
            self.log.warning(text)
        before = len(self.found.retained)
        outcome = current().outcome
        outcome.about(entry.id for entry in judgement.going)
        gone = self.found.expire(judgement)
        outcome.did("deleted", (entry.id for entry in gone))
        for text in metasnapshot.say_what_stays(self.found.retained[before:]):
            self.log.warning(text)
        return gone
