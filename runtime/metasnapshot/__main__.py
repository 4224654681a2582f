"""`python -m metasnapshot` is the command `metasnapshot`: its process is made ready first, then the
command is loaded, which takes a while.
"""

import gc
import sys

from metasnapshot.cli import process
from metasnapshot.version import VERSION

GARBAGE = 50_000
"""Objects before the collector of garbage looks for circles: loading makes as many, and none."""


def main() -> int:
    """Run the command; returns its exit code."""
    if sys.argv[1:] == ["--version"]:
        print(VERSION)  # noqa: T201 - a result
        return 0
    process.begin()
    gc.set_threshold(GARBAGE)
    from metasnapshot.cli.app import main as run  # noqa: PLC0415 - see above

    try:
        return run()
    finally:
        process.end()


if __name__ == "__main__":
    sys.exit(main())
