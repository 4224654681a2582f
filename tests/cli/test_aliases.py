"""risectl's command lines, of every release, in our words."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import BACKUPS, STATE

from metasnapshot.cli.aliases import translate
from metasnapshot.cli.app import main
from metasnapshot.errors import UsageError
from metasnapshot.metastore.url import parse_url

SQL = ["--meta-store-type", "postgres", "--sql-endpoint", "db.local:5433"]


def url_of(*arguments: str) -> str:
    words = translate(["restore-meta", *arguments])
    return words[words.index("--meta-store") + 1]


@pytest.mark.parametrize("prefix", [[], ["meta"], ["ctl", "meta"]])
def test_a_restore_of_risectl(prefix: list[str]) -> None:
    """With or without the words before it; the id becomes an id."""
    line = [*prefix, "restore-meta", "--meta-snapshot-id", "7", "--backup-storage-url", "fs://b"]
    assert translate(line) == ["restore", "7", "--backup-storage-url", "fs://b"]


def test_several_ids_and_former_names() -> None:
    """Commas, repetitions, an equals sign; options that releases renamed."""
    line = ["delete-meta-snapshots", "--snapshot-ids", "1,2", "--snapshot-ids=3"]
    assert translate(line) == ["delete", "1", "2", "3"]
    line = ["restore-meta", "--storage-url=fs://b", "--hummock-storage-dir", "h"]
    assert translate(line) == [
        "restore",
        "--backup-storage-url=fs://b",
        "--hummock-storage-directory",
        "h",
    ]


def test_our_own_words_stay() -> None:
    """Whatever they are."""
    line = ["restore", "latest", "--meta-store", "sqlite:///meta.db", "--plan"]
    assert translate(line) == line
    assert translate([]) == []


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("sqlite:///tmp/meta.db?mode=rwc", "/tmp/meta.db"),
        ("sqlite://meta.db?mode=rwc", "meta.db"),
        ("sqlite:/tmp/meta.db", "/tmp/meta.db"),
    ],
)
def test_a_sqlite_endpoint_is_that_of_risingwaves_driver(endpoint: str, path: str) -> None:
    """What follows sqlite:// is the path itself; mode=rwc is the driver's."""
    found = parse_url(url_of("--meta-store-type", "sql", "--sql-endpoint", endpoint))
    assert (found.database, dict(found.query)) == (path, {})


def test_a_meta_node_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """risectl's two commands go to it, unless the line says where else; ours do not."""
    monkeypatch.setenv("RW_META_ADDR", "http://one:5690,http://two:5690")
    live = ["--via-meta", "http://one:5690,http://two:5690"]
    assert translate(["meta", "backup-meta"]) == ["backup", *live]
    line = ["delete-meta-snapshots", "--snapshot-ids", "1"]
    assert translate(line) == ["delete", "1", *live, "--yes"]
    assert translate([*line, "--yes"]) == ["delete", "1", "--yes", *live]
    ours = ["--backup-storage-url", "fs:///b"]
    assert translate([*line, *ours]) == ["delete", "1", *ours]
    line = ["backup-meta", "--meta-store", "sqlite:///meta.db"]
    assert translate(line) == ["backup", *line[1:]]
    assert translate(["backup"]) == ["backup"]
    assert translate(["restore-meta"]) == ["restore"]


def test_sql_options_come_to_one_url() -> None:
    """User, password and database are percent-encoded, which upstream forgets."""
    found = url_of(
        *SQL,
        "--sql-username",
        "us er",
        "--sql-password",
        "p@ss/w:rd?",
        "--sql-database",
        "me/ta",
        "--sql-url-params",
        "sslmode=require",
    )
    url = parse_url(found)
    assert (url.username, url.password, url.database) == ("us er", "p@ss/w:rd?", "me/ta")
    assert (url.host, url.port, url.query["sslmode"]) == ("db.local", 5433, "require")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--meta-store-type=sqlite", "--sql-endpoint=/var/meta.db"], "sqlite:////var/meta.db"),
        (["--meta-store-type=sqlite", "--sql-endpoint=meta.db"], "sqlite:///meta.db"),
        (["--meta-store-type=sql", "--sql-endpoint=mysql://u@h/d"], "mysql://u@h/d"),
        (["--meta-store-type=mysql", "--sql-endpoint=h", "--sql-database=d"], "mysql://h/d"),
    ],
)
def test_each_type_of_meta_store(arguments: list[str], expected: str) -> None:
    """sqlite takes a path, sql a URL, the others host and port."""
    assert url_of(*arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["--meta-store-type=mem"],
        ["--meta-store-type=etcd"],
        ["--sql-endpoint=h:1"],
        [*SQL[:3], "host:port"],
    ],
)
def test_what_comes_to_no_url(arguments: list[str]) -> None:
    """Is a usage error."""
    with pytest.raises(UsageError):
        url_of(*arguments)


def test_a_whole_run_in_risectls_words(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Backup, restore and delete as scripts of upstream's call them."""
    store = ["--meta-store-type", "sqlite", "--sql-endpoint"]
    assert main(["meta", "backup-meta", *store, "meta.db", *BACKUPS]) == 0
    line = [
        "meta",
        "restore-meta",
        "--no-object-check",
        "--meta-snapshot-id",
        "9",
        *store,
        "empty.db",
        *BACKUPS,
        *STATE,
    ]
    assert main([*line, "--dry-run"]) == 0
    assert main(line) == 0
    assert "restored snapshot 9" in capsys.readouterr().out
    assert main(["delete-meta-snapshots", "--snapshot-ids", "9", "--yes", *BACKUPS]) == 0
    assert not (cluster / "backups" / "backup" / "9.snapshot").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--meta-store-type", "etcd"],
        ["--meta-store-type=etcd", "--sql-endpoint", "x"],
        ["--meta-store-type", "etcd", "--etcd-endpoints", "a:2379"],
        ["--etcd-endpoints", "a:2379,b:2379"],
        ["--etcd-endpoints=a:2379", "--etcd-auth", "--etcd-username", "u", "--etcd-password", "p"],
        ["--sql-endpoint", "x", "--meta-store-type=etcd"],
    ],
)
@pytest.mark.parametrize(
    "command", ["restore-meta --meta-snapshot-id 7", "create-meta-store-schema", "backup-meta"]
)
def test_etcd_is_told_what_to_do(
    words: list[str], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, with the two ways there are; whatever stands beside, and no password."""
    assert main([*command.split(), *words]) == 2
    said = capsys.readouterr().err
    assert "export ID --format etcd" in said
    assert "--via-meta" in said
    assert "hint:" in said


@pytest.mark.parametrize(
    "words",
    [
        ["create-meta-store-schema"],
        ["meta", "create-meta-store-schema"],
        ["ctl", "meta", "create-meta-store-schema"],
    ],
)
def test_a_schema_with_risectls_options_alone(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tables of the newest release, which is said; another one is picked as ever."""
    sql = ["--meta-store-type", "sqlite", "--sql-endpoint"]
    assert main([*words, *sql, str(tmp_path / "a.db")]) == 0
    assert "tables of 3.0.3" in capsys.readouterr().out
    assert main([*words, *sql, str(tmp_path / "b.db"), "--release", "2.8.0"]) == 0
    assert "tables of 2.8.0" in capsys.readouterr().out
    assert main(["create-schema", "--meta-store", f"sqlite:///{tmp_path / 'c.db'}"]) == 2


def test_a_deletion_without_an_address_says_whose_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """risectl takes it from the environment."""
    monkeypatch.delenv("RW_META_ADDR", raising=False)
    assert main(["delete-meta-snapshots", "--snapshot-ids", "1"]) == 2
    assert "RW_META_ADDR" in capsys.readouterr().err
