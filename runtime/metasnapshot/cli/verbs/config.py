"""Set up: show the configuration."""

from __future__ import annotations

from collections.abc import Mapping

import cyclopts

from metasnapshot.cli.options import Json
from metasnapshot.cli.run import current
from metasnapshot.cli.settings import Setting, Value, resolve
from metasnapshot.cli.text import Document, say_json, table

config = cyclopts.App(name="config", help="Show the configuration.")


@config.command
def show(*, json: Json = False) -> int:
    """Show every setting: its value, and where it comes from.

    $ metasnapshot config show
    """
    found = resolve(current().configuration.values)
    if json:
        say_json(document(found))
        return 0
    rows = [
        [item.option, item.shown(value.text or "-"), value.origin] for item, value in found.items()
    ]
    table([["option", "value", "origin"], *rows])
    return 0


def document(found: Mapping[Setting, Value]) -> Document:
    """What --json prints."""
    return {
        "settings": [
            {
                "option": item.option,
                "key": f"{item.table}.{item.key}",
                "variable": item.variable,
                "value": None if value.text is None else item.shown(value.text),
                "origin": value.origin,
            }
            for item, value in found.items()
        ]
    }
