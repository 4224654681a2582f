"""Mistakes in ddl.yaml are named where they stand; what was released cannot be said differently."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from metasnapshot_codegen import cli


@pytest.fixture
def schema(repo_root: Path, tmp_path: Path) -> Path:
    """The project's own schema directory, free to be edited."""
    shutil.copytree(repo_root / "schema", tmp_path / "schema")
    return tmp_path / "schema"


def run(schema: Path, *arguments: str) -> int:
    return cli.main(["--schema", str(schema), "--out", str(schema.parent / "out"), *arguments])


def edit(schema: Path, old: str, new: str) -> int:
    """Replace the first place; returns its line."""
    path = schema / "ddl.yaml"
    before, found, after = path.read_text().partition(old)
    assert found, old
    path.write_text(before + new + after)
    return before.count("\n") + 1


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
    schema: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    """Exit 2, with file and line, what was found and what was expected."""
    edit(schema, old, new)
    assert run(schema) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert not (schema.parent / "out").exists()


def test_forgetting_a_column_is_impossible(
    schema: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column of a model that no table of ddl.yaml has is named."""
    edit(schema, "  - {column: port, type: integer, not_null: true}\n", "")
    assert run(schema) == 2
    assert (
        "found no column worker.port in ddl.yaml, expected one (1.9.0)" in capsys.readouterr().err
    )


def test_a_table_twice_is_named(schema: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second place is where the mistake is."""
    path = schema / "ddl.yaml"
    text = path.read_text()
    first = text.index("- table: catalog_version\n")
    path.write_text(text + text[first : text.index("- table: ", first + 1)])
    assert run(schema) == 2
    assert "found table catalog_version twice, expected it once (1.9.0)" in capsys.readouterr().err


def test_what_was_released_does_not_change(
    schema: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another type for a column of a frozen release is refused, with the release."""
    edit(schema, "  - {column: port, type: integer", "  - {column: port, type: bigint")
    assert run(schema, "--check") == 1
    assert "frozen: ddl 2.8.0 differs" in capsys.readouterr().err


def test_without_the_file_no_ddl_is_generated(
    schema: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package does without; one that was frozen with it does not lose it."""
    (schema / "ddl.yaml").unlink()
    assert run(schema) == 1
    assert "frozen: ddl 2.8.0 is gone" in capsys.readouterr().err
    (schema / "frozen.txt").unlink()
    assert run(schema) == 0
    assert not list((schema.parent / "out").rglob("ddl.py"))
