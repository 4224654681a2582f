"""Which object is it? An object's id is unique in one life of a cluster only: a restore of an older
snapshot, or a clone, gives ids again. A tag tells the two objects of an id apart without a request.

The tag is the XXH64 of what a version says of an object and no split, merge or move ever changes:
its size, and of an SST where its meta starts and the epochs of its keys, which another life cannot
have. Vector files have no epochs but the numbers of their vectors; of a graph only the size is
known, so a graph of the same tag is still to be compared by content.
"""

from __future__ import annotations

import struct
from typing import Any

import xxhash

SST, VEC, GRAPH = "sst", "vec", "graph"
KINDS = (SST, VEC, GRAPH)
"""Suffixes of our copies, in the order of hummock.paths.SUFFIXES. RisingWave's collector takes any
key with one of its own suffixes for its own, and panics where no number stands before it."""
_FACTS = struct.Struct("<B4Q")


def tag_of(kind: int, size: int, *facts: int) -> int:
    """The tag of an object.

    Args:
        kind: its place in KINDS.
        size: in bytes.
        facts: up to three numbers, as sst_tag and vector_tag give them.
    """
    return xxhash.xxh64_intdigest(_FACTS.pack(kind, size, *facts, *(0,) * (3 - len(facts))))


def sst_tag(sst: Any) -> int:
    """The tag of an SST's object.

    Args:
        sst: a SstableInfo message of any release; before 0.18 it has no epochs.
    """
    first, last = getattr(sst, "min_epoch", 0), getattr(sst, "max_epoch", 0)
    return tag_of(0, sst.file_size, sst.meta_offset, first, last)


def vector_tag(file: Any) -> int:
    """The tag of a vector file.

    Args:
        file: a VectorFileInfo message; 2.5 numbers no vectors.
    """
    start, count = getattr(file, "start_vector_id", 0), getattr(file, "vector_count", 0)
    return tag_of(1, file.file_size, start, count)


def graph_tag(file: Any) -> int:
    """The tag of a graph file.

    Args:
        file: a HnswGraphFileInfo message.
    """
    return tag_of(2, file.file_size)
