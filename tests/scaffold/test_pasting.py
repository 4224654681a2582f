"""coverage --scaffold --write: the lines of a release in the files of schema/, all or none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import goldens
import pytest
from pasting import LAST, folder_of, make_store, newest

from metasnapshot.cli.app import main

SCHEMA = Path(__file__).parents[2] / "schema"
FILES = ("models.yaml", "ddl.yaml", "rules.yaml")


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    folder = tmp_path / "schema"
    folder.mkdir()
    for name in FILES:
        shutil.copyfile(SCHEMA / name, folder / name)
    return folder


def command(tmp_path: Path, script: str, *arguments: str, tag: Path | None = None) -> list[str]:
    (tmp_path / "meta.db").unlink(missing_ok=True)
    make_store(tmp_path / "meta.db", tag or newest(), script)
    return ["coverage", "--meta-store", f"sqlite:///{tmp_path / 'meta.db'}", *arguments]


def texts(schema: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in schema.iterdir()}


KEYS = """
CREATE TABLE lid (id integer PRIMARY KEY, a integer, b integer, UNIQUE (a, b));
CREATE TABLE "odd box" (
  id integer PRIMARY KEY, lid_id integer REFERENCES lid (id) ON DELETE CASCADE
);
ALTER TABLE view ADD COLUMN lid_id integer REFERENCES lid (id);
ALTER TABLE view ADD COLUMN is_odd boolean NOT NULL DEFAULT FALSE;
CREATE INDEX idx_lid ON view (lid_id);
INSERT INTO seaql_migrations VALUES ('m20990101_000000_lid', 1);
"""


def test_keys_and_indexes_are_pasted(
    tmp_path: Path, schema: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of new tables and those that a table got; a default as it was written."""
    made = command(tmp_path, KEYS, "--scaffold", "9.9.0", "--write", str(schema), "--json")
    before = texts(schema)
    assert main(made) == 0
    said = json.loads(capsys.readouterr().out)
    after = texts(schema)
    new = {
        name: [line for line in text.splitlines() if line not in before[name].splitlines()]
        for name, text in after.items()
    }
    life, ends = "since: 9.9.0}", "columns: [lid_id], references: lid, referenced: [id]"
    named = [line.strip() for line in new["ddl.yaml"] if "  - {name" in line]
    expected = (
        f"- {{name: FK_view_lid_id, {ends}, {life}  # check: its name",
        f"- {{name: idx_lid, columns: [lid_id], {life}",
        "- {name: UQ_lid_a, columns: [a, b], constraint: true}",
        f'- {{name: "FK_odd box_lid_id", {ends}, on_delete: cascade}}  # check: its name',
    )
    assert named == list(expected)
    flag = f"  - {{column: is_odd, type: boolean, not_null: true, default: FALSE, {life}"
    assert flag in new["ddl.yaml"]
    assert said["written"]["ddl.yaml"] == len(after["ddl.yaml"].splitlines()) - len(
        before["ddl.yaml"].splitlines()
    )
    checks = [text.split(":")[:2] for text in said["checks"]]
    assert all("# check" in after[name].splitlines()[int(at) - 1] for name, at in checks)
    assert len(checks) == sum(text.count("# check: ") for text in after.values())
    assert after["rules.yaml"] == before["rules.yaml"]


def test_keys_that_went_end(tmp_path: Path, schema: Path) -> None:
    """A table that lost a foreign key and an index: each gets an until."""
    script = (
        "DROP TABLE worker_property;"
        "CREATE TABLE worker_property (worker_id integer PRIMARY KEY, is_streaming boolean,"
        " is_serving boolean, is_unschedulable boolean);"
    )
    main(command(tmp_path, script, "--scaffold", "9.9.0", "--write", str(schema)))
    (line,) = [
        line
        for line in (schema / "ddl.yaml").read_text().splitlines()
        if "name: FK_worker_property_worker_id" in line
    ]
    assert f"until: {LAST.releases[-1]}}}" in line


def test_the_author_reads_what_is_left(
    tmp_path: Path, schema: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many lines went where, each check with file and line, what no database shows, and the
    rules that the release is taken to have."""
    assert main(command(tmp_path, KEYS, "--scaffold", "9.9.0", "--write", str(schema))) == 0
    said = capsys.readouterr().out
    assert "models.yaml: 2" in said
    assert "\ncheck ddl.yaml:" in said
    assert "\n# By hand" in said
    assert f"# schema/rules.yaml: 9.9.0 as {LAST.releases[-1]}; check each rule" in said
    assert "# has: commits_each, " in said
    assert "# has not: folded, " in said


def test_rules_go_on_before_a_layout(
    tmp_path: Path, schema: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A patch release of a branch keeps the rules that end with the release before it."""
    script = 'ALTER TABLE "user" ADD COLUMN shoe_size smallint'
    tag = goldens.SHIPPED / "v3.0.3"
    made = command(tmp_path, script, "--scaffold", "3.0.99", tag=tag)
    assert main(made) == 0
    assert "\n# rules: logs_written gets\nuntil: 3.0.99\n" in capsys.readouterr().out
    assert main([*made, "--write", str(schema)]) == 0
    assert "- {rule: logs_written, until: 3.0.99}\n" in (schema / "rules.yaml").read_text()


def test_nothing_is_written_twice(
    tmp_path: Path, schema: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second time the release is there, and not a byte changes."""
    made = command(tmp_path, KEYS, "--scaffold", "9.9.0", "--write", str(schema))
    assert main(made) == 0
    before = texts(schema)
    assert main(made) == 2
    assert "error: models.yaml has 9.9.0 already" in capsys.readouterr().err
    assert texts(schema) == before


def test_a_folder_that_is_none(
    tmp_path: Path, schema: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a file is missing or no text, nothing is written, and the file is named."""
    (schema / "rules.yaml").write_bytes(b"\xff")
    before = {path: path.read_bytes() for path in schema.iterdir()}
    for folder, name in ((schema, "rules.yaml"), (tmp_path / "none", "models.yaml")):
        assert main(command(tmp_path, KEYS, "--scaffold", "9.9.0", "--write", str(folder))) == 2
        said = capsys.readouterr().err
        assert f"error: cannot read {folder / name}" in said
        assert "hint: --write takes the folder schema/" in said
    assert {path: path.read_bytes() for path in schema.iterdir()} == before


def test_a_folder_that_cannot_be_written(
    tmp_path: Path, schema: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that cannot stand beside ends it before any is replaced."""
    (schema / ".ddl.yaml.new").mkdir()
    before = {name: (schema / name).read_bytes() for name in FILES}
    assert main(command(tmp_path, KEYS, "--scaffold", "9.9.0", "--write", str(schema))) == 17
    assert "error: cannot write" in capsys.readouterr().err
    assert {name: (schema / name).read_bytes() for name in FILES} == before


def test_write_needs_a_scaffold(
    tmp_path: Path, schema: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to write without a release."""
    assert main(command(tmp_path, "", "--write", str(schema))) == 2
    assert "error: --write without --scaffold" in capsys.readouterr().err


def test_a_missing_golden_folder_is_named() -> None:
    """The newest layout has one; of a layout that has none, it is said which to make."""
    assert folder_of(LAST) == newest()
    made_up = LAST._replace(name="9.9.0", releases=("9.9.0", "9.9.1"))
    with pytest.raises(FileNotFoundError, match=r"layout 9\.9\.0: make tests/golden/v9\.9\.0, "):
        folder_of(made_up)
