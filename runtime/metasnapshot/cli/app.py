"""The command line as a whole: verbs, environment, and errors to exit codes."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
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
from metasnapshot.cli.restore import restore
from metasnapshot.cli.settings import CONFIG_VARIABLE, resolve
from metasnapshot.cli.show import cat, drill, show
from metasnapshot.cli.storage import app as storage_app
from metasnapshot.cli.text import complain, say, say_json
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
    say(app.generate_completion(shell=shell))
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
    _prepare()
    metrics.path, metrics.verb, metrics.values = None, "none", {}
    given = list(sys.argv[1:] if arguments is None else arguments)
    start = time.monotonic()
    code = _run(given)
    if metrics.path is None:
        return code
    try:
        metrics.write(metrics.verb, code, time.monotonic() - start)
    except MetasnapshotError as error:
        return code or _fail(error, as_json=False)
    return code


def _run(arguments: Sequence[str]) -> int:  # noqa: PLR0911 - a code each
    as_json = "--json" in arguments
    try:
        words = translate(arguments)
        code = app.meta(words, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        if "--nagios" in arguments:
            return unknown(_our_style(str(error)))
        complain(_our_style(str(error)), "metasnapshot --help")
        return UsageError.exit_code
    except MetasnapshotError as error:
        return _fail(error, as_json=as_json)
    except KeyboardInterrupt:
        return _fail(Interrupted("interrupted"), as_json=as_json)
    except BrokenPipeError:  # whoever read our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:  # of a file with its name, of the output without
        what = "cannot write the output" if error.filename is None else str(error.filename)
        return _fail(MetasnapshotError(f"{what}: {error.strerror or error}"), as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last resort: said to be a bug
        traceback.print_exc()
        bug = InternalError(f"this is a bug in metasnapshot: {type(error).__name__}: {error}")
        bug.hint = "please report it with the lines above"
        return _fail(bug, as_json=as_json)
    return code if isinstance(code, int) else 0


def _fail(error: MetasnapshotError, *, as_json: bool) -> int:
    """Tell an error; returns its exit code."""
    if as_json:
        with suppress(MetasnapshotError):  # stdout may be what failed
            say_json(documents.error(error))
    complain(str(error), error.hint)
    return error.exit_code


def _our_style(text: str) -> str:
    """A message of cyclopts in one line, in lower case, without a full stop."""
    line = " ".join(text.split())
    line = line if line.endswith("...") else line.removesuffix(".")
    return line[:1].lower() + line[1:]


def _prepare() -> None:
    """Make output and signals safe: a terminal may not know every letter; SIGTERM cleans up."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


if __name__ == "__main__":
    sys.exit(main())
