"""Files in a bucket as a table's source: CREATE TABLE … (*) WITH (connector = 's3', …) FORMAT PLAIN
ENCODE PARQUET, whose columns are those of the file (docs/sql/create-source of RisingWave).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

import boto3  # pyright: ignore[reportMissingTypeStubs]
import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

WANTED = (
    *("connector", "match_pattern", "s3.region_name", "s3.bucket_name"),
    *("s3.credentials.access", "s3.credentials.secret"),
)
_OPTION = re.compile(r"([\w.]+) ?= ?'([^']*)'")
_TYPES: dict[Any, str] = {pa.int32(): "INT", pa.int64(): "BIGINT", pa.string(): "VARCHAR"}


def options_of(text: str) -> dict[str, str]:
    """What stands in WITH.

    Raises:
        ValueError: an option is missing, or the connector is another one.
    """
    found = dict(_OPTION.findall(text))
    missing = [name for name in WANTED if name not in found]
    if missing or found["connector"] != "s3":
        raise ValueError(f"no files of S3: {', '.join(missing)} missing in {text}")
    return found


def read_files(options: dict[str, str]) -> tuple[str, list[tuple[Any, ...]]]:
    """Columns as CREATE TABLE has them, and the rows of every file whose name fits."""
    client: Any = boto3.client(
        "s3",
        endpoint_url=options.get("s3.endpoint_url"),
        region_name=options["s3.region_name"],
        aws_access_key_id=options["s3.credentials.access"],
        aws_secret_access_key=options["s3.credentials.secret"],
    )
    bucket = options["s3.bucket_name"]
    tables = list(_tables(client, bucket, options["match_pattern"]))
    table = pa.concat_tables(tables)
    columns = ", ".join(f"{field.name} {_TYPES[field.type]}" for field in table.schema)
    return columns, [tuple(row.values()) for row in table.to_pylist()]


def _tables(client: Any, bucket: str, pattern: str) -> Iterator[Any]:
    for item in client.list_objects_v2(Bucket=bucket)["Contents"]:
        if fnmatch(item["Key"], pattern):
            body = client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            yield pq.read_table(io.BytesIO(body))


def literal(value: object) -> str:
    """A value in SQL."""
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
