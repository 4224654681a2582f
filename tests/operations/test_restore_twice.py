"""A restore that ended well, run again: recognised, and nothing is written; what only looks like it
is not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import goldens
import pytest

from metasnapshot.cli.app import main
from metasnapshot.errors import TargetNotEmpty
from metasnapshot.hummock.checkpoint import NONE, decode_checkpoint, encode_checkpoint
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import RestoreResult, plan_restore, restore
from metasnapshot_models.layouts import LAYOUTS

TAG = goldens.SHIPPED / "v3.0.3"
FOLDER = "hummock_001"


class World:
    """An empty meta store, a state store and backups 1, 2 and 7 that point to it."""

    def __init__(self, path: Path) -> None:
        self.path, self.state = path, path / "state"
        self.store = goldens.empty_store(TAG, path / "target.db")
        self.backups = goldens.copy_backups(TAG, path)
        goldens.point_to_state(self.backups, self.state, (2, 7))

    def restore(self, number: int = 2, **options: Any) -> RestoreResult:
        with open_meta_store(f"sqlite:///{self.store}") as store:
            return restore(self.backups, store, number, self.options(**options))

    def options(self, **options: Any) -> RestoreOptions:
        options = {"no_object_check": True, **options}
        return RestoreOptions(f"fs://{self.state}", FOLDER, **options)

    def files(self) -> dict[Path, tuple[bytes, int]]:
        """Every file with its bytes and the time of its last change."""
        paths = [path for path in self.path.rglob("*") if path.is_file()]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}

    @property
    def checkpoint(self) -> Path:
        return self.state / FOLDER / "checkpoint" / "0"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    "options",
    [{}, {"clean": True}, {"cut_timestamps": True}, {"create_schema": True}],
)
@pytest.mark.parametrize("number", [2, 7])
def test_a_restore_that_ended_well_is_recognised(
    world: World, number: int, options: dict[str, Any]
) -> None:
    """No byte of any file changes, nor its time, and the result says so."""
    first = world.restore(number)
    assert not first.plan.done
    before = world.files()
    again = world.restore(number, **options)
    assert world.files() == before
    assert (again.plan.done, again.plan.loaded, again.replaced_checkpoint) == (True, True, None)
    with open_meta_store(f"sqlite:///{world.store}") as store:
        plan = plan_restore(world.backups, store, number, world.options(**options))
    assert (plan.done, plan.error, plan.empties, plan.replaces_checkpoint) == (
        True,
        None,
        {},
        False,
    )
    assert "ended well before" in plan.checks[-2].reason


@pytest.mark.parametrize("extra", [[], ["--clean"], ["--plan"], ["--clean", "--yes"]])
def test_the_command_says_so(
    world: World, extra: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0, without a question, in words that no script takes for a restore."""
    world.restore()
    capsys.readouterr()
    where = ["--meta-store", f"sqlite:///{world.store}", "--hummock-storage-url"]
    where += [f"fs://{world.state}", "--backup-storage-url", f"fs://{world.path}"]
    where += ["--backup-storage-directory", "backup", "--no-object-check"]
    before = world.files()
    assert main(["restore", "2", *where, *extra]) == 0
    said = capsys.readouterr().out
    assert "nothing was written" in said
    assert "restored snapshot" not in said
    assert "did not end" not in said
    assert world.files() == before


@pytest.mark.parametrize("layout", ["3.0.1", "2.8.4"])
def test_another_form_of_the_same_checkpoint_is_as_good(world: World, layout: str) -> None:
    """Not compressed, or without an envelope: the version is the snapshot's, and 3.0.3 reads it."""
    world.restore()
    version = decode_checkpoint(world.checkpoint.read_bytes(), "v3.0.3")
    world.checkpoint.write_bytes(encode_checkpoint(version, LAYOUTS[layout], NONE))
    assert world.restore().plan.done


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes((TAG / "checkpoint.2.bin").read_bytes()[:-1]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no checkpoint"),
    ],
)
def test_without_its_checkpoint_it_is_not_done(world: World, change: Any) -> None:
    """Missing, damaged or none: the restore did not end, and is finished."""
    world.restore()
    good = world.checkpoint.read_bytes()
    change(world.checkpoint)
    result = world.restore()
    assert (result.plan.loaded, result.plan.done) == (True, False)
    assert world.checkpoint.read_bytes() == good
    assert "did not end" in result.plan.checks[-2].reason


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE catalog_version SET version = version + 1",
        "UPDATE hummock_sequence SET seq = seq + 1 WHERE name = 'meta_backup'",
        "INSERT INTO compaction_task SELECT * FROM golden.compaction_task LIMIT 1",
        "DELETE FROM session_parameter WHERE name IN (SELECT name FROM session_parameter LIMIT 1)",
    ],
)
def test_rows_that_differ_are_rows(world: World, statement: str) -> None:
    """Exit 13 as ever; --clean empties them, and writes all of it."""
    world.restore()
    with closing(sqlite3.connect(world.store, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS golden", (str(TAG / "meta.db"),))
        connection.execute(statement)
    with pytest.raises(TargetNotEmpty):
        world.restore()
    assert not world.restore(clean=True).plan.done
    assert world.restore().plan.done
