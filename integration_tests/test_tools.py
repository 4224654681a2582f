"""The guide's lines for other people's tools, each run as it stands there."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data_cluster import write_area, write_cluster

GUIDE = Path(__file__).parents[1] / "docs" / "guide.md"
SECTION = GUIDE.read_text(encoding="utf-8").split("### Other tools\n")[1].split("\n### ")[0]
OPENING, *BLOCKS = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
TABLE = "t_rowid"


def iceberg_rows(names: dict[str, Any]) -> int:
    return names["catalog"].load_table("back.orders").scan().to_arrow().num_rows


def delta_rows(_: dict[str, Any]) -> int:
    deltalake: Any = importlib.import_module("deltalake")  # make integration brings it
    return deltalake.DeltaTable("lake/orders").to_pyarrow_table().num_rows


ROWS: dict[str, Callable[[dict[str, Any]], int]] = {
    "pandas": lambda names: len(names["frame"]),
    "polars": lambda names: names["frame"].height,
    "duckdb": lambda names: len(names["frame"].fetchall()),
    "pyiceberg": iceberg_rows,
    "deltalake": delta_rows,
    "dask": lambda names: len(names["frame"]),
}


def test_every_block_is_run() -> None:
    """Each block of the guide is one of these tools', and each tool has one."""
    found = [re.search(r"(?:import|from) (\w+)", block) for block in BLOCKS]
    assert [match[1] for match in found if match] == list(ROWS)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("tool", "block"), list(zip(ROWS, BLOCKS, strict=True)), ids=list(ROWS))
def test_the_lines_of_the_guide(
    tool: str, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines of the guide give the tool all rows of a table of a snapshot."""
    monkeypatch.chdir(tmp_path)
    write_cluster("v3.0.3", tmp_path)
    write_area(tmp_path)
    names: dict[str, Any] = {}
    for lines in (OPENING, block):
        here = lines.replace("/srv/", f"{tmp_path}/").replace("public.orders", TABLE)
        exec(here, names)  # noqa: S102 - the guide's
    assert ROWS[tool](names) == names["orders"].to_reader().read_all().num_rows > 10
