"""backup replays the version deltas after the checkpoint, as RisingWave's own builder does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import goldens
import pytest

import metasnapshot
from metasnapshot.catalogue.repository import Repository
from metasnapshot.format import messages
from metasnapshot.hummock.checkpoint import CHECKPOINT
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.store.local import LocalStore


def base_version(tag: Path) -> bytes | None:
    """The checkpoint that the builder of a tag's snapshot 7 started from."""
    path = tag / "hummock_version_base.pb"
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize("tag", goldens.STORES, ids=goldens.name)
def test_deltas_after_the_checkpoint_are_replayed(tag: Path, tmp_path: Path) -> None:
    """Base 100 and the deltas 99 to 105 of every golden store give version 105 of snapshot 7."""
    data = base_version(tag)
    if data is None:
        pytest.skip("this tag's base is not shipped")
    golden = metasnapshot.loads((tag / "backup" / "7.snapshot").read_bytes())
    checkpoint: Any = messages.message_class(CHECKPOINT, golden.hummock_version.era)()
    checkpoint.version.ParseFromString(data)
    state = LocalStore(tmp_path / "state")
    path = f"{goldens.DATA_DIRECTORY}/checkpoint/0"
    state.put_if_absent(path, checkpoint.SerializeToString())
    backups = Repository(LocalStore(tmp_path / "backups"), "backup")
    options = BackupOptions(state.url, goldens.DATA_DIRECTORY)
    with open_meta_store(f"sqlite:///{tag / 'meta.db'}") as store:
        made = backup(store, backups, options).entry
    assert made.hummock_version_id == 105
    found = backups.get(made.id).hummock_version.message
    assert found == golden.hummock_version.message
    assert sorted(made.ssts) == sorted(goldens.copy_backups(tag, tmp_path / "g").entry(7).ssts)
