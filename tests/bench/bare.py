"""The least that a command of this size costs: a cyclopts app whose verbs are loaded when they are
named, which do nothing. Each verb is a function of this file, as many as metasnapshot has.
"""

from __future__ import annotations

import sys

import cyclopts

VERBS = 25


def verb(*names: str, url: str = "", count: int = 1, json: bool = False) -> int:  # noqa: ARG001
    """Do nothing."""
    return 0


def main() -> int:
    app = cyclopts.App(name="bare", result_action="return_value", help_format="plaintext")
    for number in range(VERBS):
        app.command("bare:verb", name=f"verb-{number}", help="Do nothing.")
    return app(sys.argv[1:]) or 0


if __name__ == "__main__":
    sys.exit(main())
