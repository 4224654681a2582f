"""`[cluster.NAME]` tables: what they set, what may stand outside, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shell import BACKUPS, Shell

OWN = '[cluster.a]\nstorage.backup_storage_url = "fs://a"\n'


def refused(shell: Shell, text: str, *words: str) -> str:
    """What is said of a file that is refused before anything is done."""
    Path("metasnapshot.toml").write_text(text)
    before = set(shell.files())
    ran = shell.run(*(words or ("list", "--cluster", "a")))
    assert (ran.code, ran.out) == (2, "")
    assert set(shell.files()) == before
    return ran.err


def test_each_cluster_has_its_own_places(living: Shell) -> None:
    """A backup of one goes into its directory, and no other verb sees another's."""
    assert living.run("backup", "--cluster", "prod").code == 0
    assert Path("prod/backup/9.snapshot").exists()
    assert "1 snapshot," in living.run("list", "--cluster=prod").out
    assert "0 snapshots," in living.run("--cluster", "test", "list").out
    assert not Path("test").exists()


def test_what_a_table_does_not_say_is_as_outside(three: Shell) -> None:
    """Each value with its origin; what stands outside is the default, and a location is nobody's
    but the cluster's.
    """
    found = {
        name: {
            item["option"]: (item["value"], item["origin"])
            for item in json.loads(three.run("config", "show", "--json", "--cluster", name).out)[
                "settings"
            ]
        }
        for name in ("prod", "test", "old-1")
    }
    file = "metasnapshot.toml, "
    assert found["prod"]["--storage-timeout"] == ("20s", f"{file}storage.timeout")
    assert found["test"]["--storage-timeout"] == ("5s", f"{file}cluster.test.storage.timeout")
    assert found["test"]["--meta-store"] == (
        "sqlite:///test.db",
        f"{file}cluster.test.meta_store.url",
    )
    assert found["old-1"]["--meta-store"] == (None, "not set")
    assert found["old-1"]["--backup-storage-url"][0] == "fs://old"


def test_the_environment_sets_what_is_no_location(
    three: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without clusters, it wins over the file."""
    monkeypatch.setenv("METASNAPSHOT_LEVEL", "file")
    monkeypatch.setenv("METASNAPSHOT_STORAGE_TIMEOUT", "7s")
    out = three.run("config", "show", "--cluster", "test").out
    assert "environment, METASNAPSHOT_LEVEL" in out
    assert "environment, METASNAPSHOT_STORAGE_TIMEOUT" in out


def test_credentials_in_a_table_are_not_shown(three: Shell) -> None:
    """Neither those of a store nor those of a database."""
    Path("metasnapshot.toml").write_text(
        '[cluster.a]\nmeta_store.url = "postgresql://u:hush1@h/db"\n'
        'storage.backup_storage_url = "minio://key:hush2@host:9000/bucket"\n'
    )
    ran = three.run("config", "show", "--cluster", "a")
    assert (ran.code, "hush" in ran.out) == (0, False)
    assert "cluster.a.meta_store.url" in ran.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cluster = 'x'", "cluster is a value, not a table"),
        ("[[cluster]]\nname = 'a'", "cluster is an array, not a table"),
        ("[cluster]", "table cluster is empty"),
        ("[cluster.a]", "table cluster.a is empty"),
        ("[cluster]\na = 'fs://a'", "cluster.a is a value, not a table"),
        ("[[cluster.a]]\nstorage.timeout = '1s'", "cluster.a is an array, not a table"),
        ("[cluster.a.storage]", "table cluster.a.storage is empty"),
        ("[[cluster.a.storage]]\ntimeout = '1s'", "cluster.a.storage is an array, not a table"),
        ("[cluster.a]\nbackup_storage_url = 'x'", "cluster.a.backup_storage_url is a value"),
        ("[cluster.a]\nstorage.url = 'x'", "unknown key cluster.a.storage.url"),
        ("[cluster.a]\nstorag.timeout = '1s'", "unknown key cluster.a.storag.timeout"),
        ("[cluster.a]\nstorage.timeout = 5", "cluster.a.storage.timeout is not a text"),
        ('[cluster.a]\nstorage.ca_file = "\\u0000"', "cluster.a.storage.ca_file contains a zero"),
        ("[cluster.'a b']\nstorage.timeout = '1s'", "'a b' is no name of a cluster"),
        ("[cluster.'']\nstorage.timeout = '1s'", "'' is no name of a cluster"),
        ("[cluster.'a.b']\nstorage.timeout = '1s'", "'a.b' is no name of a cluster"),
        ("[cluster.'ä']\nstorage.timeout = '1s'", "is no name of a cluster"),
        ('[cluster."a\\n"]\nstorage.timeout = "1s"', "is no name of a cluster"),
        (
            "[cluster.1b671a64-40d5-491e-99b0-da01ff1f3341]\nstorage.timeout = '1s'",
            "is a cluster's id, and no name",
        ),
    ],
)
@pytest.mark.parametrize("words", [("list", "--cluster", "a"), ("list", *BACKUPS)])
def test_a_mistake_is_told_with_its_place(
    text: str, message: str, words: tuple[str, ...], three: Shell
) -> None:
    """Whichever cluster is meant, and if none is: a setting with a typing error would be none."""
    err = refused(three, text, *words)
    assert "metasnapshot.toml" in err
    assert message in err


@pytest.mark.parametrize(
    ("outside", "key"),
    [
        ('[meta_store]\nurl = "sqlite:///meta.db"', "meta_store.url"),
        ('[meta_store]\npassword_file = "p"', "meta_store.password_file"),
        ('[storage]\nbackup_storage_url = "fs://x"', "storage.backup_storage_url"),
        ('[storage]\nbackup_storage_directory = "x"', "storage.backup_storage_directory"),
        ('[storage]\nhummock_storage_url = "fs://x"', "storage.hummock_storage_url"),
        ('[storage]\nhummock_storage_directory = "x"', "storage.hummock_storage_directory"),
    ],
)
def test_no_location_stands_outside(outside: str, key: str, three: Shell) -> None:
    """It would be that of every cluster that forgets its own."""
    err = refused(three, f"{outside}\n{OWN}")
    assert f"{key} stands outside of the clusters' tables" in err
    assert f"cluster.NAME.{key}" in err


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("prd", "did you mean prod?"),
        ("tset", "did you mean test?"),
        ("old1", "did you mean old-1?"),
        ("PROD", "which has prod, test, old-1"),
        ("nobody", "which has prod, test, old-1"),
        ("a/b", "which has prod, test, old-1"),
    ],
)
def test_an_unknown_name_is_told_with_the_known_ones(name: str, told: str, three: Shell) -> None:
    """And with the nearest."""
    ran = three.run("list", "--cluster", name)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert "prod, test, old-1" in ran.err


def test_a_file_without_clusters_has_no_name(shell: Shell) -> None:
    """The error says so, whether there is a file or not."""
    for text in (None, '[verify]\nlevel = "file"\n'):
        if text is not None:
            Path("metasnapshot.toml").write_text(text)
        ran = shell.run("list", "--cluster", "a")
        assert (ran.code, "metasnapshot.toml has none" in ran.err) == (2, True)


def test_who_forgets_the_option_is_told_of_it(three: Shell) -> None:
    """A verb without its location says which clusters the file has, and one whose table lacks it
    where it belongs.
    """
    for words in (("list",), ("check",), ("backup",)):
        ran = three.run(*words)
        assert ran.code == 2
        assert "--cluster NAME takes it from the settings file, which has prod, test" in ran.err
    ran = three.run("backup", "--cluster", "old-1")
    assert ran.code == 2
    assert "as cluster.old-1.meta_store.url of the settings file" in ran.err


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('storage.backup_storage_url = "fs://x"', 'storage.backup_storage_url = "fs://./x/"'),
        ('storage.backup_storage_url = "fs://x"', 'storage.backup_storage_url = "fs://y/../x"'),
        ('storage.backup_storage_url = "fs://x"', 'storage.backup_storage_url = "FS://x"'),
        ('storage.backup_storage_url = "fs://x"', 'storage.backup_storage_url = "fs://x/backup"'),
        ('storage.backup_storage_url = "fs://x"', 'storage.backup_storage_url = "fs://link"'),
        ('storage.backup_storage_url = "s3://x"', 'storage.backup_storage_url = "hummock+s3://x/"'),
        (
            'storage.backup_storage_url = "minio://a:b@h/x"',
            'storage.backup_storage_url = "minio://c:d@H:80/x"',
        ),
        (
            'storage = {backup_storage_url = "s3://x", backup_storage_directory = "a/b"}',
            'storage = {backup_storage_url = "s3://x@a", backup_storage_directory = "b/c"}',
        ),
        ('meta_store.url = "sqlite:///x.db"', 'meta_store.url = "sqlite:///./y/../x.db"'),
        ('meta_store.url = "postgresql://u@h/d"', 'meta_store.url = "postgres://v:p@H:5432/d/"'),
        ('meta_store.url = "mysql://u@h/d"', 'meta_store.url = "MySQL://u@h:3306/d"'),
    ],
)
def test_two_clusters_never_share(one: str, other: str, three: Shell) -> None:
    """A backup directory or a meta store, however it is spelt: whichever cluster is meant."""
    Path("x").mkdir()
    Path("link").symlink_to("x")
    text = (
        f'[cluster.first]\n{one}\n[cluster.second]\n{other}\n[cluster.a]\nverify.level = "file"\n'
    )
    for words in (("list", "--cluster", "a"), ("list", "--all-clusters")):
        err = refused(three, text, *words)
        assert "first and second" in err
