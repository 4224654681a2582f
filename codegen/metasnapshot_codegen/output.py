"""Rendered files -> disk: written only where they differ; in check mode shown as a unified diff and
not written.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path


def write(files: Mapping[str, str], root: Path) -> list[str]:
    """Write the files that differ below root.

    Returns:
        Names of the files that were written.
    """
    written: list[str] = []
    for name, text in files.items():
        path = root / name
        if _read(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(name)
    return written


def diff(files: Mapping[str, str], root: Path) -> str:
    """A unified diff from what stands below root to what should; empty when nothing differs."""
    parts: list[str] = []
    for name, text in files.items():
        before = _read(root / name)
        if before != text:
            parts += difflib.unified_diff(
                (before or "").splitlines(keepends=True),
                text.splitlines(keepends=True),
                f"a/{name}" if before is not None else "/dev/null",
                f"b/{name}",
            )
    return "".join(parts)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
