"""Golden chains: a base version, deltas, and what RisingWave's own code made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import goldens
import xxhash
from google.protobuf import json_format

from metasnapshot.format import messages
from metasnapshot.hummock.replay.rules import era_of_release

VERSION = "hummock.HummockVersion"
DELTA = "hummock.HummockVersionDelta"
_WHOLE = goldens.reference()
ROOT = goldens.SHIPPED / "replay" if _WHOLE is None else _WHOLE / "golden" / "replay"
CHAINS = sorted(path.parent for path in ROOT.glob("*/*/expected.jsonl"))


def release(chain: Path) -> str:
    return chain.parent.name.removeprefix("v")


def read(data: bytes, name: str, chain: Path) -> Any:
    """A message as the chain's release reads it: fields that it does not know are dropped."""
    message: Any = messages.message_class(name, era_of_release(release(chain)))()
    message.ParseFromString(data)
    message.DiscardUnknownFields()
    return message


def base(chain: Path) -> Any:
    return read((chain / "base.pb").read_bytes(), VERSION, chain)


def deltas(chain: Path) -> Iterator[Any]:
    data, offset = (chain / "deltas.bin").read_bytes(), 0
    while offset < len(data):
        size = int.from_bytes(data[offset : offset + 4], "little")
        yield read(data[offset + 4 : offset + 4 + size], DELTA, chain)
        offset += 4 + size


def expected(chain: Path) -> list[dict[str, Any]]:
    """One for the base, then one a delta."""
    return [json.loads(line) for line in (chain / "expected.jsonl").read_text().splitlines()]


def canonical(version: Any) -> dict[str, Any]:
    return json_format.MessageToDict(version)


def digest(version: Any) -> str:
    text = json.dumps(canonical(version), sort_keys=True, separators=(",", ":"))
    return xxhash.xxh64_hexdigest(text.encode())
