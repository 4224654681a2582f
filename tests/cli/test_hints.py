"""What the command says to who mistyped a place, left out an option, or set one elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from shell import BACKUPS, STORE, TARGET, UNLOOKED, Shell

VARIABLE = "METASNAPSHOT_BACKUP_STORAGE_URL"


@pytest.mark.parametrize("verb", ["list", "show latest", "show 9", "verify oldest"])
@pytest.mark.parametrize(
    ("url", "directory", "said"),
    [
        ("fs://backups/backup", "backup", "--backup-storage-url fs://backups --backup-storage-dir"),
        ("fs://backups", "bakcup", "there is one with --backup-storage-directory backup"),
        ("fs://backups", "backup/backup", "there is one with --backup-storage-directory backup"),
        ("fs://.", "backup", "there is one with --backup-storage-directory backups/backup"),
        ("fs://nowhere", "backup", "check --backup-storage-url and --backup-storage-directory"),
    ],
)
def test_a_mistyped_place(backed_up: Shell, verb: str, url: str, directory: str, said: str) -> None:
    """Where was looked, and what to type instead; nothing is made there."""
    before = backed_up.files()
    where = ("--backup-storage-url", url, "--backup-storage-directory", directory)
    ran = backed_up.run(*verb.split(), *where)
    assert ran.code == (0 if verb == "list" else 12)
    assert f"directory '{directory}': " in ran.err
    assert said in ran.err
    assert backed_up.files() == before


def test_an_empty_directory_of_ours_is_no_mistake(backed_up: Shell) -> None:
    """A manifest without snapshots is there: nothing else is looked for."""
    assert backed_up.run("delete", "9", "--yes", *BACKUPS).code == 0
    ran = backed_up.run("list", *BACKUPS)
    assert (ran.code, ran.err) == (0, "")
    assert "the manifest has none" in backed_up.run("show", "latest", *BACKUPS).err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("restore", "error: restore needs --meta-store (or METASNAPSHOT_"),
        ("show --backup-storage-url fs://backups", "error: show needs ID\n"),
        ("verify", f"error: verify needs --backup-storage-url (or {VARIABLE})\n"),
        ("restore 7 --backup-storage-url fs://b", "restore needs --meta-store (or METASNAPSHOT_"),
        ("copy 1 --backup-storage-url fs://b", "error: copy needs --to\n"),
        (
            "backup --meta-store sqlite:///meta.db",
            f"--backup-storage-url is needed (or {VARIABLE})",
        ),
        ("list --backup-storage-url", "parameter --backup-storage-url requires an argument"),
    ],
)
def test_what_is_not_given_is_needed(shell: Shell, line: str, said: str) -> None:
    """With its variable; an option without its value says so."""
    ran = shell.run(*line.split())
    assert (ran.code, said in ran.err) == (2, True)


def test_a_setting_says_where_it_is_from(backed_up: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment or the file, but nothing of what was typed."""
    Path("metasnapshot.toml").write_text(
        '[storage]\nhummock_storage_url = "fs://elsewhere"\n', encoding="utf-8"
    )
    shutil.copyfile("empty.db", "other.db")
    ran = backed_up.run("restore", "9", *TARGET, *BACKUPS, UNLOOKED)
    assert ran.code == 2
    assert "--hummock-storage-url is from metasnapshot.toml, storage.hummock_storage_url" in ran.err
    monkeypatch.setenv("METASNAPSHOT_HUMMOCK_STORAGE_URL", "fs://third")
    ran = backed_up.run("restore", "9", *TARGET, *BACKUPS, UNLOOKED)
    assert "is from environment, METASNAPSHOT_HUMMOCK_STORAGE_URL" in ran.err
    typed = ("--hummock-storage-url", "fs://fourth")
    ran = backed_up.run("restore", "9", *TARGET, *BACKUPS, UNLOOKED, *typed)
    assert (ran.code, " is from " in ran.err) == (2, False)


def test_the_fullest_tables_tell_which_database_it_is(backed_up: Shell) -> None:
    """Three, and how many others, once each; the JSON has them all."""
    ran = backed_up.run("restore", "9", *STORE, *BACKUPS, UNLOOKED)
    assert ran.code == 2  # nobody said into which state store
    where = ("--hummock-storage-url", "fs://state")
    ran = backed_up.run("restore", "9", *STORE, *BACKUPS, *where, UNLOOKED)
    assert (ran.code, max(map(len, ran.err.splitlines())) < 200) == (13, True)
    assert "--clean empties its tables first" in ran.err
