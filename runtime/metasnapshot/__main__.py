"""`python -m metasnapshot` is the command `metasnapshot`: its process is made ready first, then the
command is loaded, which takes a while.
"""

import sys

from metasnapshot.cli import process


def main() -> int:
    """Run the command; returns its exit code."""
    process.begin()
    from metasnapshot.cli.app import main as run  # noqa: PLC0415 - see above

    try:
        return run()
    finally:
        process.end()


if __name__ == "__main__":
    sys.exit(main())
