"""What a cluster answers, and what `read` finds in a backup of it, without the cluster."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cluster import Cluster
from cluster.tpch import NAMES
from s3 import KEYS, S3Server
from test_full_backup import back_up, empty, filled

pytest_plugins = ["cluster.fixtures"]
GUIDE = Path(__file__).parents[1] / "docs" / "guide.md"
ORDERS = """CREATE TABLE orders (id INT PRIMARY KEY, name VARCHAR, amount BIGINT);
INSERT INTO orders VALUES (1, 'one', 10), (2, 'it''s', NULL), (3, NULL, -5),
  (4, 'vier', 4000000000);
"""


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


def statements() -> str:
    """The SQL that the guide gives for the running cluster."""
    text = GUIDE.read_text(encoding="utf-8")
    (found,) = re.findall(r"### Into the running cluster\n.*?```sql\n(.*?)```", text, re.DOTALL)
    return found


def test_one_table_back(small_cluster: Cluster, s3: S3Server, tmp_path: Path) -> None:
    """The guide's way, typed as it stands but for the addresses: rows that were deleted by mistake
    come out of the backup into the cluster that runs, and what was written and changed since stays.
    """
    cluster = small_cluster
    cluster.sql(f"SET RW_IMPLICIT_FLUSH TO true; {ORDERS}")
    before = cluster.sql("SELECT * FROM orders;")
    there = ("--backup-storage-url", f"fs://{tmp_path}/backups")
    number = back_up(cluster, *there)
    cluster.start()
    cluster.sql(
        "SET RW_IMPLICIT_FLUSH TO true; DELETE FROM orders WHERE id > 2; "
        "UPDATE orders SET name = 'new' WHERE id = 1; INSERT INTO orders VALUES (100, 'since', 1);"
    )
    file, bucket = tmp_path / "orders.parquet", s3.bucket()
    cluster.run("read", str(number), "orders", *there, "--to", str(file))
    s3.write(bucket, file.name, file.read_bytes())
    key, _, secret = KEYS.partition(":")
    text = statements().replace("'rescue'", f"'{bucket}'")
    endpoint = f"s3.endpoint_url = 'http://127.0.0.1:{s3.port}', s3.region_name"
    text = text.replace("s3.region_name", endpoint)
    for word in (key, secret):
        text = text.replace("'…'", f"'{word}'", 1)
    cluster.sql(f"SET RW_IMPLICIT_FLUSH TO true; {text}")
    assert sorted(cluster.sql("SELECT * FROM orders_back;")) == sorted(before)
    kept = [(1, "new", 10), *(row for row in before if row[0] != 1), (100, "since", 1)]
    assert sorted(cluster.sql("SELECT * FROM orders;")) == sorted(kept)
