"""The command line as cyclopts sees it: the verbs of the folder, under their headings, and the
options that all of them take.
"""

from __future__ import annotations

from typing import Annotated

import cyclopts
from cyclopts import Group, Parameter

from metasnapshot.cli.configuration import configuration
from metasnapshot.cli.help import HelpFormatter
from metasnapshot.cli.options import FLAT, GlobalOptions
from metasnapshot.cli.verbs import HEADINGS, find_verbs
from metasnapshot.version import VERSION

LAST = len(HEADINGS) + 1
GLOBAL = Group("Global options", sort_key=LAST)
UNSAID = GlobalOptions()


def build(named: str | None) -> cyclopts.App:
    """The application.

    Args:
        named: the verb that is to run, if one is named. Its help is its own docstring; of the
            others, which are not imported, the first line of their files.
    """
    app = cyclopts.App(
        name="metasnapshot",
        help="Back up, verify and restore the metadata of RisingWave clusters.\n\n"
        "`metasnapshot VERB --help` says more of a verb, with an example.",
        version=VERSION,
        config=configuration,
        default_parameter=Parameter(negative=""),
        help_format="plaintext",
        help_formatter=HelpFormatter(),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    groups = {heading: Group(heading, sort_key=place) for place, heading in enumerate(HEADINGS)}
    for place, verb in enumerate(find_verbs().values()):
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
        options.apply(configuration)
        return app(words, exit_on_error=False, print_error=False)

    assert run
    return app
