"""Options that every verb takes, and what they come down to. Help reads the source of this class:
it has a file of its own, which is short.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from metasnapshot import Context, RetryPolicy
from metasnapshot.cli.parameters import duration
from metasnapshot.cli.screen import AUTO, Color
from metasnapshot.cli.settings import CONFIG_VARIABLE, FOLLOWING, is_followed, resolve
from metasnapshot.errors import UsageError

if TYPE_CHECKING:
    from metasnapshot.cli.run import Run

RETRIES_MAX = 100
OURS = 0o600
_EXECUTE_OR_UNREADABLE = 0o711
"""Bits of a mode that files of ours have as OURS has them."""


@dataclass(frozen=True, eq=False, repr=False)
class GlobalOptions:
    """What every verb takes.

    Attributes:
        config: settings file; by default metasnapshot.toml in the working directory.
        color: when to use colours: on a terminal only (auto), always, or never.
        storage_retries: retries per request to an object store.
        storage_timeout: time limit of one try of a request, such as 30s.
        storage_list_timeout: time limit of one page of a listing.
        storage_ca_file: authorities (PEM) to trust besides the system's, for an object store.
        retry_lock: how long to wait for a lock that another process holds, such as 10m.
        file_mode: mode of manifest and snapshots in a new local directory, such as 0640.
        metrics_file: write the outcome of the run to this file, for the node exporter of
            Prometheus.
        audit_log: append who did what, and how it ended, to this file, as lines of JSON.
        on_failure: command to run after a run that failed; it gets the event as JSON on stdin.
        on_success: command to run after a run that went well.
        webhook: URL that gets the event as a POST of JSON.
        webhook_on: events that it gets: failure, success or any.
        webhook_over_http: post to http:// on other hosts too.
        hook_timeout: how long a command or the webhook may take, such as 30s.
        cluster: take locations from the table [cluster.NAME] of the settings file, and from nowhere
            else.
        all_clusters: work on every cluster of the settings file, each in a process of its own.
        parallel: with --all-clusters: how many clusters at a time; by default 4.
        cluster_timeout: with --all-clusters: end the work on a cluster that takes longer, such as
            2h; by default none does.
    """

    config: Annotated[Path | None, Parameter(env_var=CONFIG_VARIABLE)] = None
    color: Color = AUTO  # screen.color_of has read it by the time that it is parsed
    storage_retries: str | None = None
    storage_timeout: str | None = None
    storage_list_timeout: str | None = None
    storage_ca_file: str | None = None
    retry_lock: str | None = None
    file_mode: str | None = None
    metrics_file: Path | None = None
    audit_log: str | None = None
    on_failure: str | None = None
    on_success: str | None = None
    webhook: str | None = None
    webhook_on: str | None = None
    webhook_over_http: bool = False
    hook_timeout: str | None = None
    # the other four are for help: clusters.choice takes them out before all else
    cluster: Annotated[str | None, Parameter(metavar="NAME")] = None
    all_clusters: bool = False
    parallel: str | None = None
    cluster_timeout: str | None = None

    def apply(self, run: Run) -> None:
        """Read the settings, and let them hold for a run.

        Raises:
            UsageError: an option or a setting is not what it should be.
        """
        from metasnapshot.cli import progress  # noqa: PLC0415 - not for help

        run.metrics.path = self.metrics_file
        try:
            run.configuration.load(self.config)
        finally:
            self._follow(run)
        settings = resolve(run.configuration.values)
        if run.configuration.cluster is not None:
            run.outcome.directory = run.configuration.directory()
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

    def _follow(self, run: Run) -> None:
        """Find those that are told of the run, if there are any."""
        typed = {name: getattr(self, name[2:].replace("-", "_")) for name in FOLLOWING}
        if is_followed(run.configuration.values, typed):
            from metasnapshot.cli.followers import follow  # noqa: PLC0415 - most runs have none

            follow(run, typed, over_http=self.webhook_over_http)


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
        UsageError: it is not a mode, or we could not read the file ourselves with it.
    """
    is_mode = re.fullmatch(r"0?[0-7]{3}", text, re.ASCII) is not None
    if not is_mode or int(text, 8) & _EXECUTE_OR_UNREADABLE != OURS:
        raise UsageError(
            f"not a mode for files: {text!r:.60}", hint="octal digits from 0600 to 0666"
        )
    return int(text, 8)
