"""`python -m metasnapshot` is the command `metasnapshot`: its process is made ready first, then the
command is loaded, which takes a while.
"""

import sys

from metasnapshot.cli import process
from metasnapshot.version import VERSION


def main() -> int:
    """Run the command; returns its exit code."""
    if sys.argv[1:] == ["--version"]:
        print(VERSION)  # noqa: T201 - a result
        return 0
    process.begin()
    from metasnapshot.cli.app import main as run  # noqa: PLC0415 - see above

    try:
        return run()
    finally:
        process.end()


if __name__ == "__main__":
    sys.exit(main())
