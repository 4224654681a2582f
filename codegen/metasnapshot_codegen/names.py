"""Python names: `hummock_version_stats` -> HummockVersionStats, `NoShuffle` -> NO_SHUFFLE."""

from __future__ import annotations

import re


def class_name(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[_\W]+", name))


def constant(name: str) -> str:
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"\W+", "_", spaced).strip("_").upper()
