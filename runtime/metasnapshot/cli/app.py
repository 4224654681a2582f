"""The command line as a whole: verbs, environment, and errors to exit codes."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
from cyclopts import Parameter

from metasnapshot.cli import documents
from metasnapshot.cli.aliases import translate
from metasnapshot.cli.backup import backup
from metasnapshot.cli.check import check, unknown
from metasnapshot.cli.config import app as config_app
from metasnapshot.cli.config import configuration
from metasnapshot.cli.coverage import coverage
from metasnapshot.cli.create_schema import create_schema
from metasnapshot.cli.delete import delete, keep
from metasnapshot.cli.diff import diff
from metasnapshot.cli.export import export
from metasnapshot.cli.housekeeping import copy, expire, gc, rebuild_manifest
from metasnapshot.cli.list import list_snapshots
from metasnapshot.cli.metrics import metrics
from metasnapshot.cli.options import retry_policy
from metasnapshot.cli.pins import epoch, pins
from metasnapshot.cli.process import discard_output, interrupts, open_standard_files, prepare
from metasnapshot.cli.restore import restore
from metasnapshot.cli.settings import CONFIG_VARIABLE, require_text, resolve
from metasnapshot.cli.show import cat, drill, show
from metasnapshot.cli.storage import app as storage_app
from metasnapshot.cli.text import complain, flush, lament, say_json, say_page
from metasnapshot.cli.verify import verify
from metasnapshot.cli.watch import watch
from metasnapshot.errors import InternalError, Interrupted, MetasnapshotError, UsageError
from metasnapshot.store.url import set_retries

BROKEN_PIPE = 141
Shell = Literal["bash", "zsh", "fish"]

app = cyclopts.App(
    name="metasnapshot",
    help="Back up, verify and restore the metadata of RisingWave clusters.",
    version=version("metasnapshot"),
    config=configuration,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
app.command(backup)
app.command(list_snapshots, name="list")
app.command(show)
app.command(cat)
app.command(verify)
app.command(diff)
app.command(export)
app.command(pins)
app.command(epoch)
app.command(drill)
app.command(restore)
app.command(create_schema, name="create-schema")
app.command(delete)
app.command(keep)
app.command(expire)
app.command(gc)
app.command(copy)
app.command(rebuild_manifest, name="rebuild-manifest")
app.command(check)
app.command(watch)
app.command(coverage)
app.command(config_app)
app.command(storage_app)


@app.command
def completion(shell: Shell, /) -> int:
    """Print a completion script for a shell.

    Example: metasnapshot completion bash > /etc/bash_completion.d/metasnapshot
    """
    say_page(app.generate_completion(shell=shell))
    return 0


app.meta.suppress_keyboard_interrupt = False


@app.meta.default
def run(
    *arguments: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[
        Path | None,
        Parameter(
            env_var=CONFIG_VARIABLE,
            help="Settings; metasnapshot.toml in the working directory if it is there.",
        ),
    ] = None,
    storage_retries: Annotated[
        str | None, Parameter(help="Tries of a request to an object store after the first; 3.")
    ] = None,
    storage_timeout: Annotated[
        str | None, Parameter(help="What such a request may take, such as 30s; 60s.")
    ] = None,
    storage_list_timeout: Annotated[
        str | None, Parameter(help="What a page of a list may take; 10m.")
    ] = None,
    retry_lock: Annotated[
        str | None,
        Parameter(help="Wait so long for a lock that somebody else holds, such as 10m; 5m."),
    ] = None,
    metrics_file: Annotated[
        Path | None, Parameter(help="Write what the run came to, for Prometheus' node exporter.")
    ] = None,
) -> object:
    """Read the settings, then run the verb."""
    metrics.path = metrics_file
    metrics.verb = _verb(arguments)
    configuration.load(config)
    values = {item.option: value.text for item, value in resolve(configuration.values).items()}
    set_retries(
        retry_policy(
            storage_retries or str(values["--storage-retries"]),
            storage_timeout or str(values["--storage-timeout"]),
            storage_list_timeout or str(values["--storage-list-timeout"]),
            retry_lock or str(values["--retry-lock"]),
        )
    )
    return app(arguments, exit_on_error=False, print_error=False)


def _verb(arguments: Sequence[str]) -> str:
    """The verb of a command line, for a label; a dry run is none of its runs."""
    verb = next((word for word in arguments if word in app), "none")
    return f"{verb} --dry-run" if "--dry-run" in arguments else verb


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 ok, an error's own, 2 usage, 70 internal bug, 130 interrupted.
    """
    open_standard_files()
    prepare()
    metrics.path, metrics.verb, metrics.values = None, "none", {}
    given = list(sys.argv[1:] if arguments is None else arguments)
    start = time.monotonic()
    with interrupts.arranged():
        code = _run(given)
    if metrics.path is None:
        return code
    try:
        metrics.write(metrics.verb, code, time.monotonic() - start)
    except MetasnapshotError as error:
        return code or _fail(error, as_json=False)
    return code


def _run(arguments: Sequence[str]) -> int:
    """Run the command line, and tell what stopped it."""
    as_json = "--json" in arguments
    try:
        require_text(arguments)
        code = app.meta(translate(arguments), exit_on_error=False, print_error=False)
        flush()
    except cyclopts.CycloptsError as error:
        if "--nagios" in arguments:
            return unknown(_our_style(str(error)))
        complain(_our_style(str(error)), "metasnapshot --help")
        return UsageError.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last resort
        if isinstance(error, BrokenPipeError) and not interrupts.seen:
            discard_output()  # whoever read our output went away, as `head` does
            return BROKEN_PIPE
        return _fail(_told(error), as_json=as_json)
    return code if isinstance(code, int) else 0


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
    try:
        if as_json:
            say_json(documents.error(error))
        flush()
    except (MetasnapshotError, OSError):  # stdout may be what failed
        discard_output()
    complain(str(error), error.hint)
    return error.exit_code


def _our_style(text: str) -> str:
    """A message of cyclopts in one line, in lower case, without a full stop."""
    line = " ".join(text.split())
    line = line if line.endswith("...") else line.removesuffix(".")
    return line[:1].lower() + line[1:]


if __name__ == "__main__":
    sys.exit(main())
