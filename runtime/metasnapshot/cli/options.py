"""Options that several verbs share. Each group of them is a dataclass, flattened into a verb's own
options with `Annotated[Group, FLAT]`: names, defaults and help stand there and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.argument import Token

from metasnapshot.cli import progress
from metasnapshot.cli.run import Run, current
from metasnapshot.cli.settings import BACKUP_DIRECTORY, CONFIG_VARIABLE, resolve, setting_of
from metasnapshot.errors import UsageError
from metasnapshot.store.context import OURS, Context
from metasnapshot.store.retry import RetryPolicy
from metasnapshot.store.shown_url import shown_url

if TYPE_CHECKING:
    from metasnapshot.catalogue.repository import Repository

DIGITS_MAX = 19
"""Of a number of seconds, days, …: enough for any that makes sense."""
DURATION_MAX_S = timedelta(days=366_000).total_seconds()
RETRIES_MAX = 100
_EXECUTE_OR_UNREADABLE = 0o711
"""Bits of a mode that files of ours have as OURS has them."""
FLAT = Parameter(name="*")
"""The fields of a dataclass are the options."""
Json = Annotated[bool, Parameter("--json", help="Print JSON, as docs/contract.md describes it.")]
Yes = Annotated[bool, Parameter("--yes", help="Do not ask.")]
Commit = Annotated[bool, Parameter("--commit", help="Do it; without this, only say it.")]
DRY = "nothing was changed; --commit does it"
WithSecrets = Annotated[
    bool, Parameter("--with-secrets", help="Show passwords, keys and secret values.")
]
SnapshotId = Annotated[str, Parameter(help="Snapshot id, or latest, or oldest.")]


@dataclass(frozen=True)
class _Place:
    """A backup directory.

    Attributes:
        backup_storage_url: object store of the backups, as fs:///srv/backups.
        backup_storage_directory: directory in it that holds manifest.json.
    """

    backup_storage_url: str | None = None
    backup_storage_directory: str = BACKUP_DIRECTORY

    def open(self) -> Repository:
        """The snapshots in it.

        Raises:
            UsageError: it is not given.
        """
        url = given(self.backup_storage_url, "--backup-storage-url")
        metrics = current().metrics
        metrics.directory = f"{shown_url(url)}/{self.backup_storage_directory}"
        metrics.found = repository(url, self.backup_storage_directory)
        return metrics.found


@dataclass(frozen=True)
class WholeDirectory(_Place):
    """The backup directory, whichever clusters its snapshots are of."""

    backup_storage_url: str = field()


@dataclass(frozen=True)
class OptionalDirectory(_Place):
    """The backup directory, where a meta node may do the verb's work instead.

    Attributes:
        cluster: where snapshots of several clusters lie, look at those of this one.
    """

    cluster: str | None = None

    def open(self) -> Repository:
        """The snapshots in it. Raises as those of any place."""
        found = super().open()
        found.cluster = self.cluster
        return found


@dataclass(frozen=True)
class Directory(OptionalDirectory):
    """The backup directory."""

    backup_storage_url: str = field()


ANYWHERE = OptionalDirectory()
"""No backup directory is given."""


@dataclass(frozen=True)
class StateStore:
    """The state store.

    Attributes:
        hummock_storage_url: state store; by default system parameter state_store.
        hummock_storage_directory: data directory in it; by default system parameter data_directory.
    """

    hummock_storage_url: str | None = None
    hummock_storage_directory: str | None = None

    def place(self) -> tuple[str, str | None] | None:
        """URL and directory, if the URL is given; of the directory the snapshot says the rest.

        Raises:
            UsageError: a directory of nowhere.
        """
        if self.hummock_storage_url is not None:
            return self.hummock_storage_url, self.hummock_storage_directory
        if self.hummock_storage_directory is None:
            return None
        raise UsageError(
            "--hummock-storage-directory is given, --hummock-storage-url is not",
            hint="give both, or none to take them from the snapshot",
        )


AS_SAID = StateStore()
"""The state store that the system parameters name."""


@dataclass(frozen=True)
class GlobalOptions:
    """What every verb takes.

    Attributes:
        config: settings; by default metasnapshot.toml in the working directory, if it is there.
        storage_retries: retries of a request to an object store.
        storage_timeout: time limit of such a request, as 30s.
        storage_list_timeout: time limit of one page of a listing.
        storage_ca_file: authorities (PEM) to trust besides the system's, for an object store.
        retry_lock: how long to wait for a lock that somebody else holds, as 10m.
        file_mode: mode of manifest and snapshots in a local directory without a manifest, as 0640.
        metrics_file: write the outcome of the run to this file, for Prometheus' node exporter.
    """

    config: Annotated[Path | None, Parameter(env_var=CONFIG_VARIABLE)] = None
    storage_retries: str | None = None
    storage_timeout: str | None = None
    storage_list_timeout: str | None = None
    storage_ca_file: str | None = None
    retry_lock: str | None = None
    file_mode: str | None = None
    metrics_file: Path | None = None

    def apply(self, run: Run) -> None:
        """Read the settings, and let them hold for a run.

        Raises:
            UsageError: an option or a setting is not what it should be.
        """
        run.metrics.path = self.metrics_file
        run.configuration.load(self.config)
        settings = resolve(run.configuration.values)
        values = {item.option: value.text or "" for item, value in settings.items()}
        run.context = Context(
            file_mode=mode_of(self.file_mode or values["--file-mode"]),
            ca_file=self.storage_ca_file or values["--storage-ca-file"],
            retry=retry_policy(
                self.storage_retries or values["--storage-retries"],
                self.storage_timeout or values["--storage-timeout"],
                self.storage_list_timeout or values["--storage-list-timeout"],
                self.retry_lock or values["--retry-lock"],
            ),
            on_progress=progress.listener(),
        )


def repository(url: str, directory: str) -> Repository:
    """Open the backup directory that the options name."""
    from metasnapshot.catalogue.repository import Repository  # noqa: PLC0415 - not for help
    from metasnapshot.store.url import open_store  # noqa: PLC0415
    from metasnapshot.store.watched import watched  # noqa: PLC0415

    context = current().context
    return Repository(watched(open_store(url, context), context), directory, context)


def given(value: str | None, option: str) -> str:
    """An option that only --via-meta makes superfluous.

    Raises:
        UsageError: it is not given.
    """
    if value is None:
        setting = setting_of(option)
        variable = f" (or {setting.variable})" if setting else ""
        raise UsageError(
            f"{option} is needed{variable}",
            hint=f"give {option}, or --via-meta (risectl's own commands: RW_META_ADDR)",
        )
    return value


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
    if len(match[1]) > DIGITS_MAX or int(match[1]) * unit.total_seconds() > DURATION_MAX_S:
        raise UsageError(f"{text!r:.60} is more than a thousand years")
    return int(match[1]) * unit


def _duration(_: Any, tokens: Sequence[Token]) -> timedelta:
    return duration(tokens[0].value)


DURATION = Parameter(converter=_duration)
"""An option that is a duration."""


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


def mode_of(text: str) -> int:
    """A file's mode, in octal digits as chmod has them.

    Raises:
        UsageError: it is none, or one in which we could not read the file ourselves.
    """
    is_mode = re.fullmatch(r"0?[0-7]{3}", text, re.ASCII) is not None
    if not is_mode or int(text, 8) & _EXECUTE_OR_UNREADABLE != OURS:
        raise UsageError(
            f"not a mode for files: {text!r:.60}", hint="octal digits from 0600 to 0666"
        )
    return int(text, 8)
