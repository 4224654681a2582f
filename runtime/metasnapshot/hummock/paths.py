"""Where Hummock's objects lie: `{data_directory}/{prefix}{id}.{suffix}`.

The prefix is a directory named after a hash of the id: always on S3 and MinIO, never in memory,
elsewhere since 2.0 and only if system parameter use_new_object_prefix_strategy says so.
Source: src/object_store/src/object/prefix.rs and opendal_engine at v1.10.0 to v3.0.3.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import NamedTuple

from metasnapshot.format.scalars import U64_MAX
from metasnapshot.store.location import HUMMOCK_PREFIX
from metasnapshot.store.services import find_service
from metasnapshot_models.rules import IS_PREFIXED

PREFIXES = 256
PREFIX_PARAMETER = "use_new_object_prefix_strategy"
DATA, VECTOR, GRAPH = "data", "vector", "hnsw_graph"
ID_MAX = U64_MAX
ID_DIGITS_MAX = len(str(ID_MAX))
SUFFIXES = (DATA, VECTOR, GRAPH)
"""SSTs of every release; vector files since 2.5; HNSW graphs since 2.6."""


class ObjectPath(NamedTuple):
    """An object's path below the data directory, taken apart."""

    prefix: str
    id: int
    suffix: str


def is_prefixed(url: str, parameters: Mapping[str, str]) -> bool:
    """Whether the objects of a state store lie in directories named after a hash.

    Args:
        url: of the state store; `hummock+` in front is allowed.
        parameters: system parameters by name; the one in question is missing before 2.0.
    """
    scheme = url.removeprefix(HUMMOCK_PREFIX).partition("://")[0]
    row = find_service(scheme)
    asked = parameters.get(PREFIX_PARAMETER) == "true"
    return IS_PREFIXED.get(scheme if row is None else row.name, asked)


def object_prefix(object_id: int, *, prefixed: bool) -> str:
    """The directory of an object below the data directory, with its slash; "" for none."""
    if not prefixed:
        return ""
    return f"{binascii.crc32(object_id.to_bytes(8, 'big')) % PREFIXES}/"


def object_path(directory: str, object_id: int, suffix: str, *, prefixed: bool) -> str:
    """Where an object lies in the state store."""
    return f"{directory}/{object_prefix(object_id, prefixed=prefixed)}{object_id}.{suffix}"


def parse_path(directory: str, path: str) -> ObjectPath | None:
    """The object that a path in the state store is of; None if it is not an object of Hummock."""
    if not path.startswith(f"{directory}/"):
        return None
    below = path[len(directory) + 1 :]
    prefix, slash, name = below.rpartition("/")
    number, _, suffix = name.partition(".")
    if suffix not in SUFFIXES or not number.isdecimal() or len(number) > ID_DIGITS_MAX:
        return None
    if str(int(number)) != number or int(number) > ID_MAX:
        return None
    return ObjectPath(f"{prefix}{slash}", int(number), suffix)
