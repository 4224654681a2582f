"""coverage --scaffold: the registry's lines for a release that it does not know."""

from __future__ import annotations

import json
from pathlib import Path

import goldens
import pytest
from pasting import LAST, make_store, newest

from metasnapshot.cli.app import main
from metasnapshot.errors import UsageError
from metasnapshot.format.layout import shape_of
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.coverage import cover
from metasnapshot.scaffold.declarations import read_tables, suggest
from metasnapshot.scaffold.models import scaffold

WIDGET = """
CREATE TABLE widget (
  widget_id integer PRIMARY KEY AUTOINCREMENT, sink_id integer, name varchar NOT NULL UNIQUE,
  my_colour varchar NOT NULL, my_blob blob NOT NULL, my_tags jsonb_text, size bigint NOT NULL,
  made_at datetime_text NOT NULL, uid uuid_text, is_on boolean NOT NULL, secret_ref blob
);
INSERT INTO seaql_migrations VALUES ('m20990101_000000_widget', 1);
"""
WIDGET_LINES = f"""\
# layouts: after {LAST.name}
- {{layout: 9.9.0, era: {LAST.era}, releases: [9.9.0]}}

# migrations: at the end
- {{migration: m20990101_000000_widget, since: 9.9.0}}

# sections: after {LAST.sections[-1][0]}
- {{section: widgets, model: widget, since: 9.9.0}}  # check: its name

# load_order: at the end
- widgets

# models: after {LAST.sections[-1][1]}
  widget:
    table: widget
    since: 9.9.0
    columns:
    - {{name: widget_id, type: i32?, pk: true, auto_increment: true}}  # check: an id? then its type
    - {{name: sink_id, type: SinkId?, nullable: true}}  # check: as in sink
    - {{name: name, type: String, unique: true}}
    - {{name: my_colour, type: String?}}  # check: an enum? then under enums
    - {{name: my_blob, type: Vec<u8>?}}  # check: raw bytes, or which message? then under types
    - {{name: my_tags, type: I32Array?, nullable: true}}  # check: which structure? then under types
    - {{name: size, type: i64}}
    - {{name: made_at, type: DateTime}}
    - {{name: uid, type: Uuid, nullable: true}}
    - {{name: is_on, type: bool}}
    - {{name: secret_ref, type: SecretRef?, nullable: true}}  # check: as in sink

# By hand"""


def live(path: Path, script: str, tag: Path | None = None) -> str:
    """The URL of a new meta store."""
    (path / "meta.db").unlink(missing_ok=True)
    make_store(path / "meta.db", tag or newest(), script)
    return f"sqlite:///{path / 'meta.db'}"


def scaffold_of(url: str, release: str = "9.9.0") -> str:
    with open_meta_store(url) as store, store.read_transaction() as connection:
        return "\n".join(
            scaffold(release, cover(connection), read_tables(connection), "sqlite").text
        )


def test_a_new_table(tmp_path: Path) -> None:
    """Layout, migration, section and model, with every type that the declaration or another
    column of the same name suggests."""
    assert WIDGET_LINES in scaffold_of(live(tmp_path, WIDGET))


def test_a_column_goes_where_the_table_has_it(tmp_path: Path) -> None:
    """First, in the middle, and, as a migration appends, after the last of the row."""
    text = scaffold_of(
        live(
            tmp_path,
            "DROP TABLE view; CREATE TABLE view (nought smallint, view_id integer PRIMARY KEY,"
            "name varchar, half integer, half_too integer, properties jsonb_text, definition text,"
            "columns blob, last text)",
        )
    )
    assert (
        "# models.view.columns: first\n"
        "    - {name: nought, type: i16, nullable: true, since: 9.9.0}\n\n"
        "# models.view.columns: after name\n"
        "    - {name: half, type: i32, nullable: true, since: 9.9.0}\n"
        "    - {name: half_too, type: i32, nullable: true, since: 9.9.0}\n\n"
        "# models.view.columns: after columns\n"
        "    - {name: last, type: String, nullable: true, since: 9.9.0}\n"
    ) in text
    appended = "ALTER TABLE worker_property ADD COLUMN mood text"
    last = shape_of(LAST, "worker_property").columns[-1].name
    text = scaffold_of(live(tmp_path, appended))
    assert f"# models.worker_property.columns: after {last}\n    - {{name: mood, " in text


def test_what_is_gone_gets_an_until(tmp_path: Path) -> None:
    """A column in its model; a table in its section and its model."""
    script = 'ALTER TABLE "user" DROP COLUMN can_login; DROP TABLE refresh_job'
    text = scaffold_of(live(tmp_path, script))
    assert f"# models.user.columns: can_login gets\nuntil: {LAST.name}\n" in text
    assert f"# sections: refresh_jobs gets\nuntil: {LAST.name}\n" in text
    assert f"# models: refresh_job gets\nuntil: {LAST.name}\n" in text


def test_a_release_that_changes_nothing_joins_its_layout(tmp_path: Path) -> None:
    """One word; and the line that makes it a layout of its own, should an enum have changed."""
    text = scaffold_of(live(tmp_path, ""))
    place = f"# layouts.{LAST.name}.releases: after {LAST.releases[-1]}"
    assert f"{place}\n9.9.0\n\n# By hand" in text
    assert f"own: - {{layout: 9.9.0, era: {LAST.era}, releases: [9.9.0]}}" in text


def test_a_release_before_a_layout_ends_with_itself(tmp_path: Path) -> None:
    """New lines have an until; a column that a later layout has is of the same type."""
    script = (
        "ALTER TABLE fragment ADD COLUMN parallelism jsonb_text;"
        "ALTER TABLE fragment ADD COLUMN shoe_size integer;"
    )
    text = scaffold_of(live(tmp_path, script, goldens.SHIPPED / "v2.3.0"), "2.3.99")
    life = "nullable: true, since: 2.3.99, until: 2.3.99}\n"
    assert "# layouts: after 2.3.0\n- {layout: 2.3.99, era: v2.3.0, releases: [2.3.99]}\n" in text
    assert f"- {{name: parallelism, type: StreamingParallelism, {life}" in text
    assert f"- {{name: shoe_size, type: i32, {life}" in text
    assert "It stands before 2.4.0" in text


def test_what_ended_with_the_layout_before_goes_on(tmp_path: Path) -> None:
    """2.4.99 still has what 2.5.0 has no more."""
    script = 'ALTER TABLE "user" ADD COLUMN shoe_size integer'
    text = scaffold_of(live(tmp_path, script, goldens.SHIPPED / "v2.4.1"), "2.4.99")
    assert "# excluded.tables: actor_dispatcher gets\nuntil: 2.4.99\n" in text


def test_tables_come_after_those_that_they_refer_to(tmp_path: Path) -> None:
    """A restore inserts in this order; a circle has none and stays as it is."""
    script = (
        "CREATE TABLE a (id integer PRIMARY KEY, b_id integer REFERENCES b (id));"
        "CREATE TABLE b (id integer PRIMARY KEY, c_id integer REFERENCES c (id));"
        "CREATE TABLE c (id integer PRIMARY KEY{});"
    )
    assert "\n- cs\n- bs\n- as\n" in scaffold_of(live(tmp_path, script.format("")))
    circle = script.format(", a_id integer REFERENCES a (id)")
    assert "\n- as\n- bs\n- cs\n" in scaffold_of(live(tmp_path, circle))


@pytest.mark.parametrize(
    ("table", "section", "model"),
    [
        ("refresh_policy", "refresh_policies", "refresh_policy"),
        ("display", "displays", "display"),
        ("prefix", "prefixes", "prefix"),
        ("box_class", "box_classes", "box_class"),
        ("fragment_marks", "fragment_marks", "fragment_marks"),
        ("actor_dispatcher", "actor_dispatchers", "actor_dispatcher_again"),
        ("odd name", "odd_names", "odd_name"),
    ],
)
def test_names(tmp_path: Path, table: str, section: str, model: str) -> None:
    """A section is called by the plural, a model as its table, unless an earlier model has that
    name; both are names in Python."""
    text = scaffold_of(live(tmp_path, f'CREATE TABLE "{table}" (id integer PRIMARY KEY)'))
    assert f"- {{section: {section}, model: {model}, since: 9.9.0}}" in text
    shown = table if table.isidentifier() else json.dumps(table)
    assert f"  {model}:\n    table: {shown}\n" in text


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("varchar(255)", "String"),
        ('VARCHAR(10) COLLATE "utf8mb4_bin"', "String"),
        ("LONGTEXT", "String"),
        ("TINYINT", "bool"),
        ("BOOLEAN", "bool"),
        ("SMALLINT", "i16"),
        ("INTEGER", "i32"),
        ("BIGINT", "i64"),
        ("TIMESTAMP", "DateTime"),
        ("DATETIME", "DateTime"),
        ("UUID", "Uuid"),
        ("BINARY(16)", "Uuid"),
        ("BYTEA", "Vec<u8>"),
        ("LONGBLOB", "Vec<u8>"),
        ("JSONB", "I32Array"),
        ("json_text", "I32Array"),
        ("DOUBLE PRECISION", "String"),
        ("", "String"),
    ],
)
def test_types_of_three_databases(declared: str, expected: str) -> None:
    """As SQLite, PostgreSQL and MySQL declare them; of others, the name is there to check."""
    assert suggest(declared)[0] == expected


@pytest.mark.parametrize(
    ("release", "text"),
    [
        ("", "not a release: ''"),
        (" ", "not a release: ' '"),
        ("9.9 0", "not a release: '9.9 0'"),
        ("9.9.0\n", "not a release"),
        ("{9}", "not a release"),
        ("v9.9.0", "not a release as the registry writes it"),
        ("3.0.3", "the registry has 3.0.3 already, in layout 3.0.1"),
        ("main", "the registry has main already"),
    ],
)
def test_a_release_that_is_none_or_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], release: str, text: str
) -> None:
    """A usage error with a hint, whether called or typed."""
    url = live(tmp_path, "")
    with pytest.raises(UsageError, match=text.replace("'", ".")) as raised:
        scaffold_of(url, release)
    assert raised.value.hint
    assert main(["coverage", "--meta-store", url, "--scaffold", release]) == 2
    printed = capsys.readouterr()
    assert (printed.out, text in printed.err, "hint: " in printed.err) == ("", True, True)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --scaffold the lines and exit code 0; without, what is unknown, 14 and the next step."""
    url = live(tmp_path, WIDGET)
    command = ["coverage", "--meta-store", url]
    assert main([*command, "--scaffold", "9.9.0"]) == 0
    assert WIDGET_LINES in capsys.readouterr().out
    assert main([*command, "--scaffold", "9.9.0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert WIDGET_LINES in "\n".join(found["scaffold"])
    assert found["unknown"] == ["widget"]
    assert main(command) == 14
    printed = capsys.readouterr()
    assert "error: unknown: widget: a snapshot would leave it out\n" in printed.err
    assert "hint: `metasnapshot coverage --scaffold RELEASE` prints the lines" in printed.err
    assert main([*command, "--json"]) == 14
    assert json.loads(capsys.readouterr().out)["scaffold"] == []
