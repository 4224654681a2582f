"""The command line as a whole: verbs, environment, and errors to exit codes."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
from cyclopts import Parameter

from metasnapshot.cli import documents
from metasnapshot.cli.backup import backup
from metasnapshot.cli.config import app as config_app
from metasnapshot.cli.config import configuration
from metasnapshot.cli.coverage import coverage
from metasnapshot.cli.delete import delete, keep
from metasnapshot.cli.list import list_snapshots
from metasnapshot.cli.restore import restore
from metasnapshot.cli.settings import CONFIG_VARIABLE
from metasnapshot.cli.show import cat, drill, show
from metasnapshot.cli.text import complain, say, say_json
from metasnapshot.cli.verify import verify
from metasnapshot.errors import MetasnapshotError, UsageError

INTERNAL_BUG = 70
INTERRUPTED = 130
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
app.command(drill)
app.command(restore)
app.command(delete)
app.command(keep)
app.command(coverage)
app.command(config_app)


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
) -> object:
    """Read the settings, then run the verb."""
    configuration.load(config)
    return app(arguments, exit_on_error=False, print_error=False)


def main(arguments: Sequence[str] | None = None) -> int:  # noqa: PLR0911 - a code each
    """Run the command line.

    Returns:
        The exit code: 0 ok, an error's own, 2 usage, 70 internal bug, 130 interrupted.
    """
    _prepare()
    try:
        code = app.meta(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        complain(" ".join(str(error).split()), "metasnapshot --help")
        return UsageError.exit_code
    except MetasnapshotError as error:
        if "--json" in (sys.argv[1:] if arguments is None else arguments):
            say_json(documents.error(error))
        complain(str(error), error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        complain(f"cannot write the output: {error.strerror or error}")
        return MetasnapshotError.exit_code
    except Exception:  # noqa: BLE001 - the last resort: said to be a bug, with its own exit code
        traceback.print_exc()
        complain("this is a bug in metasnapshot", "please report it with the lines above")
        return INTERNAL_BUG
    return code if isinstance(code, int) else 0


def _prepare() -> None:
    """Make output and signals safe: a terminal may not know every letter; SIGTERM cleans up."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


if __name__ == "__main__":
    sys.exit(main())
