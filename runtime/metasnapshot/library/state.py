"""Where a cluster's state store is."""

from __future__ import annotations

StateStore = tuple[str, str | None]
"""URL and data directory; None for the directory that the snapshot says."""
