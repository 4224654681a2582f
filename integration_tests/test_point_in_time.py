"""docs/point-in-time.md: a table is dropped between two snapshots, and the commands of the page are
run as they stand there: they tell when, and bring the rows of just before back.
"""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cluster import Cluster
from cluster.command import Done
from cluster.control import sqlite_place
from cluster.release import RELEASE
from s3 import S3Server
from test_full_backup import answers, back_up, filled

from metasnapshot.catalogue.facts import FACTS_NAME

pytest_plugins = ["cluster.fixtures"]
PAGE = (Path(__file__).parents[1] / "docs" / "point-in-time.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PARTS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")}
BEFORE, DROPPED, AFTER = (
    datetime(2026, 11, 30, 2, 57, 41, tzinfo=UTC),
    datetime(2026, 11, 30, 2, 58, 10, tzinfo=UTC),
    datetime(2026, 11, 30, 2, 58, 42, tzinfo=UTC),
)


def commands(title: str) -> list[list[str]]:
    """The commands of a part, in their order."""
    lines = "\n".join(BLOCK.findall(PARTS[title])).replace("\\\n", " ").splitlines()
    found = [shlex.split(line) for line in lines if line.strip()]
    assert found
    assert all(words[0] == "metasnapshot" for words in found)
    return [words[1:] for words in found]


class Night:
    """A cluster that lost a table between two snapshots, and the places that the page's stand for.

    Attributes:
        rows: what it answered before.
        after: what it answers since.
    """

    def __init__(self, cluster: Cluster, s3: S3Server, path: Path) -> None:
        self.cluster, self.path = cluster, path
        self.new_url = s3.minio(s3.bucket())
        self.new = cluster.beside(sqlite_place(path / "new.db"), self.new_url)
        self.places = {
            "s3://backups": f"fs://{path}/backups",
            "s3://new-state": self.new_url,
            "postgresql://rw@db/meta": cluster.store.url,
            "postgresql://rw@db/new": self.new.store.url,
            "postgresql://rw@db/clone": self.new.store.url,
            "region.jsonl": str(path / "region.jsonl"),
            "24h": "2026-11-29T03:00Z",
        }
        self.rows = filled(cluster)
        self._back_up(BEFORE)
        cluster.start()
        cluster.sql("SET RW_IMPLICIT_FLUSH TO true; DROP TABLE region;")  # it is DROPPED now
        self._back_up(AFTER)
        cluster.start()
        self.after = cluster.sql("SHOW TABLES;")

    def _back_up(self, time: datetime) -> None:
        """At a made-up time."""
        number = back_up(self.cluster, "--backup-storage-url", self.places["s3://backups"])
        path = self.path / "backups" / "backup" / FACTS_NAME
        document = json.loads(path.read_bytes())
        document["snapshots"][str(number)]["taken"] = time.isoformat()
        path.write_bytes(msgspec.json.encode(document))

    def run(self, title: str) -> list[Done]:
        """Run a part's commands."""
        return [
            self.cluster.run(*(self.places.get(word, word) for word in words))
            for words in commands(title)
        ]


@pytest.fixture
def night(small_cluster: Cluster, s3: S3Server, tmp_path: Path) -> Night:
    return Night(small_cluster, s3, tmp_path)


def test_who_dropped_that_table(night: Night) -> None:
    """The timeline has it between the right two snapshots, as the page shows; its rows of just
    before are read while the cluster runs without it.
    """
    (done,) = night.run("Who dropped that table?")
    (shown,) = re.findall(r"```text\n(.*?)```", PARTS["Who dropped that table?"], re.DOTALL)
    varying = re.compile(r"#\d+|snapshots? \d+( and \d+)?|\d+ gaps? .*\n(  .*\n)*")
    assert varying.sub("", done.out) == varying.sub("", shown)
    assert BEFORE < DROPPED < AFTER
    read = night.run("Its rows from just before")[1]
    assert "taken 2026-11-30T02:57:41Z, right at 2026-11-30T02:57:41Z" in read.err
    lines = (night.path / "region.jsonl").read_text().splitlines()
    rows = sorted((tuple(json.loads(line).values()) for line in lines), key=repr)
    assert rows == night.rows["region"]
    assert ("region",) not in night.after


@pytest.mark.parametrize(
    "title", ["Its views, asked on a clone", "The whole cluster, as it was at 02:58"]
)
def test_it_answers_as_before(night: Night, title: str) -> None:
    """A clone beside the cluster, and the cluster itself in another place, have the table again."""
    if "whole" in title:
        night.cluster.stop()
    done = night.run(title)[-1]
    assert "taken 2026-11-30T02:57:41Z" in done.err
    night.new.start()
    try:
        assert answers(night.new) == night.rows
    finally:
        night.new.stop()


def test_a_snapshot_a_minute(small_cluster: Cluster, tmp_path: Path) -> None:
    """The command at the top of the page makes a full one; a round of it is enough here."""
    filled(small_cluster)
    small_cluster.node.housekeep()
    (line,) = BLOCK.findall(PAGE.partition("\n## ")[0])
    places = {
        "s3://backups": f"fs://{tmp_path}/backups",
        "postgresql://rw@db/meta": small_cluster.store.url,
    }
    words = [places.get(word, word) for word in shlex.split(line.replace("\\\n", " "))[1:]]
    small_cluster.run(*words, "--rounds", "1", "--rw-version", RELEASE)
    where = ("--backup-storage-url", places["s3://backups"])
    (made,) = small_cluster.run("list", *where, "--json").json["snapshots"]
    assert made["completeness"] == "full"
