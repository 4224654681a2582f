"""Vector indexes (2.5; HNSW 2.6): made, and given more files.

Source: src/storage/hummock_sdk/src/vector_index.rs at v2.6.0, v3.0.3.
"""

from __future__ import annotations

from typing import Any

from metasnapshot.errors import VersionError
from metasnapshot.hummock.replay.rules import Rules
from metasnapshot.hummock.replay.sst import changed

HNSW = "hnsw_flat"


def check_vector_delta(delta: Any) -> None:
    """A delta must say something.

    Raises:
        VersionError: it says nothing.
    """
    kind = delta.WhichOneof("delta")
    if kind is None:
        raise VersionError("a vector index delta without content")
    if kind == "adds" and any(add.WhichOneof("add") is None for add in delta.adds.adds):
        raise VersionError("a vector index add without content")


def init_index(delta: Any, index: Any) -> None:
    """Fill an empty VectorIndex message from an init."""
    init = delta.init
    info = init.info if "info" in init.DESCRIPTOR.fields_by_name else init
    index.dimension = info.dimension
    index.distance_type = info.distance_type
    kind = info.WhichOneof("config")
    if kind is None:
        raise VersionError("a vector index without config")
    variant = getattr(index, kind)
    variant.SetInParent()
    variant.config.CopyFrom(getattr(info, kind))


def add_files(delta: Any, index: Any, rules: Rules) -> Any:
    """The index with more vector files.

    Raises:
        VersionError: the kind differs, or ids of vectors overlap.
    """
    index = changed(index)
    for add in delta.adds.adds:
        kind = add.WhichOneof("add")
        if kind != index.WhichOneof("variant"):
            raise VersionError(f"expect {kind} but got {index.WhichOneof('variant')}")
        more, variant = getattr(add, kind), getattr(index, kind)
        for file in more.added_vector_files:
            if rules.vector_ranges:
                _check_follows(variant.vector_files, file.start_vector_id)
            variant.vector_files.append(file)
        if rules.vector_ranges:
            _check_follows(variant.vector_files, more.next_vector_id)
            variant.next_vector_id = more.next_vector_id
        if kind == HNSW:
            if not variant.vector_files:
                raise VersionError("an HNSW index without vector files")
            variant.graph_file.CopyFrom(more.graph_file)
    return index


def _check_follows(files: Any, vector_id: int) -> None:
    if files and files[-1].start_vector_id + files[-1].vector_count > vector_id:
        raise VersionError(
            f"vector id {vector_id} should not be below the last vector file's start vector id "
            f"{files[-1].start_vector_id} + vector count {files[-1].vector_count}"
        )
