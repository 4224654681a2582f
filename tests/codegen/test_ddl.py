"""Mistakes in ddl.yaml are named where they stand; what was released cannot be said differently."""

from __future__ import annotations

import pytest
from project_schema import ProjectSchema


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param(
            "  - {column: host, ",
            "  - {column: hostt, ",
            "found column worker.hostt, expected one of models.yaml, or an exclusion there",
            id="a column that no model has",
        ),
        pytest.param(
            "{column: port, type: integer",
            "{column: port, type: integral",
            "found type `integral`, expected one of types (1.9.0)",
            id="an unknown type",
        ),
        pytest.param(
            "references: fragment,",
            "references: fragments,",
            "to `fragments`, expected a table",
            id="a foreign key to nowhere",
        ),
        pytest.param(
            "columns: [host, port]",
            "columns: [host, prt]",
            "found column prt in idx_worker_host_port, expected one of worker",
            id="an index on no column",
        ),
        pytest.param(
            "{charset: utf8mb4, collation: utf8mb4_bin, since: 2.3.0}",
            "{charset: utf8mb4, collation: utf8mb4_bin, since: 2.4.0}",
            "found 0 charsets in ddl.yaml, expected one (2.3.0)",
            id="a release without a character set",
        ),
        pytest.param(
            "vnode_mapping, type: blob, not_null: true, until: 1.10.2",
            "vnode_mapping, type: blob, not_null: true, until: 1.10.9",
            "found `1.10.9`, expected one of 1.9.0, ",
            id="an unknown release",
        ),
        pytest.param(
            "engines: [postgres, mysql], since: 1.9.2",
            "engines: [postgres, oracle], since: 1.9.2",
            "expected some of sqlite, postgres, mysql",
            id="an unknown engine",
        ),
        pytest.param(
            "engines: [sqlite], since: 1.9.2",
            "engines: [sqlite, mysql], since: 1.9.2",
            "found column function.compressed_binary twice on mysql",
            id="a column twice",
        ),
    ],
)
def test_a_mistake_is_named(
    schema: ProjectSchema, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    """Exit 2, with file and line, what was found and what was expected."""
    schema.edit("ddl.yaml", old, new)
    assert schema.run() == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert not schema.out.exists()


def test_forgetting_a_column_is_impossible(
    schema: ProjectSchema, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column of a model that no table of ddl.yaml has is named."""
    schema.edit("ddl.yaml", "  - {column: port, type: integer, not_null: true}\n", "")
    assert schema.run() == 2
    assert (
        "found no column worker.port in ddl.yaml, expected one (1.9.0)" in capsys.readouterr().err
    )


def test_a_table_twice_is_named(schema: ProjectSchema, capsys: pytest.CaptureFixture[str]) -> None:
    """The second place is where the mistake is."""
    path = schema.path / "ddl.yaml"
    text = path.read_text()
    first = text.index("- table: catalog_version\n")
    path.write_text(text + text[first : text.index("- table: ", first + 1)])
    assert schema.run() == 2
    assert "found table catalog_version twice, expected it once (1.9.0)" in capsys.readouterr().err


def test_what_was_released_does_not_change(
    schema: ProjectSchema, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another type for a column of a frozen release is refused, with the release."""
    schema.edit("ddl.yaml", "  - {column: port, type: integer", "  - {column: port, type: bigint")
    assert schema.run("--check") == 1
    assert "frozen: ddl 2.8.0 differs" in capsys.readouterr().err


def test_without_the_file_no_ddl_is_generated(
    schema: ProjectSchema, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package does without; one that was frozen with it does not lose it."""
    (schema.path / "ddl.yaml").unlink()
    assert schema.run() == 1
    assert "frozen: ddl 2.8.0 is gone" in capsys.readouterr().err
    (schema.path / "frozen.txt").unlink()
    assert schema.run() == 0
    assert not list(schema.out.rglob("ddl.py"))
