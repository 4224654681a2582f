"""`--cluster` and `--all-clusters` in a command line, and that no location goes with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import Shell

from metasnapshot.cli.clusters.choice import choose
from metasnapshot.errors import UsageError

ID = "1b671a64-40d5-491e-99b0-da01ff1f3341"


@pytest.mark.parametrize(
    ("line", "words", "name", "is_all"),
    [
        ("list --cluster a", "list", "a", False),
        ("list --cluster=a --json", "list --json", "a", False),
        ("--cluster list check", "check", "list", False),
        ("--all-clusters check", "check", None, True),
        ("verify 7 --all-clusters", "verify 7", None, True),
        ("verify -- --cluster a", "verify -- --cluster a", None, False),
        (f"list --cluster {ID}", f"list --cluster-id {ID}", None, False),
        (f"list --cluster={ID} --cluster a", f"list --cluster-id {ID}", "a", False),
        ("list --cluster=--x", "list", "--x", False),
    ],
)
def test_the_options_are_taken_out(
    line: str,
    words: str,
    name: str | None,
    is_all: bool,  # noqa: FBT001
) -> None:
    """In either spelling and at any place; an id is a filter, as before."""
    found = choose(line.split())
    assert (found.words, found.name, found.is_all) == (words.split(), name, is_all)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("list --cluster", "--cluster needs a value"),
        ("list --cluster --json", "--cluster needs a value"),
        ("list --cluster=", "--cluster needs a value"),
        ("list --cluster a --cluster b", "--cluster is given twice"),
        ("list --cluster a --all-clusters", "exclude each other"),
        ("list --all-clusters=a", "takes no value"),
        ("list --parallel 3", "--parallel means nothing without --all-clusters"),
        ("list --cluster a --cluster-timeout 3s", "--cluster-timeout means nothing without"),
    ],
)
def test_what_makes_no_sense_is_refused(line: str, message: str) -> None:
    """Before any file is read."""
    with pytest.raises(UsageError, match=message):
        choose(line.split())


LOCATIONS = [
    ("--meta-store", "sqlite:///x", "meta_store.url"),
    ("--meta-store-password-file", "x", "meta_store.password_file"),
    ("--backup-storage-url", "fs://x", "storage.backup_storage_url"),
    ("--backup-storage-directory", "x", "storage.backup_storage_directory"),
    ("--hummock-storage-url", "fs://x", "storage.hummock_storage_url"),
    ("--hummock-storage-directory", "x", "storage.hummock_storage_directory"),
]
TYPED = [
    *LOCATIONS,
    ("--storage-url", "fs://x", "storage.backup_storage_url"),
    ("--storage-directory", "x", "storage.backup_storage_directory"),
    ("--hummock-storage-dir", "x", "storage.hummock_storage_directory"),
    ("--sql-endpoint", "h:1", "meta_store.url"),
    ("--sql-password", "hush", "meta_store.url"),
    ("--via-meta", "http://127.0.0.1:1", "leave out --cluster"),
]
WAYS = [("--cluster", "prod"), ("--all-clusters",)]


@pytest.mark.parametrize("way", WAYS, ids=["one", "all"])
@pytest.mark.parametrize(("option", "value", "key"), TYPED, ids=[item[0] for item in TYPED])
def test_a_typed_location_is_refused(
    option: str, value: str, key: str, way: tuple[str, ...], three: Shell
) -> None:
    """With the option and its place, in either spelling; nothing is done, and nothing repeated of
    the value.
    """
    for words in ((option, value), (f"{option}={value}",)):
        ran = three.run("backup", *words, *way)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(f"error: {option}: a location or password of one cluster")
        assert key in ran.err
        assert "hush" not in ran.err
        assert not Path("prod").exists()


VARIABLES = [
    *(
        (f"METASNAPSHOT_{option[2:].replace('-', '_').upper()}", value, key)
        for option, value, key in LOCATIONS
    ),
    ("METASNAPSHOT_META_STORE_PASSWORD", "hush", "meta_store.password_file"),
]


@pytest.mark.parametrize("way", WAYS, ids=["one", "all"])
@pytest.mark.parametrize(("name", "value", "key"), VARIABLES, ids=[item[0] for item in VARIABLES])
def test_a_location_of_the_environment_is_refused(
    name: str,
    value: str,
    key: str,
    way: tuple[str, ...],
    three: Shell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An empty one too: it would empty that of every cluster."""
    for text in (value, ""):
        monkeypatch.setenv(name, text)
        ran = three.run("backup", *way)
        assert (ran.code, ran.out) == (2, "")
        assert f"environment variable {name}: a location or password" in ran.err
        assert f"cluster.{'prod' if len(way) > 1 else 'NAME'}.{key}" in ran.err
        assert "hush" not in ran.err


@pytest.mark.parametrize(
    ("url", "name", "is_refused"),
    [
        ("postgresql://h/db", "PGPASSWORD", True),
        ("postgres://h/db", "PGHOSTADDR", True),
        ("postgresql+psycopg://h/db", "PGSERVICE", True),
        ("postgresql://h/db", "PGSSLMODE", False),
        ("postgresql://h/db", "PGPASSFILE", False),
        ("postgresql://h/db", "MYSQL_PWD", False),
        ("mysql://h/db", "MYSQL_PWD", True),
        ("mariadb://h/db", "MYSQL_PWD", True),
        ("sqlite:///x.db", "PGPASSWORD", False),
    ],
)
def test_variables_of_the_clients_that_say_where_are_refused(
    url: str,
    name: str,
    is_refused: bool,  # noqa: FBT001
    three: Shell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One server's address or password would be that of each cluster with such a meta store."""
    Path("metasnapshot.toml").write_text(f'[cluster.a]\nmeta_store.url = "{url}"\n')
    monkeypatch.setenv(name, "hush")
    ran = three.run("config", "show", "--cluster", "a")
    assert ran.code == (2 if is_refused else 0)
    assert (f"environment variable {name}" in ran.err) is is_refused
    assert "hush" not in ran.err + ran.out


def test_the_address_of_a_meta_node_is_refused(
    living: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """risectl's commands take it from the environment; ours do not look at it."""
    monkeypatch.setenv("RW_META_ADDR", "http://127.0.0.1:1")
    ran = living.run("backup-meta", "--cluster", "prod")
    assert (ran.code, "environment variable RW_META_ADDR" in ran.err) == (2, True)
    assert living.run("backup", "--cluster", "prod").code == 0


def test_help_says_of_them(three: Shell) -> None:
    """Whoever asks for help gets it, with the options of clusters among the others."""
    ran = three.run("list", "--all-clusters", "--help")
    assert ran.code == 0
    for option in ("--cluster NAME", "--all-clusters", "--parallel", "--cluster-timeout"):
        assert option in ran.out
