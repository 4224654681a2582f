from __future__ import annotations

import pytest

from metasnapshot_codegen import names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sink", "Sink"),
        ("hummock_version_stats", "HummockVersionStats"),
        ("SinkType", "SinkType"),
        ("cdc_table_snapshot_split", "CdcTableSnapshotSplit"),
    ],
)
def test_a_class_is_named_in_capitals(name: str, expected: str) -> None:
    """Underscores go, each word begins with a capital, a name of capitals stays."""
    assert expected == names.class_name(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sink", "SINK"),
        ("NoShuffle", "NO_SHUFFLE"),
        ("DoUpdateIfNotNull", "DO_UPDATE_IF_NOT_NULL"),
        ("SinkType@2.7.0", "SINK_TYPE_2_7_0"),
        ("WorkerResource@release-2.8", "WORKER_RESOURCE_RELEASE_2_8"),
        ("Vec<u8>", "VEC_U8"),
        ("i32", "I32"),
    ],
)
def test_a_constant_is_named_in_upper_case(name: str, expected: str) -> None:
    """Words are split where a capital begins, whatever is no letter or digit is an underscore."""
    assert expected == names.constant(name)
