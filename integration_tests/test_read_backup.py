"""What a cluster answers, and what `read` finds in a backup of it, without the cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cluster import Cluster
from cluster.tpch import NAMES
from test_full_backup import back_up, empty, filled

pytest_plugins = ["cluster.fixtures"]


@pytest.mark.parametrize("where", ["area", "state"])
def test_rows_are_those_of_selects(quick_cluster: Cluster, tmp_path: Path, where: str) -> None:
    """The rows that SELECT gave are those that `read` gives of each table and view of the backup,
    out of the backup when the bucket is empty, and out of the bucket while it is not."""
    cluster = quick_cluster
    expected = filled(cluster)
    there = ("--backup-storage-url", f"fs://{tmp_path}/backups")
    number = back_up(cluster, *there)
    if where == "area":
        empty(cluster)
    places = () if where == "area" else ("--hummock-storage-url", cluster.url)
    found: dict[str, list[tuple[object, ...]]] = {}
    for name in NAMES:
        file = tmp_path / f"{name}.jsonl"
        cluster.run("read", str(number), name, *there, *places, "--in", where, "--to", str(file))
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        found[name] = sorted((tuple(row.values()) for row in rows), key=repr)
    assert sum(map(len, found.values())) > 20
    assert found == expected
