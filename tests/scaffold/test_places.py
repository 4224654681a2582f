"""Each block of a scaffold stands where its place says, in a toy registry."""

from __future__ import annotations

import difflib

import pytest

from metasnapshot.errors import UsageError
from metasnapshot.scaffold.block import Block
from metasnapshot.scaffold.page import Page
from metasnapshot.scaffold.pasting import paste

TOY = {
    "models.yaml": """\
# A comment.
layouts:
- {layout: 1.0, era: v1, releases: [1.0, 1.1]}
- {layout: 2.0, era: v1, releases: [2.0]}

migrations:
- {migration: m1, until: 1.1}
- {migration: m1, since: 2.0}

sections:
- {section: boxes, model: box}
- {section: lids, model: lid, until: 1.0}  # it {was} one

load_order:
- boxes
- lids

models:
  box:
    table: box
    columns:
    - {name: id, type: i32, pk: true}
    - {name: size, type: i16, until: 1.0}
    - {name: size, type: i32, since: 2.0}
  lid:
    table: "odd lid"
    until: 1.0
    columns:
    - {name: id, type: i32, pk: true}

excluded:
  tables:
  - {table: lid, since: 2.0, reason: dead}
""",
    "ddl.yaml": """\
charsets:
- {charset: utf8, collation: bin}

types:
- {type: integer, sqlite: integer, postgres: integer, mysql: int}

tables:
- table: box
  columns:
  - {column: id, type: integer, key: true}
  - {column: size, type: integer, default: "a, b"}
  foreign_keys:
  - {name: FK, columns: [size], references: lid, referenced: [id], engines: [sqlite, postgres]}
  - {name: FK, columns: [size], references: lid, referenced: [id], engines: [mysql], until: 1.1}
- table: "odd lid"
  until: 1.1
  columns:
  - {column: id, type: integer, key: true}
""",
    "rules.yaml": """\
rules:
- {rule: late, since: 2.0}
- {rule: early, until: 1.1}
object_prefixes: []
""",
}
LIFE = "since: 1.9, until: 1.9"


def changed(place: str, *lines: str, layout: str = "1.0") -> list[str]:
    """The diff that a block makes, without its head, which is a place in a file."""
    pages = {name: Page(name, text) for name, text in TOY.items()}
    paste(pages, "1.9", layout, [Block(place, lines)])
    found: list[str] = []
    for name, text in TOY.items():
        after = pages[name].text()
        diff = list(difflib.unified_diff(text.splitlines(), after.splitlines(), n=1))[3:]
        found += [line for line in diff if not line.startswith("@@")]
        assert [line for _, line in pages[name].touched()] == [
            line[1:] for line in diff if line.startswith("+")
        ]
    return found


PLACES: tuple[tuple[str, str, str], ...] = (
    (
        "layouts: after 1.0",
        "- {layout: 1.9, era: v1, releases: [1.9]}",
        (" - {layout: 1.0, era: v1, releases: [1.0, 1.1]}\n+\n - {layout: 2.0,"),
    ),
    (
        "layouts.1.0.releases: after 1.1",
        "1.9",
        (" \n-\n+- {layout: 1.0, era: v1, \n -"),
    ),
    (
        "migrations: at the end",
        "- {migration: m2}",
        (" - {migration: m1, since: 2.0}\n+\n"),
    ),
    (
        "sections: after boxes",
        "- {section: a}",
        (" - {section: boxes,\n+\n - {section: li"),
    ),
    (
        "load_order: at the end",
        "- a",
        (" - lids\n+- a\n"),
    ),
    (
        "models: after box",
        "  a:",
        ("     - {name: size, type: i32,\n+  a:\n   lid:"),
    ),
    (
        "models: after lid",
        "  a:",
        ("     - {name: id, type: i32\n+  a:\n"),
    ),
    (
        "models.box.columns: first",
        "    - a",
        ("     columns:\n+    - a\n     - {name: id"),
    ),
    (
        "models.box.columns: after size",
        "    - a",
        ("     - {name: size, type: i16, until: 1.0}\n+    - a\n     - {name: size, type: i32"),
    ),
    (
        "sections: lids gets",
        "until: 1.9",
        (" - {section: boxes\n-\n+- {section: lids, model: lid, until: 1.9}  # it {was} one\n "),
    ),
    (
        "sections: boxes gets",
        "until: 1.0",
        (" \n-\n+- {section: boxes, model: box, until: 1.0}\n - {section: lids"),
    ),
    (
        "models: lid gets",
        "until: 1.9",
        ('     table: "odd lid"\n-\n+    until: 1.9\n  '),
    ),
    (
        "models: box gets",
        "until: 1.0",
        ("     table: box\n+    until: 1.0\n     columns:"),
    ),
    (
        "models.box.columns: size gets",
        "until: 1.9",
        ("  \n-\n+    - {name: size, type: i16, until: 1.9}\n     - {name: size, type: i32"),
    ),
    (
        "migrations: m1 gets",
        "until: 1.9",
        (" \n-\n+- {migration: m1, until: 1.9}\n - {mi"),
    ),
    (
        "excluded.tables: lid gets",
        "until: 1.9",
        ("   tables:\n-\n+  - {table: lid, since: 2.0, reason: dead, until: 1.9}"),
    ),
    (
        "ddl.tables: at the end",
        "- table: a",
        ("   - {column: id, type: integer\n+- table: a"),
    ),
    (
        "ddl.tables.box.columns: at the end",
        "  - a",
        ("   - {column: size\n+  - a\n   foreign_keys:"),
    ),
    (
        "ddl.tables.box.foreign_keys: at the end",
        "  - a",
        ('   - {name: FK, columns: [size], references: lid\n+  - a\n - table: "odd lid"'),
    ),
    (
        "ddl.tables.box.indexes: at the end",
        "  - a",
        ('   - {name: FK\n+  indexes:\n+  - a\n - table: "odd lid"'),
    ),
    (
        "ddl.tables.box.foreign_keys: FK gets",
        "until: 1.9",
        (
            "   - {name: FK\n"
            "-\n"
            "+  - {name: FK, columns: [size], references: lid, referenced: [id], en"
            "gines: [mysql], until: 1.9}\n"
            ' - table: "odd lid"'
        ),
    ),
    (
        "ddl.tables: odd lid gets",
        "until: 1.9",
        (" - table:\n-  until: 1.1\n+  until: 1.9\n "),
    ),
    (
        "ddl.tables: box gets",
        "until: 1.1",
        (" - table: box\n+  until: 1.1\n   columns:"),
    ),
    (
        "ddl.charsets: utf8 gets",
        "until: 1.1",
        (" charsets:\n-\n+- {charset: utf8, \n"),
    ),
    (
        "rules: early gets",
        "until: 1.9",
        (" \n-\n+- {rule: early, until: 1.9}\n object"),
    ),
)
"""A place, a line for it, and how the lines of the diff begin."""


@pytest.mark.parametrize(("place", "line", "expected"), PLACES)
def test_a_block_stands_where_its_place_says(place: str, line: str, expected: str) -> None:
    """That line is new, or one is written anew; every other keeps its bytes."""
    found, starts = changed(place, line), expected.split("\n")
    assert len(found) == len(starts), found
    for text, start in zip(found, starts, strict=True):
        assert text.startswith(start)


def test_all_engines_end_at_once() -> None:
    """What went is gone from each line that had it."""
    place = "ddl.tables.box.foreign_keys: FK gets"
    (new,) = [line for line in changed(place, "until: 2.0", layout="2.0") if line[0] == "+"]
    assert new.endswith(", engines: [sqlite, postgres], until: 2.0}")


@pytest.mark.parametrize(
    ("place", "release", "layout", "text"),
    [
        ("sections: after bags", "1.9", "1.0", "models.yaml has no sections: bags"),
        (
            "ddl.tables.box.columns: bags gets",
            "1.9",
            "1.0",
            "ddl.yaml has no tables.box.columns",
        ),
        ("rules: bags gets", "1.9", "1.0", "rules.yaml has no rules: bags"),
        ("ddl.tables.bag.columns: at the end", "1.9", "1.0", "ddl.yaml has no tables.bag"),
        ("load_order: at the end", "1.1", "1.0", "models.yaml has 1.1 already"),
        ("load_order: at the end", "1.9", "1.5", "models.yaml has no layout 1.5"),
    ],
)
def test_another_registry_is_refused(place: str, release: str, layout: str, text: str) -> None:
    """A place that is not there, a release that is: an error that names file and place."""
    pages = {name: Page(name, content) for name, content in TOY.items()}
    with pytest.raises(UsageError, match=text) as raised:
        paste(pages, release, layout, [Block(place, ("- a",))])
    assert raised.value.hint
