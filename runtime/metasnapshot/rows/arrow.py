"""pyarrow, which has no types of its own: names say what is meant. No other place imports it."""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow as pa_untyped  # noqa: ICN001 # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet as parquet_untyped  # pyright: ignore[reportMissingTypeStubs]

pa: Any = pa_untyped
parquet: Any = parquet_untyped
Array: TypeAlias = Any
DataType: TypeAlias = Any
Schema: TypeAlias = Any
RecordBatch: TypeAlias = Any
