"""A clock that only sleeping moves, for code whose waits a busy machine must not lengthen."""

from __future__ import annotations

from collections.abc import Callable


class Clock:
    """Stands for the module `time` where `monotonic` and `sleep` are all that is asked for."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once; then `meanwhile` is called."""
        self.now += seconds
        self.pauses.append(seconds)
        self.meanwhile()
