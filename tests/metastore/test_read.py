"""Rows read by the many are the rows that are read one by one."""

from __future__ import annotations

import shutil
from pathlib import Path

import goldens
import pytest

from metasnapshot.errors import RowError
from metasnapshot.format.codec import row_codec
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.read import find_layouts, read_encoded, read_rows


@pytest.mark.parametrize("tag", goldens.STORES, ids=lambda tag: tag.name)
def test_rows_are_encoded_by_the_many(tag: Path) -> None:
    """Every table of a golden store gives the bytes that its models encode to, none as a model."""
    with (
        open_meta_store(f"sqlite:///{tag / 'meta.db'}") as store,
        store.read_transaction() as connection,
    ):
        layout = find_layouts(connection).layouts[0]
        for _, model in layout.sections:
            codec = row_codec(layout, model)
            wanted = [codec.encode(row) for row in read_rows(connection, layout, model)]
            found = read_encoded(connection, layout, model)
            rows = [row for some in found for row in (some if isinstance(some, list) else [some])]
            assert rows == wanted, model


def test_a_value_that_its_column_cannot_hold_is_named(tmp_path: Path) -> None:
    """Table, row and column, as where rows are read one by one."""
    path = tmp_path / "meta.db"
    shutil.copyfile(goldens.STORES[-1] / "meta.db", path)
    with (
        open_meta_store(f"sqlite:///{path}") as store,
        store.write_transaction() as connection,
    ):
        connection.exec_driver_sql("UPDATE session_parameter SET value = x'00'")
    with (
        open_meta_store(f"sqlite:///{path}") as store,
        store.read_transaction() as connection,
    ):
        layout = find_layouts(connection).layouts[0]
        with pytest.raises(RowError) as caught:
            list(read_encoded(connection, layout, "session_parameter"))
    error = caught.value
    assert (error.section, error.row, error.column) == ("table session_parameter", 0, "value")
