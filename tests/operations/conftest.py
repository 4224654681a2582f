from __future__ import annotations

from pathlib import Path

import pytest
from clock import Clock
from object_world import ObjectWorld

from metasnapshot.operations import gc_objects, pinning


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectWorld:
    """A cluster and its objects in the working directory."""
    monkeypatch.chdir(tmp_path)
    return ObjectWorld(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of releases and of watches, which only their pauses move."""
    made = Clock()
    monkeypatch.setattr(pinning, "time", made)
    monkeypatch.setattr(gc_objects, "time", made)
    return made
