"""A virtual environment with a wheel of this checkout, and of other packages only those that it
asks for: they are links to the ones of this interpreter, so that no network is needed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
HERE = Path(sysconfig.get_path("purelib"))
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def build_wheel(folder: Path) -> Path:
    """The wheel that `WHEEL` names, or one of this checkout, built into an empty folder."""
    if given := os.environ.get("WHEEL"):
        return Path(given).resolve(strict=True)
    how = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([*PIP, "wheel", *how, str(ROOT)], check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel, without extras, into a new environment; the folder of its commands."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = [*PIP, "--python", str(python), "install", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(pip, check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (metadata,) = packages.glob("metasnapshot-*.dist-info/METADATA")
    asked = [
        line.removeprefix("Requires-Dist: ")
        for line in metadata.read_text(encoding="utf-8").splitlines()
        if line.startswith("Requires-Dist: ")
    ]
    link(needed(asked), packages)
    return folder / "bin"


def needed(asked: list[str]) -> set[str]:
    """Names of what is asked for here, without extras, and of what that asks for in turn."""
    found: set[str] = set()
    while asked:
        wish = Requirement(asked.pop())
        if wish.name in found or (wish.marker and not wish.marker.evaluate({"extra": ""})):
            continue
        found.add(wish.name)
        asked.extend(distribution(wish.name).requires or ())
    return found


def link(names: set[str], packages: Path) -> None:
    """What these distributions have at the top of site-packages, as links."""
    for name in names:
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            (packages / top).symlink_to(HERE / top)
