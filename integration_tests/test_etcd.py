"""A V1 snapshot on its way back into etcd, by the script that export writes and etcdctl itself."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Generator
from pathlib import Path

import goldens
import pytest
from etcd import EtcdServer, etcd_server
from servers import ServerMissing
from v1_snapshots import bare

import metasnapshot
from metasnapshot import MetaSnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import InconsistentStore, UnknownFormat
from metasnapshot.format.messages import era_of
from metasnapshot.format.v1 import Pair
from metasnapshot.hummock.checkpoint import decode_checkpoint
from metasnapshot.operations.export_etcd import EtcdExport, etcd_pairs, export_etcd
from metasnapshot.store.local import LocalStore
from metasnapshot_models.v1 import V1_LAYOUTS

EVERY_BYTE = bytes(range(256))


@pytest.fixture(scope="module")
def etcd() -> Generator[EtcdServer]:
    with tempfile.TemporaryDirectory(prefix="metasnapshot-etcd-") as name:
        try:
            with etcd_server(Path(name) / "data") as server:
                yield server
        except ServerMissing as error:
            if os.environ.get("CI"):
                pytest.fail(str(error))
            pytest.skip(f"{error}: apt-get install etcd-server etcd-client")


def snapshot(number: int, layout: str, pairs: list[Pair]) -> MetaSnapshot:
    """A snapshot with these pairs, otherwise empty."""
    texts = {"cluster_id": ["an-id"]} if layout not in ("v1-0.1.15", "v1-0.1.17") else {}
    return bare(layout, number, b"\x08\x07", default_cf=list(pairs), **texts)


def repository(tmp_path: Path, *snapshots: MetaSnapshot) -> Repository:
    found = Repository(LocalStore(tmp_path / "backups"), "backup")
    for item in snapshots:
        changes.create(found, item)
    return found


def exported(found: Repository, number: int, path: Path) -> EtcdExport:
    with found.open(number) as reader:
        return export_etcd(found, reader, path)


@pytest.mark.parametrize("path", goldens.V1_SNAPSHOTS, ids=goldens.name)
def test_a_golden_snapshot_arrives_in_etcd(etcd: EtcdServer, tmp_path: Path, path: Path) -> None:
    """Every key and value, byte for byte, and the checkpoint with the version of the snapshot."""
    etcd.clear()
    found = repository(tmp_path, metasnapshot.loads(path.read_bytes()))
    result = exported(found, 5, tmp_path / "out")
    loaded = etcd.run("sh", str(tmp_path / "out" / "load.sh"))
    assert (loaded.returncode, loaded.stdout) == (0, f"loaded {result.keys} keys\n")
    with found.open(5) as reader:
        expected = dict(etcd_pairs(reader, list(reader.rows("default_cf"))))
        version = reader.hummock_version.message
    assert etcd.pairs() == expected
    checkpoint = (tmp_path / "out" / "checkpoint").read_bytes()
    assert decode_checkpoint(checkpoint, era_of(version)) == version


def test_bytes_of_every_kind_and_more_than_a_transaction_takes(
    etcd: EtcdServer, tmp_path: Path
) -> None:
    """Quotes, backslashes, zeros, a value that begins with a dash, one that is empty; 300 keys."""
    etcd.clear()
    pairs = [Pair(EVERY_BYTE, EVERY_BYTE), Pair(b"-x", b"--flag"), Pair(b"none", b"")]
    pairs += [Pair(b"k%d" % number, b"v") for number in range(300)]
    found = repository(tmp_path, snapshot(1, "v1-2.0", pairs))
    exported(found, 1, tmp_path / "out")
    assert etcd.run("sh", str(tmp_path / "out" / "load.sh")).returncode == 0
    stored = etcd.pairs()
    assert stored == stored | {b"default/" + key: value for key, value in pairs}
    assert stored[b"cf/cluster_id"] == b"an-id"


@pytest.mark.parametrize("layout", V1_LAYOUTS)
def test_the_version_goes_where_its_release_has_it(
    etcd: EtcdServer, tmp_path: Path, layout: str
) -> None:
    """Into etcd up to 0.18, into the state store since 1.4, into both between."""
    etcd.clear()
    found = repository(tmp_path, snapshot(1, layout, []))
    result = exported(found, 1, tmp_path / "out")
    assert etcd.run("sh", str(tmp_path / "out" / "load.sh")).returncode == 0
    hummock_0 = b"cf/hummock_0/"
    families = {"v1-0.1.15": b"cf/hummock_version/", "v1-0.1.17": hummock_0, "v1-0.19": hummock_0}
    stored = {key: value for key, value in etcd.pairs().items() if value == b"\x08\x07"}
    assert stored == ({families[layout]: b"\x08\x07"} if layout in families else {})
    assert (tmp_path / "out" / "checkpoint").exists() == result.has_checkpoint
    assert result.has_checkpoint == (layout not in ("v1-0.1.15", "v1-0.1.17"))


def test_etcd_with_keys_is_left_alone(etcd: EtcdServer, tmp_path: Path) -> None:
    """Somebody's cluster is not overwritten: exit 13, and nothing changed."""
    etcd.clear()
    assert etcd.run("etcdctl", "put", "cf/worker/x", "y").returncode == 0
    exported(repository(tmp_path, snapshot(1, "v1-2.0", [])), 1, tmp_path / "out")
    refused = etcd.run("sh", str(tmp_path / "out" / "load.sh"))
    assert refused.returncode == 13
    assert "etcd has keys under cf/ already" in refused.stderr
    assert etcd.pairs() == {b"cf/worker/x": b"y"}


def test_a_value_that_is_too_large_stops_the_script(etcd: EtcdServer, tmp_path: Path) -> None:
    """It says which option etcd needs; with it the value arrives."""
    etcd.clear()
    large = os.urandom(3 << 20)
    exported(repository(tmp_path, snapshot(1, "v1-2.0", [Pair(b"k", large)])), 1, tmp_path / "out")
    script = tmp_path / "out" / "load.sh"
    assert etcd.run("sh", str(script)).returncode != 0
    needed = re.search(r"--max-request-bytes=\d+", script.read_text())
    assert needed is not None
    with etcd_server(tmp_path / "etcd-data", needed[0]) as server:
        loaded = server.run("sh", str(script))
        assert loaded.returncode == 0, loaded.stderr
        assert server.pairs()[b"default/k"] == large


def test_default_cf_is_that_of_the_newest(tmp_path: Path) -> None:
    """Ids that were given after the snapshot are not given again."""
    old, new = [Pair(b"id", b"\x01")], [Pair(b"id", b"\x05"), Pair(b"more", b"x")]
    found = repository(tmp_path, snapshot(1, "v1-2.0", old), snapshot(2, "v1-2.0", new))
    assert exported(found, 1, tmp_path / "out").default_cf_from == 2
    text = (tmp_path / "out" / "load.sh").read_text()
    assert 'put -- "default/id" "\\x05"' in text
    assert 'put -- "default/more" "x"' in text


@pytest.mark.parametrize(
    ("newest", "said"),
    [([], "violate superset"), ([Pair(b"id", b"\0")], "violate monotonicity")],
)
def test_a_newest_snapshot_of_another_cluster_is_refused(
    tmp_path: Path, newest: list[Pair], said: str
) -> None:
    """Upstream's two rules; nothing is written."""
    old = snapshot(1, "v1-2.0", [Pair(b"id", b"\x01")])
    found = repository(tmp_path, old, snapshot(2, "v1-2.0", newest))
    with pytest.raises(InconsistentStore, match=said):
        exported(found, 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cluster_that_went_on_in_sql_is_refused(tmp_path: Path) -> None:
    """Its sequences stand in V2 snapshots: the way around is another directory."""
    newer = metasnapshot.loads(goldens.SMALL.read_bytes())
    newer.id = 2
    newer.sections["clusters"] = []  # a directory is of one cluster
    found = repository(tmp_path, snapshot(1, "v1-2.0", []), newer)
    with pytest.raises(InconsistentStore, match="in the V2 format") as caught:
        exported(found, 1, tmp_path / "out")
    assert "metasnapshot copy" in caught.value.hint


def test_a_v2_snapshot_has_no_place_in_etcd(tmp_path: Path) -> None:
    """Exit 14, with the verb that restores it."""
    found = repository(tmp_path, metasnapshot.loads(goldens.SMALL.read_bytes()))
    with pytest.raises(UnknownFormat, match="V2 format") as caught:
        exported(found, 1, tmp_path / "out")
    assert "metasnapshot restore" in caught.value.hint
