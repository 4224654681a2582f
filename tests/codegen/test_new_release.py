"""The recipe of CONTRIBUTING.md, step by step, for releases that nobody has made yet: scaffold,
paste, generate, freeze; then backup, verify and restore by the package that came out of it."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import goldens
import pytest
from exhaustive import thin
from pasting import LAST, make_store, newest, settle
from shell import BACKUPS, STORE, TARGET

from metasnapshot.cli.app import main
from metasnapshot_codegen import cli

ROOT = Path(__file__).parents[2]
WIDGETS = """
CREATE TABLE widget_box (
  widget_id integer NOT NULL, colour varchar NOT NULL, PRIMARY KEY (widget_id, colour),
  FOREIGN KEY (widget_id) REFERENCES widget (widget_id)
);
CREATE TABLE widget (
  widget_id integer NOT NULL PRIMARY KEY AUTOINCREMENT, sink_id integer,
  name varchar NOT NULL UNIQUE, description text, payload blob NOT NULL, tags jsonb_text,
  version_epoch bigint NOT NULL,
  made_at datetime_text NOT NULL, uid uuid_text, is_on boolean NOT NULL
);
INSERT INTO widget VALUES
  (1, NULL, 'one', 'text', x'00ff', '[1,2]', 7, '2026-08-21 08:00:00.123456789', zeroblob(16), 1),
  (2, 4, 'two', NULL, x'', NULL, 8, '2026-08-21 08:00:00', NULL, 0);
INSERT INTO widget_box VALUES (1, 'red');
INSERT INTO seaql_migrations VALUES ('m20990101_000000_widgets', 1);
"""


class Checkout:
    """A copy of schema/ and generated/, a meta store, and the commands on them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("schema", "generated"):
            shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.models = path / "schema" / "models.yaml"
        self.frozen = path / "schema" / "frozen.txt"

    def generate(self, *arguments: str) -> int:
        """`metasnapshot-codegen`"""
        folders = ["--schema", str(self.path / "schema"), "--out", str(self.path / "generated")]
        return cli.main([*folders, *arguments])

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`metasnapshot`, with the package that was generated here."""
        return self.python("-m", "metasnapshot", *arguments)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(self.path / "generated")}
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.path, env=environment
        )

    def scaffold(self, release: str) -> int:
        """`metasnapshot coverage --scaffold --write`, with the package of this project; then every
        guess is settled. Returns how many there were."""
        url = f"sqlite:///{self.path / 'meta.db'}"
        folder = str(self.path / "schema")
        command = ("coverage", "--meta-store", url, "--scaffold", release, "--write", folder)
        assert main(command) == 0
        return settle(self.path / "schema")

    def freeze(self) -> None:
        """`make freeze`; then all is as it should be, and what was frozen stands as it stood."""
        before = self.frozen.read_text()
        assert [self.generate("--freeze"), self.generate("--check")] == [0, 0]
        after = self.frozen.read_text()
        assert after.startswith(before)
        assert after.count("\nrelease 9.9.0 ") == 1

    def leave_out(self, name: str, word: str) -> None:
        """Take the lines with a word out of a file of schema/ again."""
        path = self.path / "schema" / name
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if word not in line))

    def insert(self, name: str, after: str, line: str) -> None:
        """Put a line behind one that is there once."""
        path = self.path / "schema" / name
        text = path.read_text()
        assert text.count(after) == 1, after
        path.write_text(text.replace(after, f"{after}{line}"))

    def write_by_hand(self) -> None:
        """What the last lines of a scaffold say, for no database shows it: an enum's new member, a
        protobuf field with its era, a rule that the release has again."""
        self.insert(
            "models.yaml",
            "  - {json: Created, db: CREATED}\n",
            "  - {json: Paused, db: PAUSED, since: 9.9.0}\n",
        )
        self.insert("rules.yaml", "rules:\n", "- {rule: logs_written, since: 9.9.0}\n")
        self.insert(
            "messages.yaml",
            "  catalog.Function.AggregateFunction: []\n",
            "  toy.Late:\n  - {n: 1, name: late, type: bool, since: v9.9.0}\n",
        )
        path = self.path / "schema" / "messages.yaml"
        path.write_text(path.read_text().replace(f"{LAST.era}]", f"{LAST.era}, v9.9.0]"))
        text = self.models.read_text()
        new = f"{{layout: 9.9.0, era: {LAST.era},"
        assert new in text
        self.models.write_text(text.replace(new, "{layout: 9.9.0, era: v9.9.0,"))

    def rows(self, store: str, table: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.path / store) as connection:
            found = connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()
        connection.close()
        return found


def filled_store(path: Path) -> None:
    """meta.db with the rows of the newest golden snapshot, its checkpoint in state/."""
    make_store(path / "meta.db", newest(), "DELETE FROM seaql_migrations")
    found = goldens.copy_backups(newest(), path / "golden")
    number = found.manifest().ids[-1]
    goldens.point_to_state(found, path / "state", (number,))
    urls = ("--meta-store", f"sqlite:///{path / 'meta.db'}", "--hummock-storage-url")
    where = (f"fs://{path / 'state'}", "--backup-storage-url", f"fs://{path / 'golden'}")
    assert main(["restore", str(number), "--no-object-check", *urls, *where]) == 0


def change(store: Path, script: str) -> None:
    with sqlite3.connect(store) as connection:
        connection.executescript(script)
    connection.close()


def insert_column(store: Path, table: str, after: str, column: str) -> None:
    """Make a table anew with a column in its middle."""
    with sqlite3.connect(store) as connection:
        find = "SELECT sql FROM sqlite_master WHERE name = ?"
        (ddl,) = connection.execute(find, (table,)).fetchone()
        names = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
        new = re.sub(rf'("{after}" [^,]+),', rf"\1, {column},", ddl, count=1)
        connection.execute(new.replace(f'TABLE "{table}"', 'TABLE "remade"', 1))
        listed = ", ".join(f'"{name}"' for name in names)
        connection.execute(f'INSERT INTO remade ({listed}) SELECT {listed} FROM "{table}"')
        connection.execute(f'DROP TABLE "{table}"')
        connection.execute(f'ALTER TABLE remade RENAME TO "{table}"')
    connection.close()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def widgets(checkout: Checkout) -> None:
    """The registry of a release 9.9.0, whose meta store stands in meta.db: two new tables, a column
    in the middle of another, a value that no enum has, a migration."""
    store = checkout.path / "meta.db"
    filled_store(checkout.path)
    change(store, WIDGETS)
    insert_column(store, "source", "with_properties", "shoe_size integer")
    change(store, "UPDATE source SET shoe_size = 46")
    change(store, "UPDATE streaming_job SET job_status = 'PAUSED' WHERE job_status = 'CREATED'")
    assert checkout.scaffold("9.9.0") > 3


@pytest.mark.long
@pytest.mark.usefixtures("widgets")
def test_the_recipe_alone_adds_a_release(checkout: Checkout) -> None:
    """New tables, a column in the middle, an enum member, a protobuf field, a rule and a foreign
    key: backed up, verified, restored, and covered; by the lines that were pasted and those that
    the scaffold asks for."""
    checkout.write_by_hand()
    assert checkout.generate() == 0
    checkout.freeze()
    program = (
        "from metasnapshot.format.messages import message_class\n"
        "from metasnapshot.format.rules import rules_at\n"
        "message = message_class('toy.Late', 'v9.9.0')(late=True)\n"
        "print('logs_written' in rules_at('9.9.0'), message)\n"
    )
    assert checkout.python("-c", program).stdout == "True late: true\n\n"
    covered = checkout.run("coverage", *STORE)
    assert (covered.returncode, covered.stderr) == (0, "")
    assert covered.stdout.startswith("layout 9.9.0 (RisingWave 9.9.0)\n")
    made = checkout.run("backup", *STORE, *BACKUPS)
    assert (made.returncode, "layout 9.9.0 (RisingWave 9.9.0)" in made.stdout) == (0, True), made
    snapshot = next((checkout.path / "backups" / "backup").glob("*.snapshot")).read_bytes()
    assert b'"job_status":"Paused"' in snapshot
    assert re.search(rb'"with_properties":.{,400}"shoe_size":46,.{,400}"definition":', snapshot)
    assert b'"payload":[0,255],"tags":[1,2],"version_epoch":7,"made_at":"2026-08-21T08' in snapshot
    verified = checkout.run("verify", "latest", "--level", "refs", *BACKUPS)
    assert (verified.returncode, "layout 9.9.0" in verified.stdout) == (0, True), verified
    shutil.copyfile(checkout.path / "meta.db", checkout.path / "empty.db")
    state = ("--hummock-storage-url", f"fs://{checkout.path / 'state'}")
    options = ("--clean", "--yes", "--no-object-check")
    restored = checkout.run("restore", "latest", *TARGET, *BACKUPS, *state, *options)
    assert restored.returncode == 0, restored
    for table in ("widget", "widget_box", "source", "streaming_job", "object"):
        assert checkout.rows("meta.db", table) == checkout.rows("empty.db", table) != []
    change(checkout.path / "meta.db", "DELETE FROM widget WHERE widget_id = 1")
    assert checkout.run("backup", *STORE, *BACKUPS).returncode == 0
    dangling = checkout.run("verify", "latest", "--level", "refs", *BACKUPS)
    assert "widget 1 is not there" in dangling.stdout + dangling.stderr
    assert dangling.returncode != 0


@pytest.mark.usefixtures("widgets")
def test_forgetting_a_column_is_impossible(checkout: Checkout) -> None:
    """All of the scaffold but one column: the gate and the backup name it and fail."""
    checkout.leave_out("models.yaml", "shoe_size")
    checkout.leave_out("ddl.yaml", "shoe_size")
    assert checkout.generate() == 0
    for arguments in (("coverage", *STORE), ("backup", *STORE, *BACKUPS)):
        failed = checkout.run(*arguments)
        assert (failed.returncode, "source.shoe_size" in failed.stderr) == (14, True)
    assert not (checkout.path / "backups").exists()


@pytest.mark.usefixtures("widgets")
def test_forgetting_a_section_is_impossible(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table that stands in no section and is not excluded is refused by the generator."""
    checkout.leave_out("models.yaml", "widget_boxes")
    assert checkout.generate() == 2
    assert "found table widget_box of layout 9.9.0 in no section" in capsys.readouterr().err


def test_a_guess_is_refused(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    """Every type that is not certain is named with its file and line, until somebody looked."""
    make_store(checkout.path / "meta.db", newest(), WIDGETS)
    command = ("--scaffold", "9.9.0", "--write", str(checkout.path / "schema"))
    assert main(["coverage", "--meta-store", f"sqlite:///{checkout.path}/meta.db", *command]) == 0
    before = (checkout.path / "generated/metasnapshot_models/layouts.py").read_bytes()
    capsys.readouterr()
    for arguments in ((), ("--freeze",), ("--check",)):
        assert checkout.generate(*arguments) == 2
        told = capsys.readouterr().err
        guesses = {
            f"{path}:{number}"
            for path in (checkout.models, checkout.models.with_name("ddl.yaml"))
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if "?," in line or "?}" in line
        }
        assert len(guesses) > 5
        assert guesses == {part.split(": ")[1] for part in told.splitlines()}
        assert told.count(": found the guess `") == len(guesses)
    assert (checkout.path / "generated/metasnapshot_models/layouts.py").read_bytes() == before
    assert settle(checkout.path / "schema") == len(guesses)
    assert checkout.generate() == 0


@pytest.mark.usefixtures("widgets")
def test_what_was_released_is_read_as_before(checkout: Checkout) -> None:
    """Every golden snapshot comes back byte for byte with the package that knows 9.9.0."""
    assert checkout.generate() == 0
    shipped = sorted(goldens.SHIPPED.glob("*/backup/*.snapshot"))
    assert len(shipped) > 20
    program = (
        "import pathlib, sys, metasnapshot, metasnapshot_models\n"
        "print(metasnapshot_models.__file__)\n"
        "for name in sys.argv[1:]:\n"
        "    data = pathlib.Path(name).read_bytes()\n"
        "    assert metasnapshot.dumps(metasnapshot.loads(data)) == data, name\n"
    )
    shown = checkout.python("-c", program, *map(str, shipped))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(str(checkout.path))


GONE = """
ALTER TABLE "user" DROP COLUMN can_login;
DROP TABLE iceberg_tables;
INSERT INTO seaql_migrations VALUES ('m20990101_000000_tidy', 1);
"""
COLUMN = """
ALTER TABLE "user" ADD COLUMN shoe_size smallint;
INSERT INTO seaql_migrations VALUES ('m20990101_000000_backport', 1);
"""
MIGRATION = "INSERT INTO seaql_migrations VALUES ('m20990101_000000_data_only', 1)"


@pytest.mark.parametrize(
    ("tag", "script", "release", "layout"),
    thin(
        [
            pytest.param("", GONE, "9.9.0", "9.9.0", id="something went"),
            pytest.param("", MIGRATION, "9.9.0", LAST.name, id="only a migration came"),
            pytest.param("v3.0.3", "", "3.0.99", "3.0.1", id="a patch release changed nothing"),
            pytest.param(
                "v2.3.0", COLUMN, "2.3.99", "2.3.99", id="a branch goes on before a layout"
            ),
            pytest.param(
                "v2.4.1", COLUMN, "2.4.99", "2.4.99", id="what ended with a layout goes on"
            ),
        ]
    ),
)
def test_other_releases(
    checkout: Checkout, tag: str, script: str, release: str, layout: str
) -> None:
    """Whatever a release changes and wherever it stands: its scaffold alone covers its store, and
    its rules are those of the release before it."""
    store = checkout.path / "meta.db"
    make_store(store, goldens.SHIPPED / tag if tag else newest(), script)
    checkout.scaffold(release)
    assert checkout.generate() == 0
    covered = checkout.run("coverage", *STORE, "--json")
    assert covered.returncode == 0, covered
    assert f'"layout": "{layout}"' in covered.stdout
    assert f'"{release}"]' in covered.stdout.partition('"exact": true')[0]
    program = (
        "from metasnapshot.format.rules import rules_at\n"
        "from metasnapshot_models.layouts import RELEASES\n"
        f"names = list(RELEASES); at = names.index({release!r})\n"
        "print(rules_at(names[at]) == rules_at(names[at - 1]))\n"
    )
    assert checkout.python("-c", program).stdout == "True\n"
