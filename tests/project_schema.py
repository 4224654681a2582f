"""A copy of the project's registry that a test may edit."""

from __future__ import annotations

from pathlib import Path

from metasnapshot_codegen import cli


class ProjectSchema:
    """The project's own schema directory, free to be edited, and the command run on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.out = path.parent / "out"

    def run(self, *arguments: str) -> int:
        return cli.main(["--schema", str(self.path), "--out", str(self.out), *arguments])

    def edit(self, name: str, old: str, new: str) -> int:
        """Replace the first place in a file; returns its line."""
        path = self.path / name
        before, found, after = path.read_text().partition(old)
        assert found, old
        path.write_text(before + new + after)
        return before.count("\n") + 1
