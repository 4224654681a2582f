"""Objects in memory that can be overwritten, as the stores behind a lease or a trial can."""

from __future__ import annotations

from metasnapshot.store.memory import MemoryStore


class OverwritableMemory(MemoryStore):
    """A store in memory with a put that asks nothing."""

    def plain(self) -> OverwritableMemory:
        """Itself: its conditions are as good as any."""
        return self

    def put(self, path: str, data: bytes) -> str:
        """Write an object, whatever is there; returns its etag."""
        with self._lock:
            return self._put(path, data)
