"""gc: what died among the objects of a backup directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from object_world import ObjectWorld
from shell import BACKUPS, STORE, Shell

OLD = 1_600_000_000


def test_what_died_among_the_objects_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Temporary files of a killed worker or backup, in any directory of the area, go once they are
    old; a young one may be of a backup at work.
    """
    monkeypatch.chdir(tmp_path)
    shell = Shell(ObjectWorld(tmp_path).path, capsys)
    full = ("backup", *STORE, *BACKUPS, "--meta-node-stopped", "--with-objects")
    assert shell.answer(*full)[0] == 0
    root = tmp_path / "backups/backup/objects"
    shards = sorted(path for path in root.iterdir() if path.is_dir())
    left = [
        shards[0] / ".metasnapshot-0123-4",
        shards[-1] / ".metasnapshot-ab",
        root / ".metasnapshot-c",
    ]
    for path in left:
        path.write_bytes(b"half")
    young = shards[0] / ".metasnapshot-young"
    young.write_bytes(b"half")
    for path in left:
        os.utime(path, (OLD, OLD))
    code, found = shell.answer("gc", "--objects", *BACKUPS, "--commit")
    assert (code, sorted(found["deleted"])) == (
        0,
        sorted(str(path.relative_to(tmp_path / "backups")) for path in left),
    )
    assert [path.exists() for path in (*left, young)] == [False, False, False, True]
    assert shell.answer("verify", "--all", "--content", "hashes", *BACKUPS)[0] == 0
