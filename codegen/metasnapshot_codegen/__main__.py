"""The command `metasnapshot-codegen`: it loads the generator, or says how to install what that
needs, which the runtime does without.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

GENERATOR = "metasnapshot_codegen.cli"
INSTALL = "pip install 'metasnapshot[codegen]'"
USAGE = 2
"""Exit code of the runtime's command too, where an extra is missing."""


class ExtraMissing(Exception):
    """What the generator needs is not installed; `package` is the name that it is imported by."""

    def __init__(self, package: str) -> None:
        super().__init__(f"metasnapshot-codegen needs jinja2 and pyyaml: there is no {package}")
        self.package = package


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    try:
        load()
    except ExtraMissing as error:
        print(f"error: {error}", file=sys.stderr)
        print(f"hint: {INSTALL}", file=sys.stderr)
        return USAGE
    from metasnapshot_codegen import cli  # noqa: PLC0415 - see above

    return cli.main(arguments)


def load() -> None:
    """Import the generator.

    Raises:
        ExtraMissing: another package that it needs is not there.
    """
    try:
        import_module(GENERATOR)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == __name__.partition(".")[0]:
            raise
        raise ExtraMissing(package) from error


if __name__ == "__main__":
    sys.exit(main())
