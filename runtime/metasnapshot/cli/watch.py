"""metasnapshot watch"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from threading import TIMEOUT_MAX
from typing import Annotated
from uuid import uuid4

from cyclopts import Parameter

from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.watcher import Watcher
from metasnapshot.cli.housekeeping import Count, KeepLast, KeepWithin, MinCount, policy_of
from metasnapshot.cli.metrics import metrics
from metasnapshot.cli.options import (
    BackupDirectory,
    BackupUrl,
    HummockDirectory,
    HummockUrl,
    MetaStoreUrl,
    PasswordFile,
    duration,
    meta_store_password,
    repository,
    state_store,
)
from metasnapshot.cli.settings import BACKUP_DIRECTORY, setting
from metasnapshot.cli.text import complain, note, say
from metasnapshot.errors import MetasnapshotError, UsageError, WatchedByOthers
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations import expire as expiring
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.operations.expire import Policy
from metasnapshot.operations.verify import Level, verify


def watch(
    *,
    every: Annotated[str, Parameter(help="Time from one backup to the next, such as 30m.")],
    meta_store: MetaStoreUrl,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    meta_store_password_file: PasswordFile = None,
    hummock_storage_url: HummockUrl = None,
    hummock_storage_directory: HummockDirectory = None,
    keep_last: KeepLast = 0,
    keep_hourly: Count = 0,
    keep_daily: Count = 0,
    keep_weekly: Count = 0,
    keep_monthly: Count = 0,
    keep_within: KeepWithin = None,
    min_count: MinCount = 1,
    level: Annotated[Level, setting("--level", "How deep each new snapshot is verified.")] = "rows",
    rounds: Annotated[int | None, Parameter(help="Stop after so many; by default never.")] = None,
) -> int:
    """Back up, verify and expire again and again, in one process a directory. A round that fails is
    told, and the next one comes. Without a --keep rule nothing is expired.

    Example: metasnapshot watch --every 30m --keep-daily 14 --meta-store postgresql://meta@db/meta \
--backup-storage-url s3://bucket
    """
    pause = duration(every)
    if not pause:
        raise UsageError("--every is no time at all", hint="such as 30m")
    policy = policy_of(
        keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_within, min_count
    )
    options = BackupOptions(hummock_storage_url, hummock_storage_directory)
    is_deep = level == "objects"  # no other looks into the state store
    state = state_store(hummock_storage_url, hummock_storage_directory) if is_deep else None
    password = meta_store_password(meta_store_password_file)
    found = repository(backup_storage_url, backup_storage_directory)
    watcher = Watcher(found.store, found.directory, uuid4().hex)
    number = 0
    code = 0
    try:
        while True:
            with metrics.timed("backup") as timed:
                code = timed.code = _round(
                    found,
                    (meta_store, password),
                    options,
                    policy,
                    (level, state),
                    lambda: watcher.renew(pause * 2 + timedelta(minutes=10)),
                )
            number += 1
            if rounds is not None and number >= rounds:
                return code
            time.sleep(min(pause.total_seconds(), TIMEOUT_MAX))
    finally:
        with suppress(MetasnapshotError):  # the next watcher waits for its time, no more
            watcher.leave()


def _round(
    found: Repository,
    store: tuple[str, str | None],
    options: BackupOptions,
    policy: Policy,
    depth: tuple[Level, tuple[str, str] | None],
    renew: Callable[[], None],
) -> int:
    """One backup, its verification, and an expiry; returns the exit code that they come to.

    Args:
        found: where to.
        store: URL and password of the meta store.
        options: of the backup.
        policy: what to expire.
        depth: how deep the new snapshot is verified, and where its objects are, if that is said.
        renew: says that this watcher is alive, before each part.

    Raises:
        WatchedByOthers: another process does so.
    """
    try:
        renew()
        with open_meta_store(*store) as meta_store:
            result = backup(meta_store, found, options)
        for text in result.warnings:
            note(text)
        renew()
        verified = verify(found, result.entry.id, *depth)
        if verified.error is not None:
            raise verified.error
        renew()
        gone = [] if policy.is_empty else expiring.expire(found, expiring.judge(found, policy))
    except WatchedByOthers:
        raise
    except MetasnapshotError as error:
        complain(str(error), error.hint)
        return error.exit_code
    ids = ", ".join(str(entry.id) for entry in gone)
    say(f"backup {result.entry.id}: {result.size} bytes, verified" + f", expired {ids}" * bool(ids))
    return 0
