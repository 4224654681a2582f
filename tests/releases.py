"""Earlier releases of metasnapshot, built from the history of this repository."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from shutil import which

import pytest
from ran import Ran

ROOT = Path(__file__).parents[1]
FIRST = "abba3c9"
"""The commit that 0.1.0 is of."""


class OtherRelease:
    """A release, unpacked from its wheel."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def run(self, *arguments: str | Path) -> Ran:
        """Run its command in the working directory."""
        found = subprocess.run(
            [sys.executable, "-m", "metasnapshot", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(self._place)},
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(found.returncode, found.stdout, found.stderr)


def build(commit: str, place: Path) -> OtherRelease:
    """Build the wheel of a commit into an empty directory and unpack it there."""
    git = which("git")
    if git is None:
        pytest.skip("there is no git")
    found = subprocess.run([git, "-C", ROOT, "archive", commit], capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"no commit {commit} in this history: a shallow clone, or no repository")
    with tarfile.open(fileobj=BytesIO(found.stdout)) as archive:
        archive.extractall(place / "source", filter="data")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel"]
    how = ["--no-deps", "--no-build-isolation", "--wheel-dir", place]
    subprocess.run([*pip, *how, place / "source"], check=True)
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "wheel")  # noqa: S202 - we built it
    return OtherRelease(place / "wheel")
