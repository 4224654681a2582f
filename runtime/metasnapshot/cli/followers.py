"""Who is told of a run: the audit log, commands of the operator, a webhook. Only a run with one of
their options loads this.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from metasnapshot.cli.audit_log import AuditLog, changes
from metasnapshot.cli.event import event_of, line_of, variables_of
from metasnapshot.cli.outcome import Outcome
from metasnapshot.cli.parameters import duration
from metasnapshot.cli.settings import (
    CONFIG_VARIABLE,
    DEFAULT,
    FOLLOWING,
    NOT_SET,
    Setting,
    Value,
    resolve,
)
from metasnapshot.cli.text import note
from metasnapshot.errors import MetasnapshotError, UsageError

if TYPE_CHECKING:
    from metasnapshot.cli.hook import Hook
    from metasnapshot.cli.run import Run
    from metasnapshot.cli.webhook import Webhook

FAILURE, SUCCESS, ANY = "failure", "success", "any"
TIMEOUT_S, TIMEOUT_MAX_S = 30.0, 3600.0
"""Where the option is no time, so that this can be told; and the longest."""
HOOKS = {"--on-failure": FAILURE, "--on-success": SUCCESS}


class Followers:
    """Those of one run."""

    def __init__(self) -> None:
        self.run_id = os.urandom(8).hex()
        self.audit: AuditLog | None = None
        self.hooks: dict[str, Hook] = {}
        self.webhook: Webhook | None = None
        self.webhook_on = ANY
        self._begun: set[int | None] = set()
        """Rounds whose begin is put down; None for the run's own."""

    def begin(self, outcome: Outcome) -> None:
        """Put down that a run, or a round, begins.

        Raises:
            MetasnapshotError: that cannot be put down, so that it must not begin. Of one that
                changes nothing it is a warning.
        """
        self._put_down(outcome, AuditLog.begin)

    def end(self, outcome: Outcome) -> None:
        """Put down how it ended, if it is put down that it began. Raises as `begin`."""
        if outcome.round in self._begun:
            self._put_down(outcome, AuditLog.end)

    def tell(self, outcome: Outcome) -> None:
        """Tell the others how it ended: each in turn, also where the one before failed."""
        if outcome.verb is None and not outcome.code:  # --version and the like
            return
        if outcome.has_rounds and outcome.error is None:  # each round was told
            return
        event = event_of(outcome, self.run_id)
        result, line = event["result"], line_of(event)
        if result in self.hooks:
            self.hooks[result].run(line, variables_of(event))
        if self.webhook is not None and self.webhook_on in (result, ANY):
            self.webhook.post(line)

    def _put_down(self, outcome: Outcome, write: Callable[[AuditLog, Outcome], None]) -> None:
        if self.audit is None or outcome.verb is None:
            return
        try:
            write(self.audit, outcome)
            self._begun.add(outcome.round)
        except MetasnapshotError as error:
            if changes(outcome.words):
                raise
            note(str(error))


def follow(run: Run, typed: Mapping[str, str | None], *, over_http: bool) -> None:
    """Find those that want to be told of a run, and put down that it begins.

    Args:
        run: the run. They are its followers from here on, also where an error says that one of
            them cannot be: the others are told of that.
        typed: values of FOLLOWING that stand on the command line.
        over_http: a webhook may be reached without encryption.

    Raises:
        MetasnapshotError: an option is not what it should be, or what it names is not there.
    """
    found = run.followers = Followers()
    run.outcome.cluster_name = run.configuration.cluster
    settings = resolve(run.configuration.values)
    wanted = {item.option: value.text or None for item, value in settings.items()}
    wanted |= {option: text for option, text in typed.items() if text is not None}
    wrong: list[MetasnapshotError] = []
    timeout_s = TIMEOUT_S
    with _kept(wrong):
        timeout_s = _timeout_s(wanted["--hook-timeout"] or "")
    for option, result in HOOKS.items():
        if (text := wanted[option]) is not None:
            with _kept(wrong):
                from metasnapshot.cli.hook import hook_of  # noqa: PLC0415 - of no other run

                found.hooks[result] = hook_of(option, text, timeout_s)
    if (url := wanted["--webhook"]) is not None:
        with _kept(wrong):
            from metasnapshot.cli.webhook import webhook_of  # noqa: PLC0415 - of no other run

            found.webhook_on = _result(wanted["--webhook-on"] or "")
            found.webhook = webhook_of(url, timeout_s, over_http=over_http)
    if (place := wanted["--audit-log"]) is not None:
        found.audit = AuditLog(Path(place), found.run_id, _unsaid(settings, run.outcome.words))
    with _kept(wrong):
        found.begin(run.outcome)
    if wrong:
        raise wrong[0]


def follow_unread(run: Run, words: Sequence[str]) -> None:
    """The same for a command line that was not understood, as far as it can be read: what is wrong
    with it is told already.
    """
    typed = {option: _typed(words, option) for option in FOLLOWING}
    config = _typed(words, "--config") or os.environ.get(CONFIG_VARIABLE)
    with suppress(MetasnapshotError):
        run.configuration.load(None if config is None else Path(config))
    with suppress(MetasnapshotError):
        follow(run, typed, over_http="--webhook-over-http" in words)


@contextmanager
def _kept(wrong: list[MetasnapshotError]) -> Generator[None]:
    """Keep what goes wrong in the block for later."""
    try:
        yield
    except MetasnapshotError as error:
        wrong.append(error)


def _timeout_s(text: str) -> float:
    found = duration(text).total_seconds()
    if not 0 < found <= TIMEOUT_MAX_S:
        raise UsageError(f"--hook-timeout {text}: not between 1ms and 1h", hint="such as 30s")
    return found


def _result(text: str) -> str:
    if text not in (FAILURE, SUCCESS, ANY):
        raise UsageError(
            f"--webhook-on: not a result: {text!r:.60}", hint=f"{FAILURE}, {SUCCESS} or {ANY}"
        )
    return text


def _unsaid(settings: Mapping[Setting, Value], words: Sequence[str]) -> dict[str, str]:
    """What was set and not typed, without secrets."""
    typed = {word.partition("=")[0] for word in words}
    return {
        item.option: item.shown(value.text)
        for item, value in settings.items()
        if value.text and value.origin not in (DEFAULT, NOT_SET) and item.option not in typed
    }


def _typed(words: Sequence[str], option: str) -> str | None:
    """The value of an option among words; None if it is not there, or can be no text."""
    found = None
    for word, following in pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        if name == option:
            found = value if equals else following
    return None if found is None or "\0" in found else found
