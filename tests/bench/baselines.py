"""What one would write without this project: a JSON library and a loop, with the blobs as bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import xxhash

import metasnapshot
from metasnapshot.format.codec import is_blob
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of, shape_of
from metasnapshot.format.snapshot import MetaSnapshot
from metasnapshot_models.layouts import LAYOUTS

LAYOUT = LAYOUTS["3.0.1"]
BLOBS = {
    section: [column.name for column in shape_of(LAYOUT, model).columns if is_blob(column.type)]
    for section, model in LAYOUT.sections
}
"""Names of blob columns by section."""
Row = dict[str, Any]


def raw_rows(path: Path) -> list[tuple[str, bytes]]:
    """Section and bytes of every row; reading them is left out of the baselines' time."""
    with metasnapshot.open(path) as reader:
        return [
            (section, row)
            for section in reader.section_names
            if section != HUMMOCK_VERSION
            for _, row in reader.raw_rows(section)
        ]


def models(path: Path) -> MetaSnapshot:
    return metasnapshot.loads(path.read_bytes())


def decode_json(section: str, row: bytes) -> Row:
    document: Row = json.loads(row)
    for name in BLOBS[section]:
        if document[name] is not None:
            document[name] = bytes(document[name])
    return document


def decode_orjson(section: str, row: bytes) -> Row:
    document: Row = orjson.loads(row)
    for name in BLOBS[section]:
        if document[name] is not None:
            document[name] = bytes(document[name])
    return document


def decode_all(rows: list[tuple[str, bytes]], decode: Callable[[str, bytes], Row]) -> None:
    for section, row in rows:
        decode(section, row)


def encode_json(document: Row) -> bytes:
    listed = {
        key: list(value) if isinstance(value, bytes) else value for key, value in document.items()
    }
    return json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode()


def encode_orjson(document: Row) -> bytes:
    listed = {
        key: list(value) if isinstance(value, bytes) else value for key, value in document.items()
    }
    return orjson.dumps(listed)


def encode_all(documents: list[Row], encode: Callable[[Row], bytes]) -> None:
    """Frame and hash as a snapshot is."""
    file = BytesIO()
    digest = xxhash.xxh64()
    for document in documents:
        row = encode(document)
        prefix = struct.pack("<I", len(row))
        for part in (prefix, row):
            digest.update(part)
            file.write(part)


def decode_file(path: Path) -> None:
    """Ours: open, verify, decode every row."""
    with metasnapshot.open(path) as reader:
        assert model_of(LAYOUT, reader.section_names[0])
        for section in reader.section_names:
            if section != HUMMOCK_VERSION:
                for _ in reader.rows(section):
                    pass


def encode_models(snapshot: MetaSnapshot) -> None:
    """Ours: encode every row, frame and hash."""
    metasnapshot.dumps(snapshot)
