"""What the start of a verb loads: nothing that is heavy and that it does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import goldens
import pytest

HEAVY = {
    *("distributed", "sqlalchemy", "numpy", "google.protobuf", "grpc", "rich.markdown"),
    "metasnapshot.cli.followers",
}
SCRIPT = """
import sys
from metasnapshot.__main__ import main
code = main()
print("loaded:", *(name for name in sys.argv[0].split() if name in sys.modules))
sys.exit(code)
"""
PLACE = ("--backup-storage-directory", "backup", "--backup-storage-url")


def loaded(folder: Path, *words: str) -> set[str]:
    """The heavy modules that a process has loaded when a verb has ended well."""
    script = f"import sys; sys.argv[0] = {' '.join(sorted(HEAVY))!r}\n{SCRIPT}"
    command = [sys.executable, "-c", script, *words]
    found = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    return set(found.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "words",
    [
        ("--version",),
        ("--help",),
        ("verify", "--help"),
        ("list",),
        ("list", "--json"),
        ("check",),
        ("check", "--nagios"),
        ("verify", "--level", "file"),
        ("verify", "latest", "--level", "file", "--json"),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded(words: tuple[str, ...], tmp_path: Path) -> None:
    """Neither by help nor by what looks at a directory every minute."""
    goldens.copy_backups(goldens.SHIPPED / "v3.0.3", tmp_path)
    place = () if words[-1] in {"--help", "--version"} else (*PLACE, f"fs://{tmp_path}")
    assert loaded(tmp_path, *words, *place) == set()


def test_what_is_needed_is_loaded(tmp_path: Path) -> None:
    """The same eye sees what rows and messages take: the test above can fail."""
    goldens.copy_backups(goldens.SHIPPED / "v3.0.3", tmp_path)
    found = loaded(tmp_path, "verify", "1", "--level", "rows", *PLACE, f"fs://{tmp_path}")
    assert found == {"numpy", "google.protobuf"}
