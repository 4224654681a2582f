"""Where objects lie: prefixes by backend and release, and paths there and back."""

from __future__ import annotations

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metasnapshot.hummock.paths import (
    PREFIX_PARAMETER,
    SUFFIXES,
    ObjectPath,
    is_prefixed,
    object_path,
    object_prefix,
    parse_path,
)
from metasnapshot_models.rules import IS_PREFIXED

U64_MAX = (1 << 64) - 1
ALWAYS = ("s3://bucket", "minio://key:secret@127.0.0.1:9301/bucket")
NEVER = ("memory", "memory-shared", "sim://127.0.0.1:9301")
ASKED = (
    "fs://root",
    "gcs://bucket@root",
    "obs://bucket@root",
    "oss://bucket@root",
    "hdfs://namenode@root",
    "webhdfs://namenode@root",
    "azblob://container@root",
)
PARAMETERS: tuple[dict[str, str], ...] = (
    {},
    {PREFIX_PARAMETER: "true"},
    {PREFIX_PARAMETER: "false"},
    {PREFIX_PARAMETER: ""},
)
"""Up to 1.10 there is no such parameter; since 2.0 it is true for clusters that began there."""
DIRECTORIES = st.from_regex(r"[0-9a-zA-Z_-]+(/[0-9a-zA-Z_-]+){0,2}", fullmatch=True)
"""What a meta node takes for a data directory."""


@pytest.mark.parametrize(
    ("number", "prefix"),
    [(1, "255/"), (2, "69/"), (100, "40/")],
)
def test_the_prefix_is_upstreams_hash(number: int, prefix: str) -> None:
    """Known ids lie in the directories that RisingWave's formula names."""
    assert object_prefix(number, prefixed=True) == prefix
    assert object_prefix(number, prefixed=False) == ""
    path = f"hummock_001/{prefix}{number}.data"
    assert object_path("hummock_001", number, "data", prefixed=True) == path
    plain = f"hummock_001/{number}.data"
    assert object_path("hummock_001", number, "data", prefixed=False) == plain


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
@pytest.mark.parametrize("before", ["", "hummock+"])
def test_who_has_prefixes(parameters: dict[str, str], before: str) -> None:
    """S3 and MinIO always, memory and simulation never, all others as the parameter says."""
    asked = parameters.get(PREFIX_PARAMETER) == "true"
    expected = (
        dict.fromkeys(ALWAYS, True) | dict.fromkeys(NEVER, False) | dict.fromkeys(ASKED, asked)
    )
    found = {url: is_prefixed(f"{before}{url}", parameters) for url in expected}
    assert found == expected


def test_every_scheme_with_a_rule_of_its_own_is_tried() -> None:
    """A scheme that the code treats apart stands in the table above."""
    schemes = {url.partition("://")[0] for url in (*ALWAYS, *NEVER)}
    assert schemes == IS_PREFIXED.keys()


@given(
    directory=DIRECTORIES,
    number=st.integers(0, U64_MAX),
    suffix=st.sampled_from(SUFFIXES),
    prefixed=st.booleans(),
)
def test_a_path_parses_into_what_made_it(
    directory: str, number: int, suffix: str, *, prefixed: bool
) -> None:
    """parse_path is the inverse of object_path, for every id, suffix and kind of prefix."""
    path = object_path(directory, number, suffix, prefixed=prefixed)
    prefix = f"{binascii.crc32(number.to_bytes(8, 'big')) % 256}/" if prefixed else ""
    assert parse_path(directory, path) == ObjectPath(prefix, number, suffix)


@given(directory=DIRECTORIES, name=st.text(max_size=60))
def test_what_parses_is_spelt_in_one_way(directory: str, name: str) -> None:
    """Whatever a file is called: an object's path is exactly prefix, id and suffix."""
    found = parse_path(directory, f"{directory}/{name}")
    if found is not None:
        assert name == f"{found.prefix}{found.id}.{found.suffix}"
        assert 0 <= found.id <= U64_MAX


@pytest.mark.parametrize(
    "path",
    [
        "hummock_001/checkpoint/0",
        "hummock_001/cluster_id/0",
        "hummock_001/backup/manifest.json",
        "hummock_001/backup/7.snapshot",
        "hummock_001/007.data",
        "hummock_001/1.data.tmp",
        "hummock_001/1.DATA",
        "hummock_001/1.sst",
        "hummock_001/1.",
        "hummock_001/1",
        "hummock_001/data",
        "hummock_001/.data",
        "hummock_001/x.data",
        "hummock_001/-1.data",
        "hummock_001/+1.data",
        "hummock_001/1_0.data",
        "hummock_001/ 1.data",
        "hummock_001/1.5.data",
        "hummock_001/\u0661.data",
        "hummock_001/\u00b2.data",
        f"hummock_001/{U64_MAX + 1}.data",
        f"hummock_001/{'9' * 5000}.data",
        "hummock_001_old/1.data",
        "hummock_0011.data",
        "hummock_00/1.data",
        "1.data",
        "x/hummock_001/1.data",
        "/hummock_001/1.data",
        "",
    ],
    ids=lambda path: path[:40],
)
def test_foreign_names_are_no_objects(path: str) -> None:
    """Checkpoints, temporary files, other spellings of a number, other directories: no objects."""
    assert parse_path("hummock_001", path) is None


def test_an_object_in_a_wrong_directory_is_one() -> None:
    """It says where it lies, so that a check can tell."""
    assert parse_path("d", "d/7/1.data") == ObjectPath("7/", 1, "data")
    assert parse_path("d", "d/old/7/1.vector") == ObjectPath("old/7/", 1, "vector")
