"""Options that several verbs share, said once: name, help, and what they are turned into."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from metasnapshot.catalogue.repository import Repository
from metasnapshot.cli.progress import with_progress
from metasnapshot.cli.settings import PASSWORD_VARIABLE, setting
from metasnapshot.errors import SnapshotNotFound, UsageError
from metasnapshot.store.retry import RetryPolicy
from metasnapshot.store.url import open_store

ID_DIGITS_MAX = 19
DURATION_MAX_S = timedelta(days=366_000).total_seconds()
RETRIES_MAX = 100

_META_STORE = setting(
    "--meta-store",
    "Meta store: sqlite:///relative.db, sqlite:////absolute.db, postgresql://user@host/db or "
    "mysql://user@host/db.",
)
MetaStoreUrl = Annotated[str, _META_STORE]
OptionalMetaStoreUrl = Annotated[str | None, _META_STORE]
PasswordFile = Annotated[
    Path | None,
    setting(
        "--meta-store-password-file",
        "File with the password; or METASNAPSHOT_META_STORE_PASSWORD, or as libpq has it.",
    ),
]
_BACKUP_URL = setting("--backup-storage-url", "Object store of the backups, as fs:///srv/backups.")
BackupUrl = Annotated[str, _BACKUP_URL]
OptionalBackupUrl = Annotated[str | None, _BACKUP_URL]
BackupDirectory = Annotated[
    str, setting("--backup-storage-directory", "Directory in it that holds manifest.json.")
]
HummockUrl = Annotated[
    str | None,
    setting("--hummock-storage-url", "State store; by default system parameter state_store."),
]
HummockDirectory = Annotated[
    str | None,
    setting(
        "--hummock-storage-directory",
        "Data directory in it; by default system parameter data_directory.",
    ),
]
Json = Annotated[bool, Parameter("--json", negative="", help="Print JSON (docs/guide.md).")]
Yes = Annotated[bool, Parameter("--yes", negative="", help="Do not ask.")]
WithSecrets = Annotated[
    bool, Parameter("--with-secrets", negative="", help="Show passwords, keys and secret values.")
]
SnapshotId = Annotated[str, Parameter(help="Snapshot id, or latest, or oldest.")]


def repository(url: str, directory: str) -> Repository:
    """Open the backup directory that the options name."""
    return Repository(with_progress(open_store(url)), directory)


def meta_store_password(file: Path | None) -> str | None:
    """The password of the meta store, if a file or the environment has one.

    Raises:
        UsageError: the file cannot be read.
    """
    if file is None:
        return os.environ.get(PASSWORD_VARIABLE)
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the password file {file}: {error}") from error


def duration(text: str) -> timedelta:
    """`500ms`, `30m`, `12h`, `7d`.

    Raises:
        UsageError: it is no duration.
    """
    units = {
        "ms": "milliseconds",
        "s": "seconds",
        "m": "minutes",
        "h": "hours",
        "d": "days",
        "w": "weeks",
    }
    match = re.fullmatch(r"(\d+)(ms|[smhdw])", text, re.ASCII)
    if match is None:
        raise UsageError(f"not a duration: {text!r}", hint="a number and one of ms, s, m, h, d, w")
    unit = timedelta(**{units[match[2]]: 1})
    if len(match[1]) > ID_DIGITS_MAX or int(match[1]) * unit.total_seconds() > DURATION_MAX_S:
        raise UsageError(f"{text!r:.60} is more than a thousand years")
    return int(match[1]) * unit


def retry_policy(retries: str, timeout: str, listing: str, lock: str) -> RetryPolicy:
    """Tries and times of object stores, and the time to wait for a lock.

    Raises:
        UsageError: they are no number and no durations.
    """
    if not retries.isdecimal() or int(retries) > RETRIES_MAX:
        raise UsageError(f"not a number of retries: {retries!r:.60}", hint="such as 3")
    return RetryPolicy(
        retries=int(retries),
        timeout_s=duration(timeout).total_seconds(),
        list_timeout_s=duration(listing).total_seconds(),
        lock_wait_s=duration(lock).total_seconds(),
    )


def snapshot_id(text: str, found: Repository) -> int:
    """The id that a text means.

    Raises:
        UsageError: it is no id.
        SnapshotNotFound: latest or oldest of none.
    """
    ids = found.manifest().ids
    if text in ("latest", "oldest"):
        if not ids:
            raise SnapshotNotFound(text, ids)
        return max(ids) if text == "latest" else min(ids)
    if not text.isdecimal() or len(text) > ID_DIGITS_MAX:
        raise UsageError(f"not a snapshot id: {text!r:.60}", hint="a number, latest or oldest")
    return int(text)


def state_store(url: str | None, directory: str | None) -> tuple[str, str] | None:
    """URL and directory of the state store, if they are given.

    Raises:
        UsageError: one is given without the other.
    """
    if url is None and directory is None:
        return None
    if url is None or directory is None:
        raise UsageError(
            "--hummock-storage-url and --hummock-storage-directory go together",
            hint="give both, or none to take them from the snapshot",
        )
    return url, directory
