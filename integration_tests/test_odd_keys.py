"""Keys that no path means: anybody who may write to a bucket can make them. They stop no verb; gc
names them as foreign, and whatever lists the data directory passes them over with a warning.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import goldens
import pytest
from s3_memory import MemoryServer, memory_server

from metasnapshot.cli.app import main
from metasnapshot.store.url import open_store

TAG = goldens.SHIPPED / "v3.0.3"
ODD = (
    "//stray.txt",
    "/./stray.txt",
    "/../stray.txt",
    "/a/../../b",
    "//",
    "/new\nline",
    "/bell\x07",
    "/tab\t/x",
    "/x//",
)
"""Behind a directory's name."""


@pytest.fixture(scope="module")
def server() -> Generator[MemoryServer]:
    with memory_server() as running:
        yield running


@pytest.fixture
def url(server: MemoryServer) -> str:
    return server.minio(server.bucket())


def put(server: MemoryServer, url: str, key: str) -> None:
    server.write(url.rpartition("/")[2], key, b"1")


def prepare(url: str, root: Path) -> list[str]:
    """A meta store, and its state in the same bucket; the arguments that name them."""
    store = open_store(url)
    goldens.write_state(TAG, root / "state")
    for path in (root / "state").rglob("*"):
        if path.is_file():
            name = str(path.relative_to(root / "state"))
            store.put_if_absent(name, path.read_bytes())
    meta_store = f"sqlite:///{goldens.copy_store(TAG, root / 'meta.db')}"
    state = ["--hummock-storage-url", url]
    return ["--meta-store", meta_store, *state, "--hummock-storage-directory", "hummock_001"]


def run(*command: str) -> int:
    return main(command)


def told(capsys: pytest.CaptureFixture[str], *command: str) -> Any:
    """What a command prints as JSON."""
    capsys.readouterr()
    code = main([*command, "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    return json.loads(said.out)


@pytest.mark.parametrize("odd", [ODD, ODD[:1]], ids=["all kinds", "one key"])
def test_an_odd_key_stops_no_verb(
    server: MemoryServer,
    url: str,
    odd: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """backup, list, check, verify, gc, rebuild-manifest; gc names it and takes nothing away."""
    made = prepare(url, tmp_path)
    place = ["--backup-storage-url", url]
    keys = [f"{directory}{end}" for end in odd for directory in ("backup", "hummock_001")]
    for key in keys:
        put(server, url, key)
    assert run("backup", *made, *place) == 0
    assert [item["id"] for item in told(capsys, "list", *place)["snapshots"]] == [9]
    assert run("check", *place) == 0
    strays = told(capsys, "gc", "--commit", "--grace", "0s", *place)
    assert {(item["kind"], item["due"]) for item in strays["found"]} == {("foreign", False)}
    named = tuple(item["path"] for item in strays["found"])
    assert all(key.startswith(named) for key in keys if key.startswith("backup"))
    assert "backup//" in named
    assert strays["deleted"] == []
    assert run("rebuild-manifest", "--commit", *place) == 0
    assert run("backup", *made, *place) == 0
    for key in keys:
        assert server.read(url.rpartition("/")[2], key) == b"1"


def test_a_list_passes_odd_keys_over(
    server: MemoryServer, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Those of all pages, before and behind them; a few are named, and more are counted."""
    paths = [f"d/{number:05}.data" for number in range(2500)]
    store = open_store(url)
    for path in paths:
        put(server, url, path)
    for number in range(5):
        put(server, url, f"d/01{number}00.data//x")
    put(server, url, "d/folder/")
    assert [head.path for head in store.list("d/")] == [*paths, "d/folder"]
    assert [head.path for head in store.list("d/010")] == [path for path in paths if "/010" in path]
    assert "key 'd/01000.data//x' is no path: passed over" in caplog.text
    assert "5 keys are no paths" in caplog.text
    assert "01400" not in caplog.text


def test_names_of_many_pages(server: MemoryServer, url: str) -> None:
    """As the library lists them, with one odd key more."""
    for number in range(1500):
        put(server, url, f"root/d/{number:05}/x")
        put(server, url, f"root/d/{number:05}.data")
    store = open_store(f"{url}/root")
    before = store.names("d")
    assert (len(before.objects), len(before.directories), before.odd) == (1500, 1500, ())
    put(server, url, "root/d//x")
    after = store.names("d")
    assert (after.objects, after.directories) == (before.objects, before.directories)
    assert [(head.size, head.modified) for head in after.objects] == [
        (head.size, head.modified) for head in before.objects
    ]
    assert after.odd == ("d//",)
