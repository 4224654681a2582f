"""docs/losses.md: each loss is brought about, the commands of its section are run as they stand
there, and the cluster answers as it did.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from cluster import Cluster
from cluster.control import sqlite_place
from cluster.release import RELEASE
from gcs_server import GcsServer
from s3 import S3Server
from test_full_backup import answers, back_up, empty, filled

pytest_plugins = ["cluster.fixtures"]
PAGE = Path(__file__).parents[1] / "docs" / "losses.md"
BLOCK = re.compile(r"^ *```\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SECTIONS = [part.partition("\n") for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]]


def commands(title: str) -> list[list[str]]:
    """The commands of a section, in their order."""
    ((_, _, text),) = [part for part in SECTIONS if part[0] == title]
    lines = "\n".join(BLOCK.findall(text)).replace("\\\n", " ").splitlines()
    found = [shlex.split(line) for line in lines if line.strip()]
    assert found
    assert all(words[0] == "metasnapshot" for words in found)
    return [words[1:] for words in found]


class Loss:
    """A cluster with rows and a full backup, and the places that the page's stand for."""

    def __init__(self, cluster: Cluster, s3: S3Server, path: Path) -> None:
        self.cluster, self.path = cluster, path
        self.new_url = s3.minio(s3.bucket())
        self.new = cluster.beside(sqlite_place(path / "new.db"), self.new_url)
        self.places = {
            "s3://backups": f"fs://{path}/backups",
            "s3://state": cluster.url,
            "s3://new-state": self.new_url,
            "postgresql://rw@db/meta": cluster.store.url,
            "postgresql://rw@db/new": self.new.store.url,
            "postgresql://rw@db/clone": self.new.store.url,
            "region.jsonl": str(path / "region.jsonl"),
        }
        self.before = filled(cluster)
        back_up(cluster, "--backup-storage-url", self.places["s3://backups"])

    def run(self, title: str, *, until: str = "") -> None:
        """Run a section's commands, up to a verb if one is given."""
        for words in commands(title):
            if until and words[0] == until:
                break
            self.cluster.run(*(self.places.get(word, word) for word in words))

    def lose_meta_store(self) -> None:
        self.cluster.stop()
        (self.path / "meta.db").unlink()

    def expect(self, cluster: Cluster) -> None:
        """It answers as before, after its collector took what it may, and takes new rows."""
        cluster.start()
        try:
            cluster.full_gc_sst()
            assert answers(cluster) == self.before
            cluster.sql("SET RW_IMPLICIT_FLUSH TO true; INSERT INTO region VALUES (99, 'NEW');")
            cluster.node.compact()
            assert (99, "NEW") in cluster.sql("SELECT * FROM region;")
        finally:
            cluster.stop()


@pytest.fixture
def loss(small_cluster: Cluster, s3: S3Server, tmp_path: Path) -> Loss:
    return Loss(small_cluster, s3, tmp_path)


def test_the_bucket_is_gone(loss: Loss) -> None:
    """The meta store is left as it is."""
    empty(loss.cluster)
    kept = (loss.path / "meta.db").read_bytes()
    loss.run("The bucket is gone")
    assert (loss.path / "meta.db").read_bytes() == kept
    loss.expect(loss.new)


def test_the_meta_store_is_gone(loss: Loss) -> None:
    """Though the cluster went on and collected since; what it wrote then is no part of it."""
    loss.cluster.start()
    loss.cluster.sql("SET RW_IMPLICIT_FLUSH TO true; DELETE FROM region WHERE r_regionkey = 3;")
    loss.cluster.node.compact()
    loss.cluster.clock.let_pass(60)
    assert loss.cluster.full_gc_sst()
    loss.lose_meta_store()
    loss.run("The meta store is gone")
    loss.expect(loss.new)


def test_both_are_gone(loss: Loss) -> None:
    """Nothing but the backup is left."""
    loss.lose_meta_store()
    empty(loss.cluster)
    loss.run("Both are gone")
    loss.expect(loss.new)


def test_the_provider_is_gone(loss: Loss, gcs: GcsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bucket, the meta store and the first backups: a copy with another provider is left."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.endpoint)
    loss.places["gcs://far-away"] = f"gcs://{gcs.bucket()}@far"
    title = "The provider is gone"
    loss.run(title, until="restore")
    loss.lose_meta_store()
    empty(loss.cluster)
    (loss.path / "backups").rename(loss.path / "gone")
    (restore,) = [words for words in commands(title) if words[0] == "restore"]
    loss.cluster.run(*(loss.places.get(word, word) for word in restore))
    loss.expect(loss.new)


def test_a_table_was_dropped(loss: Loss) -> None:
    """Its rows are read while the cluster runs without it."""
    loss.cluster.start()
    loss.cluster.sql("SET RW_IMPLICIT_FLUSH TO true; DROP TABLE region;")
    loss.run("A table was dropped an hour ago")
    lines = (loss.path / "region.jsonl").read_text().splitlines()
    rows = sorted((tuple(json.loads(line).values()) for line in lines), key=repr)
    assert rows == loss.before["region"]
    assert ("region",) not in loss.cluster.sql("SHOW TABLES;")


def test_an_upgrade_is_rehearsed(loss: Loss) -> None:
    """The first cluster goes on beside the clone, and answers as before when that is gone."""
    loss.cluster.start()
    loss.run("An upgrade, rehearsed on a clone")
    loss.expect(loss.new)
    assert answers(loss.cluster) == loss.before


def test_the_nightly_backup(small_cluster: Cluster, tmp_path: Path) -> None:
    """The command at the top of the page, beside the running cluster."""
    filled(small_cluster)
    small_cluster.node.housekeep()
    (line,) = BLOCK.findall(PAGE.read_text(encoding="utf-8").partition("\n## ")[0])
    places = {
        "s3://backups": f"fs://{tmp_path}/backups",
        "postgresql://rw@db/meta": small_cluster.store.url,
    }
    words = [places.get(word, word) for word in shlex.split(line)[1:]]
    done = small_cluster.run(*words, "--rw-version", RELEASE, "--json")
    assert done.json["complete"]


def test_every_section_is_rehearsed() -> None:
    """No loss on the page is without its test."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert len(SECTIONS) == 6
    assert [title for title, _, _ in SECTIONS if f'"{title}"' not in text] == []
