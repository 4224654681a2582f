"""metasnapshot config show"""

from __future__ import annotations

from pathlib import Path

import cyclopts
from cyclopts import App
from cyclopts.argument import ArgumentCollection, Token

from metasnapshot.cli import documents
from metasnapshot.cli.options import Json
from metasnapshot.cli.settings import Value, check_environment, read_file, resolve
from metasnapshot.cli.text import say_json, table
from metasnapshot.store.location import without_credentials


class Configuration:
    """What metasnapshot.toml sets, for cyclopts: fills options that nobody gave."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}

    def load(self, path: Path | None) -> None:
        """Read the file and look at the environment.

        Raises:
            UsageError: one of them sets what is no setting.
        """
        check_environment()
        self.values = read_file(path)

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Fill in; cyclopts asks after the command line and the environment."""
        del app, commands
        for argument in arguments:
            value = self.values.get(argument.name)
            if value is not None and value.text is not None and not argument.tokens:
                argument.append(Token(keyword=argument.name, value=value.text, source=value.origin))


configuration = Configuration()
app = cyclopts.App(name="config", help="Say what is configured.")


@app.command
def show(*, json: Json = False) -> int:
    """Show every setting that needs not be typed: its value and where that comes from.

    Example: metasnapshot config show
    """
    found = resolve(configuration.values)
    if json:
        say_json(documents.settings(found))
        return 0
    rows = [
        [item.option, without_credentials(value.text or "-"), value.origin]
        for item, value in found.items()
    ]
    table([["option", "value", "origin"], *rows])
    return 0
