"""Which URLs mean one meta store, however they are spelt."""

from __future__ import annotations

from pathlib import Path

import pytest

from metasnapshot import find_same_meta_store

SAME = [
    ("sqlite:///a.db", "sqlite:///./a.db"),
    ("sqlite:///a.db", "sqlite:///b/../a.db"),
    ("sqlite:///a.db", "sqlite+pysqlite:///a.db?mode=ro"),
    ("sqlite:///a.db", "SQLite:///link.db"),
    ("postgresql://u@h/db", "postgres://v:secret@h:5432/db"),
    ("postgresql://u@h/db", "postgresql+psycopg://u@H.:05432/db?sslmode=require"),
    ("postgresql://u:p@h/db", "postgresql:///db?host=h&user=u"),
    ("postgresql://u@h/db", "postgresql://u@other/x?host=h&dbname=db"),
    ("postgresql://h1,h2:5433/db", "postgresql://h2:5433/db"),
    ("postgresql://u@localhost/db", "postgresql://u@127.0.0.1/db"),
    ("postgresql://u@[::1]:5432/db", "postgresql:///db"),
    ("postgresql://db@h", "postgresql://u@h/db"),
    ("mysql://u@h/db", "mariadb+pymysql://v@h:3306/db/"),
    ("mysql://u@h/db", "mysql://u@h/d%62"),
    ("mysql://u@h/db?unix-socket=/run/m.sock", "mysql://v@/db?unix_socket=/run/m.sock"),
]
OTHER = [
    ("sqlite:///a.db", "sqlite:///b.db"),
    ("sqlite:///:memory:", "sqlite:///:memory:"),
    ("sqlite://", "sqlite://"),
    ("postgresql://u@h/db", "postgresql://u@h/db2"),
    ("postgresql://u@h/db", "postgresql://u@h2/db"),
    ("postgresql://u@h/db", "postgresql://u@h:5433/db"),
    ("postgresql://u@h/db", "mysql://u@h:5432/db"),
    ("postgresql://u@[2001:db8::1]/db", "postgresql://u@[2001:db8::2]/db"),
    ("postgresql://h/db?host=h1", "postgresql://h/db?host=h2"),
    ("mysql://u@h/db?unix_socket=/run/a", "mysql://u@h/db?unix_socket=/run/b"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_meta_store(
    one: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place of each in the sequence is said, whichever comes first."""
    monkeypatch.chdir(tmp_path)
    Path("a.db").touch()
    Path("link.db").symlink_to("a.db")
    assert find_same_meta_store([one, "sqlite:///z.db", other]) == (0, 2)
    assert find_same_meta_store(["mysql://h/z", other, one]) == (1, 2)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_two_meta_stores(one: str, other: str) -> None:
    """What differs is the file, the server, its port or the database."""
    assert find_same_meta_store([one, other]) is None


def test_what_is_no_url_is_itself_alone() -> None:
    """Whoever opens it says so; here the same text is the same store."""
    assert find_same_meta_store(["x", "y"]) is None
    assert find_same_meta_store(["x", "y", "x"]) == (0, 2)
    assert find_same_meta_store([]) is None
