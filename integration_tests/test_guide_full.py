"""The guide's "the bucket is gone" and "the region is gone", typed as they stand there: only the
addresses are those of this machine.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from cluster import Cluster
from cluster.command import Done
from cluster.frontend import Answer
from cluster.tpch import NAMES, ROWS, TABLES
from gcs_server import GcsServer
from s3 import S3Server

pytest_plugins = ["cluster.fixtures"]
GUIDE = Path(__file__).parents[1] / "docs" / "guide.md"
GONE, REGION, END = "**The bucket is gone", "**The region is gone", "**Beside 0.1.0"


def commands(start: str, end: str) -> list[str]:
    """The commands between two words of the guide, in their order."""
    text = GUIDE.read_text(encoding="utf-8")
    text = text[text.index(start) : text.index(end)]
    found = re.findall(r"```\w*\n\s*(metasnapshot .*?)```|`(metasnapshot [^`]+)`", text, re.DOTALL)
    return [" ".join((block or line).replace("\\\n", " ").split()) for block, line in found]


def words(command: str, places: dict[str, str], number: str) -> list[str]:
    """The command's arguments, with these places and this snapshot."""
    found = [places.get(word, word) for word in shlex.split(command)[1:]]
    return [number if word == "42" else word for word in found]


def answers(cluster: Cluster) -> dict[str, Answer]:
    return {name: sorted(cluster.sql(f"SELECT * FROM {name};"), key=repr) for name in NAMES}


def newest_full(listed: Done) -> str:
    """The greatest number at the start of a line that says `full`, as a reader finds it."""
    found = re.findall(r"^\s*(\d+)\b.*\bfull\b", listed.out, re.MULTILINE)
    return max(found, key=int)


@pytest.mark.parametrize("where", ["the bucket", "the region"])
def test_typed_as_it_stands(
    small_cluster: Cluster,
    s3: S3Server,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    """A backup, a bucket that is emptied, and every step of the guide: the same rows."""
    cluster = small_cluster
    for statement in (*TABLES, *ROWS):
        cluster.sql(f"SET RW_IMPLICIT_FLUSH TO true; {statement};")
    before = answers(cluster)
    other, new = s3.minio(s3.bucket()), s3.minio(s3.bucket())
    if where == "the region":
        server: GcsServer = request.getfixturevalue("gcs")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.endpoint)
        other = f"gcs://{server.bucket()}@far"
    places = {
        "s3://other-bucket": other,
        "s3://far-away": other,
        "s3://new-bucket": new,
        "sqlite:///meta.db": cluster.store.url,
        "postgresql://rw@db/meta": cluster.store.url,
    }
    cluster.stop()
    found = commands("## Full backups", GONE)
    (backup,) = (line for line in found if " backup " in line and "--meta-node-stopped" in line)
    cluster.run(*words(backup, places, ""))
    cluster.bucket.delete([item.path for item in cluster.bucket.list("")])
    cluster.prepare_restore()
    listing, verification, plan = commands(GONE, REGION)
    number = newest_full(cluster.run(*words(listing, places, "")))
    cluster.run(*words(verification, places, number))
    planned = words(plan, places, number)
    assert "--plan" in planned
    cluster.run(*planned)
    done = cluster.run(*(word for word in planned if word != "--plan"))
    assert "the old cluster must never start again" in done.out + done.err
    cluster.url = new
    cluster.start()
    assert answers(cluster) == before
    cluster.full_gc_sst()
    assert answers(cluster) == before
