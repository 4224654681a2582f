"""The command line as a whole: verbs, environment, and errors to exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

import cyclopts

from metasnapshot.cli.aliases import translate
from metasnapshot.cli.commands import CLUSTER_OPTIONS, run
from metasnapshot.cli.outcome import DRY_RUN
from metasnapshot.cli.process import discard_output, interrupts, open_standard_files, prepare
from metasnapshot.cli.run import Run, begun, current
from metasnapshot.cli.screen import color_of, coloured
from metasnapshot.cli.settings import require_text
from metasnapshot.cli.text import (
    NAGIOS_UNKNOWN,
    complain,
    error_document,
    flush,
    lament,
    nagios,
    note,
    noted,
    say_json,
)
from metasnapshot.cli.verbs import find_verb
from metasnapshot.errors import InternalError, Interrupted, MetasnapshotError, UsageError

BROKEN_PIPE = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 ok, an error's own, 2 usage, 70 internal bug, 130 interrupted.
    """
    open_standard_files()
    prepare()
    given = list(sys.argv[1:] if arguments is None else arguments)
    with begun() as run:
        with interrupts.arranged(), coloured(color_of(given)), noted():
            code = _run(given)
        with coloured(color_of(given)):
            return _conclude(run, code, given)


def _conclude(run: Run, code: int, given: Sequence[str]) -> int:
    """Put down what a run came to, and tell it to those who asked for it; returns the exit code."""
    if code and run.outcome.error is not None and not run.configuration.is_asked:
        from metasnapshot.cli.followers import follow_unread  # noqa: PLC0415 - nearly never

        follow_unread(run, given)
    outcome, metrics = run.outcome, run.metrics
    if metrics.path is not None:
        verb = f"{outcome.verb} --dry-run" if DRY_RUN in outcome.words else outcome.verb or "none"
        try:
            metrics.write(verb, code, outcome.seconds)
        except MetasnapshotError as error:
            code = code or _fail(error, as_json=False)
    outcome.code = code
    if run.followers is None:
        return code
    seen = interrupts.seen
    try:
        with interrupts.arranged():
            run.end(partial(_fail, as_json=False))
            run.tell()
    except KeyboardInterrupt:
        note("interrupted: not everybody was told how this run ended")
    interrupts.seen = seen
    return outcome.code


def _run(arguments: Sequence[str]) -> int:
    """Run the command line, and tell what stopped it."""
    as_json = "--json" in arguments
    verb = None
    try:
        require_text(arguments)
        current().outcome.name(None, arguments)
        words = _in_our_words(arguments)
        verb = next((word for word in words if find_verb(word)), None)
        outcome = current().outcome
        outcome.name(verb, words)
        code = run(verb, words)
        flush()
    except cyclopts.CycloptsError as error:
        needed = _needed(error, verb)
        text = needed or _our_style(str(error))
        hint = current().configuration.which_cluster() if needed else ""
        hint = hint or " ".join(filter(None, ["metasnapshot", verb, "--help"]))
        current().outcome.error = UsageError(text, hint=hint)
        if "--nagios" in arguments:
            return nagios(NAGIOS_UNKNOWN, text)
        complain(text, hint)
        return UsageError.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last resort
        if isinstance(error, BrokenPipeError) and not interrupts.seen:
            discard_output()  # the reader of our output went away, as `head` does
            return BROKEN_PIPE
        told = _told(error)
        current().outcome.error = told
        if "--nagios" in arguments and isinstance(told, UsageError):
            return nagios(NAGIOS_UNKNOWN, str(told))
        return _fail(told, as_json=as_json)
    return code if isinstance(code, int) else 0


def _in_our_words(arguments: Sequence[str]) -> list[str]:
    """The command line without risectl's names, and without the options of clusters, which hold for
    the run from here on.
    """
    if not any(word.partition("=")[0] in CLUSTER_OPTIONS for word in arguments):
        return translate(arguments)
    from metasnapshot.cli.clusters.choice import take_clusters  # noqa: PLC0415 - few have many

    return take_clusters(arguments)


def _told(error: BaseException) -> MetasnapshotError:
    """What stopped a command, as one of our errors."""
    if interrupts.seen or isinstance(error, KeyboardInterrupt):
        return Interrupted("interrupted")  # whatever failed since then failed by it
    if isinstance(error, MetasnapshotError):
        return error
    if isinstance(error, OSError):  # of a file with its name, of the output without
        what = "cannot write the output" if error.filename is None else str(error.filename)
        return MetasnapshotError(f"{what}: {error.strerror or error}")
    lament(error)
    return InternalError(
        f"this is a bug in metasnapshot: {type(error).__name__}: {error}",
        hint="please report it with the lines above",
    )


def _fail(error: MetasnapshotError, *, as_json: bool) -> int:
    """Tell an error; returns its exit code."""
    current().outcome.fail(error)
    try:
        if as_json:
            say_json(error_document(error))
        flush()
    except (MetasnapshotError, OSError):  # stdout may be what failed
        discard_output()
    origins = current().configuration.origins(f"{error} {error.hint}")
    complain(str(error), "; ".join(filter(None, [error.hint, *origins])))
    return error.exit_code


def _needed(error: cyclopts.CycloptsError, verb: str | None) -> str:
    """What to say of an option or argument that was not given; empty for any other error."""
    argument = error.argument
    if not isinstance(error, cyclopts.MissingArgumentError) or argument is None:
        return ""
    if error.keyword is not None:  # it was given, and nothing behind it
        return ""
    return f"{verb} needs {argument.name}{current().configuration.or_elsewhere(argument.name)}"


def _our_style(text: str) -> str:
    """A message of cyclopts in one line, in lower case, without a full stop."""
    line = " ".join(text.split())
    line = line if line.endswith("...") else line.removesuffix(".")
    return line[:1].lower() + line[1:]


if __name__ == "__main__":
    sys.exit(main())
