"""The golden SST objects, and what is known of them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import goldens

_SETS = [folder / "golden" / "sst" for folder in [goldens.reference()] if folder is not None]
ROOT = next((path for path in _SETS if path.is_dir()), goldens.SHIPPED / "sst")
TAGS = tuple(sorted(folder.name for folder in ROOT.glob("v*")))


@functools.cache
def facts(tag: str) -> dict[int, dict[str, Any]]:
    """What objects.json says, by object id."""
    found = json.loads((ROOT / tag / "objects.json").read_text())
    return {item["object_id"]: item for item in found}


def path(tag: str, object_id: int) -> Path:
    return ROOT / tag / f"{object_id}.data"


OBJECTS = [(tag, number) for tag in TAGS for number in sorted(facts(tag))]
IDS = [f"{tag}-{number}" for tag, number in OBJECTS]
