"""The command line as cyclopts sees it: the verbs of the folder, under their headings, and the
options that all of them take.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Group, Parameter

from metasnapshot.cli.configuration import Configuration
from metasnapshot.cli.global_options import GlobalOptions
from metasnapshot.cli.help import HelpFormatter
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import AUTO, wanted_color
from metasnapshot.cli.settings import CONFIG_VARIABLE
from metasnapshot.cli.verbs import HEADINGS, find_verb, find_verbs
from metasnapshot.version import VERSION

if TYPE_CHECKING:
    from rich.console import Console

LAST = len(HEADINGS) + 1
GLOBAL = Group("Global options", sort_key=LAST)
UNSAID = GlobalOptions()
NAMES = frozenset(f"--{field.name.replace('_', '-')}" for field in fields(GlobalOptions))
HELP = ("--help", "-h")
CLUSTER_OPTIONS = ("--cluster", "--all-clusters", "--parallel", "--cluster-timeout")
"""Options that say which clusters are meant, taken out of the words before these are parsed."""


def run(named: str | None, words: Sequence[str]) -> object:
    """Run the command line; returns what the verb returns.

    The options that all verbs take are parsed apart, by a pass of their own over the words. Where
    none stands there, and nobody asks for help, that pass has nothing to find and is left out: it
    would take as long as everything else of the start.

    Args:
        named: the verb among the words.
        words: what was typed behind the name of the command.
    """
    is_help = any(word in HELP for word in words)
    is_alone = named is not None and words[0] == named and not is_help
    if (clusters := current().clusters) is not None:
        from metasnapshot.cli.clusters.fleet import run_all  # noqa: PLC0415 - few have many

        return run_all(named, words, clusters)
    app = build(named, current().configuration, is_alone=is_alone)
    if words and all(word in HELP for word in words):
        app.help_print([])
        return 0
    if is_help or any(word.partition("=")[0] in NAMES for word in words):
        return app.meta(words, exit_on_error=False, print_error=False)
    config = os.environ.get(CONFIG_VARIABLE)
    GlobalOptions(config=None if config is None else Path(config)).apply(current())
    return app(words, exit_on_error=False, print_error=False)


def _console() -> Console | None:
    """What help is printed on; None, the usual one, unless the command line says something of
    colours.
    """
    if wanted_color() == AUTO:
        return None
    from rich.console import Console  # noqa: PLC0415 - seldom asked for

    if wanted_color() == "never":
        return Console(color_system=None)
    return Console(color_system="standard", force_terminal=True)


def build(
    named: str | None, configuration: Configuration | None = None, *, is_alone: bool = False
) -> cyclopts.App:
    """The application.

    Args:
        named: the verb that is to run, if one is named. Its help is its own docstring; of the
            others, which are not imported, the first line of their files.
        configuration: fills options that nobody typed.
        is_alone: leave out the other verbs, which only help and advice need.
    """
    app = cyclopts.App(
        name="metasnapshot",
        help="Back up, verify and restore the metadata of RisingWave clusters.\n\n"
        "`metasnapshot VERB --help` says more of a verb, with an example.",
        version=VERSION,
        config=configuration or Configuration(),
        default_parameter=Parameter(negative=""),
        help_format="plaintext",
        help_formatter=HelpFormatter(),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        console=_console(),
    )
    groups = {heading: Group(heading, sort_key=place) for place, heading in enumerate(HEADINGS)}
    only = find_verb(named) if named and is_alone else None
    for place, verb in enumerate([only] if only else find_verbs().values()):
        app.command(
            verb.place,
            name=verb.name,
            help=None if verb.name == named else verb.summary,
            group=groups[verb.heading],
            sort_key=place,
        )
    for flag in (*app.help_flags, *app.version_flags):
        app[flag].show = False
    app.meta.suppress_keyboard_interrupt = False

    @app.meta.default
    def run(
        *words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        options: Annotated[GlobalOptions, FLAT, Parameter(group=GLOBAL)] = UNSAID,
    ) -> object:
        """Read the settings, then run the verb."""
        options.apply(current())
        return app(words, exit_on_error=False, print_error=False)

    assert run
    return app
