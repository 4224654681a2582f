"""`make bench-docs`: runs benchmarks and prints what they print into docs/benchmarks.md.

Each block of the page stands between `<!-- printed: NAME -->` and `<!-- end -->`; the prose around
it is written by hand and has no figure of a block.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BLOCKS = {
    "speed": ("bench.py", "speed"),
    "memory": ("bench.py", "memory"),
    "replay": ("bench.py", "replay"),
    "list": ("lists.py",),
    "start": ("start.py",),
    "query": ("query_rows.py",),
    "growth": ("growth.py",),
    "alternatives": ("alternatives.py",),
    "servers": ("restores.py",),
    "remote": ("remote.py",),
    "objects": ("objects.py",),
    "scale": ("scale.py",),
    "time": ("times.py",),
}
"""Each block with the benchmark that prints it."""
ALONE = ("speed", "memory", "replay", "list", "start", "time")
"""Those that need no server."""
_BLOCK = re.compile(r"<!-- printed: (\w+) -->\n(.*?)<!-- end -->\n", re.DOTALL)


def blocks(page: str) -> dict[str, str]:
    """The blocks of a page as they were printed."""
    return {match[1]: match[2].strip("\n") for match in _BLOCK.finditer(page)}


def replaced(page: str, printed: dict[str, str]) -> str:
    """The page with other blocks in the place of those of the same names; the rest as it was.

    Raises:
        KeyError: the page has no such block.
    """
    for name in printed.keys() - blocks(page).keys():
        raise KeyError(name)

    def block(match: re.Match[str]) -> str:
        if match[1] not in printed:
            return match[0]
        return f"<!-- printed: {match[1]} -->\n{printed[match[1]].strip()}\n<!-- end -->\n"

    return _BLOCK.sub(block, page)


def run(name: str) -> str:
    """What a benchmark prints; one that misses what it wants is told, and printed all the same."""
    script, *words = BLOCKS[name]
    command = [sys.executable, str(Path(__file__).parent / script), *words]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        print(f"{name}: ended with {found.returncode}", file=sys.stderr)
    return found.stdout


def main() -> int:
    names = sys.argv[1:] or ALONE
    if unknown := [name for name in names if name not in BLOCKS]:
        print(f"error: no block {', '.join(unknown)}; there are {', '.join(BLOCKS)}")
        return 2
    printed = {name: run(name) for name in names}
    if empty := [name for name, text in printed.items() if not text.strip()]:
        print(f"error: nothing was printed by {', '.join(empty)}; the page is as it was")
        return 1
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(replaced(page, printed), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
