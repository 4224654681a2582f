"""The policies of docs/iam, each for one task: a server that checks them lets the task through, and
refuses what its policy leaves out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from goldens import DATA_DIRECTORY
from object_world import ObjectWorld
from s3 import S3Server, s3_server

from metasnapshot.cli.app import main
from metasnapshot.hummock.paths import object_path
from metasnapshot.store.url import open_store

POLICIES = Path(__file__).parent.parent / "docs" / "iam"
BACKUPS, STATE, NEW = "backups", "state", "new"


class Guarded:
    """A server that checks rights, with a user for each policy.

    Attributes:
        keys: of each user, by the policy's name.
    """

    def __init__(self, server: S3Server) -> None:
        self.server = server
        for bucket in (BACKUPS, STATE, NEW):
            self.server.client("s3").create_bucket(Bucket=bucket)
        self.keys = {path.stem: self._user(path) for path in sorted(POLICIES.glob("*.json"))}

    def place(self, bucket: str, user: str) -> str:
        return self.server.minio(bucket, self.keys[user])

    def begin(self) -> None:
        """Rights are checked from now on."""
        self._checks(0)

    def _user(self, path: Path) -> str:
        state = NEW if path.stem == "restore" else STATE
        text = path.read_text().replace("BACKUP-BUCKET", BACKUPS).replace("STATE-BUCKET", state)
        iam = self.server.client("iam")
        iam.create_user(UserName=path.stem)
        iam.put_user_policy(UserName=path.stem, PolicyName=path.stem, PolicyDocument=text)
        key = iam.create_access_key(UserName=path.stem)["AccessKey"]
        return f"{key['AccessKeyId']}:{key['SecretAccessKey']}"

    def _checks(self, after: int) -> None:
        url = f"http://127.0.0.1:{self.server.port}/moto-api/reset-auth"
        plain = {"Content-Type": "text/plain"}  # of a form the server would read nothing
        urlopen(Request(url, str(after).encode(), plain), timeout=60).close()


@pytest.fixture(scope="module")
def guarded() -> Generator[Guarded]:
    with s3_server() as server:
        yield Guarded(server)


def run(capsys: pytest.CaptureFixture[str], *line: str) -> tuple[int, Any, str]:
    capsys.readouterr()
    code = main([*line, "--json"])
    shown = capsys.readouterr()
    return code, json.loads(shown.out), shown.err


def apart(*line: str) -> Any:
    """What a process of its own prints: what it may not delete, it leaves as one that ended."""
    command = [sys.executable, "-m", "metasnapshot", *line, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_task_with_its_policy_alone(
    guarded: Guarded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full backup without the right to delete; a verification that only reads; a restore that
    only reads the backups; expire and gc. Whoever may not delete ends with 15 at an expire, and
    whoever may only read, at a backup.
    """
    world = ObjectWorld(tmp_path)
    state = open_store(guarded.server.minio(STATE))
    checkpoint = f"{DATA_DIRECTORY}/checkpoint/0"
    state.put_if_absent(checkpoint, (world.state / checkpoint).read_bytes())
    for item in world.needed:
        path = object_path(DATA_DIRECTORY, item.id, item.suffix, prefixed=True)
        state.put_if_absent(path, world.objects[item.id])
    guarded.begin()
    store = ("--meta-store", f"sqlite:///{world.meta}", "--meta-node-stopped", "--with-objects")
    there = {user: ("--backup-storage-url", guarded.place(BACKUPS, user)) for user in guarded.keys}
    of_state = ("--hummock-storage-url", guarded.place(STATE, "backup"))
    made = [apart("backup", *store, *of_state, *there["backup"]) for _ in range(2)]
    assert [found["complete"] for found in made] == [True, True]
    number = str(made[-1]["snapshot"]["id"])
    for verb in (("verify", "--all", "--content", "hashes"), ("list",), ("check",)):
        assert run(capsys, *verb, *there["verify"])[0] == 0, verb
    line = ("expire", "--keep-last", "1", "--commit")
    assert run(capsys, *line, *there["backup"])[0] == 15
    assert run(capsys, "backup", *store, *of_state, *there["verify"])[0] == 15
    new = ("--hummock-storage-url", guarded.place(NEW, "restore"))
    target = ("--meta-store", f"sqlite:///{world.empty}", "--with-objects")
    places = (
        *("--overwrite-hummock-storage-endpoint", *new, "--hummock-storage-directory", "data"),
        *("--overwrite-backup-storage-url", "fs://elsewhere"),
        *("--overwrite-backup-storage-directory", "b"),
    )
    assert run(capsys, "restore", number, *target, *places, *there["restore"])[0] == 0
    assert run(capsys, *line, *there["expire"])[0] == 0
    assert run(capsys, "gc", "--objects", "--commit", "--grace", "0s", *there["expire"])[0] == 0
    _, listed, _ = run(capsys, "list", *there["verify"])
    assert [str(item["id"]) for item in listed["snapshots"]] == [number]
