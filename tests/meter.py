"""What a command reads: how often each file is opened, how many bytes of snapshots are hashed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from metasnapshot.format.framing import FrameReader
from metasnapshot.store.local import LocalStore


class Meter:
    """Counts how often each file is opened, and the bytes that are hashed in all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: Counter[str] = Counter()
        self.total = 0
        frame_reader: Any = FrameReader
        honest_open, honest_pass = LocalStore.open_reader, frame_reader._pass  # noqa: SLF001

        def open_reader(store: LocalStore, path: str) -> Any:
            self.opened[path] += 1
            return honest_open(store, path)

        def count(frames: FrameReader, size: int) -> None:
            self.total += size
            honest_pass(frames, size)

        monkeypatch.setattr(LocalStore, "open_reader", open_reader)
        monkeypatch.setattr(FrameReader, "_pass", count)
