"""verify --content data: every block of every SST is walked."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_cluster import write_cluster
from shell import BACKUPS, STATE_FOLDER, Shell
from sst_writer import Sst, put

VERIFY = ("verify", "latest", *BACKUPS, *STATE_FOLDER, "--level", "file", "--content")


@pytest.fixture(params=["v1.10.0", "v3.0.3"])
def shell(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    """A cluster with golden tables."""
    monkeypatch.chdir(tmp_path)
    write_cluster(request.param, tmp_path)
    return Shell(tmp_path, capsys)


def test_sound_data_is_sound(shell: Shell) -> None:
    """Objects that RisingWave wrote are sound, in a snapshot of either format."""
    code, answer = shell.answer(*VERIFY, "data")
    (found,) = answer["snapshots"]
    assert (code, found["ok"], found["content"]["findings"]) == (0, True, [])
    assert found["content"]["objects"] > 5


def test_another_object_with_right_hashes(shell: Shell) -> None:
    """An object of the same size whose hashes fit, but which is another than the version says, is
    seen by data and not by hashes."""
    folder = Path("state/hummock_001")
    path = next(
        folder / f"{number}.data" for number in (9010, 110) if (folder / f"{number}.data").exists()
    )
    data = path.read_bytes()
    meta_offset = int.from_bytes(data[-24:-16], "little")
    sst, spare = Sst(), 100
    while not sst.blocks or len(sst.blocks[0].stored) != meta_offset:
        sst = Sst()
        sst.add(7, [put(b"\0\1k", 1 << 16, bytes(meta_offset - spare))])
        spare += len(sst.blocks[0].stored) - meta_offset
    sst.filter = bytes(len(data) - len(sst.data()))
    assert len(sst.data()) == len(data)
    path.write_bytes(sst.data())
    code, answer = shell.answer(*VERIFY, "data")
    assert (code, answer["snapshots"][0]["error"]["kind"]) == (4, "DamageError")
    assert "the Hummock version says" in answer["snapshots"][0]["error"]["message"]


def test_data_is_never_skipped_for_hashes(shell: Shell) -> None:
    """What was verified by hashes not long ago was not verified by data."""
    assert shell.run(*VERIFY, "hashes").code == 0
    again = (*VERIFY, "data", "--if-older-than", "1d")
    _, answer = shell.answer(*again)
    assert answer["snapshots"][0]["skipped"] is False
    _, answer = shell.answer(*VERIFY, "hashes", "--if-older-than", "1d")
    assert answer["snapshots"][0]["skipped"] is True
