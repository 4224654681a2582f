"""A terminal of 80 columns, for tests."""

from __future__ import annotations

import io

import pytest


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the environment say nothing of colours."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
