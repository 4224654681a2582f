"""Objects are looked for by one listing: what is missing, cut or misplaced is told, and no more."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import goldens
import pytest
from exhaustive import WHOLE
from hypothesis import given
from hypothesis import strategies as st

import metasnapshot
from metasnapshot.contents.findings import ERROR, WARNING, Finding
from metasnapshot.contents.object_findings import check_objects, largest_object, look_for
from metasnapshot.errors import UsageError
from metasnapshot.hummock.objects import NeededObject, NeededObjects, needed_by
from metasnapshot.hummock.paths import DATA, GRAPH, VECTOR, object_path
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import ObjectHead, Store

DIRECTORY = "hummock_001"
NEEDED = NeededObjects(
    [NeededObject(1, DATA, 10), NeededObject(2, VECTOR, 20), NeededObject(100, GRAPH, 30)]
)
PREFIXES = {1: "255/", 2: "69/", 100: "40/"}
COUNT = 1_000_000 if WHOLE else 100_000
RSS_MAX = (70 << 20) + 240 * COUNT


class Listing:
    """A store that can be listed only, and counts how often it was."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes
        self.prefixes: list[str] = []

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        self.prefixes.append(prefix)
        return (ObjectHead(path, self.sizes[path]) for path in sorted(self.sizes))


def _complete(*, prefixed: bool = False) -> dict[str, int]:
    paths = [object_path(DIRECTORY, item.id, item.suffix, prefixed=prefixed) for item in NEEDED]
    return dict(zip(paths, (item.size for item in NEEDED), strict=True))


def _check(sizes: dict[str, int], *, prefixed: bool = False) -> list[Finding]:
    store = Listing(sizes)
    found = list(check_objects(cast("Store", store), DIRECTORY, NEEDED, prefixed=prefixed))
    assert store.prefixes == [f"{DIRECTORY}/"]
    return found


def _short(findings: list[Finding]) -> list[tuple[str, str, bool]]:
    return [(item.severity, item.row, item.missing) for item in findings]


@pytest.mark.parametrize("prefixed", [True, False])
def test_a_complete_store_is_listed_once(*, prefixed: bool) -> None:
    """Nothing is found among foreign names, and no object is asked for."""
    foreign = [f"{DIRECTORY}/checkpoint/0", f"{DIRECTORY}/007.data", f"{DIRECTORY}/1.data.tmp"]
    foreign += [f"{DIRECTORY}/77.data", "other/1.data", f"{DIRECTORY}_old/1.data"]
    sizes = _complete(prefixed=prefixed) | dict.fromkeys(foreign, 5)
    assert _check(sizes, prefixed=prefixed) == []


@pytest.mark.parametrize("prefixed", [True, False])
def test_an_empty_store_has_none(*, prefixed: bool) -> None:
    """Each object is told with the path at which a meta node looks for it."""
    found = _check({}, prefixed=prefixed)
    paths = sorted(
        _complete(prefixed=prefixed), key=lambda path: int(path.split("/")[-1].split(".")[0])
    )
    assert _short(found) == [(ERROR, path, True) for path in paths]
    assert [item.what for item in found] == [f"object {item.id} is missing" for item in NEEDED]


def test_an_object_of_a_wrong_size() -> None:
    """It is there, but not what was written: no missing object."""
    found = _check(_complete() | {f"{DIRECTORY}/2.vector": 19})
    assert _short(found) == [(ERROR, f"{DIRECTORY}/2.vector", False)]
    assert found[0].what == "object 2 has 19 bytes, the snapshot says 20"


def test_an_object_of_another_kind() -> None:
    """The same id with another suffix is another object; beside the right one it is no matter."""
    sizes = _complete()
    sizes[f"{DIRECTORY}/1.vector"] = sizes.pop(f"{DIRECTORY}/1.data")
    assert _short(_check(sizes)) == [(ERROR, f"{DIRECTORY}/1.data", True)]
    assert _check(_complete() | {f"{DIRECTORY}/1.vector": 3}) == []


@pytest.mark.parametrize("prefixed", [True, False])
def test_an_object_in_a_wrong_directory(*, prefixed: bool) -> None:
    """It is missing where it is looked for, and a warning says where it is."""
    right = object_path(DIRECTORY, 1, DATA, prefixed=prefixed)
    for wrong in (
        object_path(DIRECTORY, 1, DATA, prefixed=not prefixed),
        f"{DIRECTORY}/254/1.data",
        f"{DIRECTORY}/old/{PREFIXES[1]}1.data",
    ):
        sizes = _complete(prefixed=prefixed)
        sizes[wrong] = sizes.pop(right)
        found = _check(sizes, prefixed=prefixed)
        assert _short(found) == [(WARNING, wrong, False), (ERROR, right, True)]
        assert found[0].what == "object 1 lies where no release looks for it"
        sizes[right] = 10
        assert _short(_check(sizes, prefixed=prefixed)) == [(WARNING, wrong, False)]


def test_another_directory_that_begins_alike_does_not_count(tmp_path: Path) -> None:
    """hummock_001_old has all objects, hummock_001 none: upstream's own check is content."""
    for name in _complete():
        path = tmp_path / name.replace(DIRECTORY, f"{DIRECTORY}_old")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    assert len(list(LocalStore(tmp_path).list(DIRECTORY))) == 3
    found = list(check_objects(LocalStore(tmp_path), DIRECTORY, NEEDED, prefixed=False))
    assert [item.missing for item in found] == [True] * 3
    assert largest_object(LocalStore(tmp_path), DIRECTORY) == 0


@pytest.mark.parametrize("spelling", ["hummock_001/", "/hummock_001", "//hummock_001//"])
def test_a_directory_however_it_is_spelt(spelling: str) -> None:
    """A store takes no notice of slashes that mean nothing, so neither does the check."""
    store = cast("Store", Listing(_complete()))
    assert list(check_objects(store, spelling, NEEDED, prefixed=False)) == []
    assert largest_object(store, spelling) == 100


@pytest.mark.parametrize("directory", ["..", "../hummock_001", "./hummock_001", "", "/"])
def test_no_directory_in_a_store(tmp_path: Path, directory: str) -> None:
    """Nothing outside the store is listed, nor all of it."""
    (tmp_path / "root").mkdir()
    (tmp_path / "1.data").write_bytes(b"")
    store = LocalStore(tmp_path / "root")
    with pytest.raises(UsageError, match="not a path in an object store"):
        list(check_objects(store, directory, NEEDED, prefixed=False))
    with pytest.raises(UsageError, match="not a path in an object store"):
        largest_object(store, directory)


def test_the_largest_object() -> None:
    """Of any kind, wherever it lies in the data directory; foreign names do not count."""
    names = ["1.data", "40/100.hnsw_graph", "x/y/250.vector", "999.data.tmp", "checkpoint/0"]
    sizes = {f"{DIRECTORY}/{name}": 1 for name in [*names, f"{1 << 64}.data"]}
    assert largest_object(cast("Store", Listing(sizes)), DIRECTORY) == 250
    assert largest_object(cast("Store", Listing({})), DIRECTORY) == 0


@pytest.mark.parametrize(
    ("url", "parameter", "prefixed"),
    [
        ("fs://state", None, False),
        ("fs://state", "false", False),
        ("fs://state", "true", True),
        ("hummock+fs://state", "true", True),
        ("s3://bucket", "false", True),
        ("minio://k:s@host:1/bucket", None, True),
        ("memory", "true", False),
    ],
)
def test_prefixes_are_those_of_the_snapshots_cluster(
    url: str, parameter: str | None, *, prefixed: bool
) -> None:
    """The URL's scheme decides, else the snapshot's own system parameter."""
    snapshot = metasnapshot.loads((goldens.SHIPPED / "v3.0.3/backup/7.snapshot").read_bytes())
    rows = snapshot.sections["system_parameters"]
    if parameter is not None:
        rows[-1].name, rows[-1].value = "use_new_object_prefix_strategy", parameter
    with tempfile.TemporaryFile() as file:
        file.write(metasnapshot.dumps(snapshot))
        with metasnapshot.open(cast("Any", file)) as reader:
            needed = needed_by(reader)
            paths = {
                object_path(DIRECTORY, item.id, item.suffix, prefixed=prefixed): item.size
                for item in needed
            }
            store = cast("Store", Listing(paths))
            assert list(look_for(store, url, DIRECTORY, reader, needed)) == []


LISTING = """
import json, sys
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import DATA, object_path
from metasnapshot.contents.findings import Findings
from metasnapshot.contents.object_findings import check_objects
from metasnapshot.store.port import ObjectHead

COUNT = int(sys.argv[1])

class Heads:
    listed = 0
    def list(self, prefix):
        assert prefix == "hummock_001/"
        self.listed += 1
        for number in range(1, COUNT + 1):
            yield ObjectHead(object_path("hummock_001", number, DATA, prefixed=True), number)
    def __getattr__(self, name):
        raise AssertionError(f"a request for one object: {name}")

store, findings = Heads(), Findings()
needed = NeededObjects(NeededObject(COUNT + 2 - i, DATA, COUNT + 2 - i) for i in range(COUNT))
findings.add(check_objects(store, "hummock_001", needed, prefixed=True))
# not getrusage: it knows what the process that started this one took, too
(peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(json.dumps([int(peak.split()[1]) * 1024, store.listed,
                  len(needed), dict(findings.counts), findings.missing]))
"""


def test_many_objects_fit_into_little_memory() -> None:
    """One listing, no request for a single object, and 240 bytes each: of a million, 300 MiB."""
    done = subprocess.run(
        [sys.executable, "-c", LISTING, str(COUNT)], capture_output=True, text=True, check=True
    )
    rss, listed, count, counts, missing = json.loads(done.stdout)
    assert (listed, count, counts, missing) == (1, COUNT, {"error": 2}, 2)
    assert rss < RSS_MAX


NAMES = st.text(alphabet="ab.-/_ 0~", min_size=1, max_size=8).map(
    lambda text: "/".join(part.lstrip(".") or "z" for part in text.split("/"))
)


@given(names=st.sets(NAMES, max_size=12), data=st.data())
def test_files_are_listed_as_any_store_lists_them(names: set[str], data: st.DataObject) -> None:
    """In the order of their whole paths, `a-` and `a.b` and what is in `a` included; a prefix is
    text, not a directory."""
    with tempfile.TemporaryDirectory() as root:
        local, memory = LocalStore(Path(root)), MemoryStore()
        for name in sorted(names):
            with suppress(OSError):  # a part of the path is a file already
                Path(root, name).parent.mkdir(parents=True, exist_ok=True)
                Path(root, name).write_bytes(name.encode())
                memory.put_if_absent(name, name.encode())
        paths = [head.path for head in memory.list("")]
        assert paths == sorted(paths)
        whole = data.draw(st.sampled_from(paths or ["a"]), label="whole")
        prefix = whole[: data.draw(st.integers(0, len(whole)), label="cut")]
        for wanted in ("", prefix, f"{prefix}/", f"/{prefix}", f"{whole}/"):
            assert list(local.list(wanted)) == list(memory.list(wanted))


def test_what_vanishes_while_listing_is_skipped(tmp_path: Path) -> None:
    """A file or a directory that somebody deletes meanwhile is no error."""
    for name in ("a", "b", "c/d", "e/f", "e/g", "h"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    found = LocalStore(tmp_path).list("")
    assert next(found).path == "a"
    (tmp_path / "b").unlink()
    shutil.rmtree(tmp_path / "c")
    assert next(found).path == "e/f"
    shutil.rmtree(tmp_path / "e")
    os.mkfifo(tmp_path / "e")
    assert [head.path for head in found] == ["h"]
