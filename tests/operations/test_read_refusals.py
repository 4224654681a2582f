"""What cannot be read is refused with its reason, and never shown as empty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from data_cluster import v1_snapshot, v2_snapshot, write_objects
from shell import BACKUPS, STATE_FOLDER, Shell

from metasnapshot import Blob
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.store.local import LocalStore
from metasnapshot_models.enums import Engine, JobStatus, TableType

PLACES = (*BACKUPS, *STATE_FOLDER)
NAME = "t_rowid"


def change(section: str, column: str, **to: Any) -> Callable[[Any], None]:
    """Change the rows of the table in a V2 snapshot."""

    def work(snapshot: Any) -> None:
        (table,) = [row for row in snapshot.sections["tables"] if row.name == NAME]
        rows = snapshot.sections[section]
        for place, row in enumerate(rows):
            if getattr(row, column) == table.table_id:
                rows[place] = msgspec.structs.replace(row, **to)

    return work


def alter(**to: Any) -> Callable[[Any], None]:
    """Change the table's message in a V1 snapshot."""

    def work(snapshot: Any) -> None:
        rows = snapshot.sections["table"]
        for place, row in enumerate(rows):
            message = row.message
            if message.name == NAME:
                for name, value in to.items():
                    setattr(message, name, value)
                data = message.SerializeToString(deterministic=True)
                rows[place] = Blob(data, row.type, row.era)

    return work


CREATING = "it was still being created: its rows are not complete"
ICEBERG = "an append-only table of engine iceberg keeps its rows in Iceberg, not here"
REFUSED: dict[str, tuple[str, Callable[[Any], None], str]] = {
    "a job that is created": (
        "v3.0.3",
        change("streaming_jobs", "job_id", job_status=JobStatus.CREATING),
        CREATING,
    ),
    "a job that is to be created": (
        "v3.0.3",
        change("streaming_jobs", "job_id", job_status=JobStatus.INITIAL),
        CREATING,
    ),
    "engine iceberg": (
        "v3.0.3",
        change("tables", "table_id", engine=Engine.ICEBERG, append_only=True),
        ICEBERG,
    ),
    "a vector index": (
        "v3.0.3",
        change("tables", "table_id", table_type=TableType.VECTOR_INDEX),
        "a vector index has no rows",
    ),
    "a job that is created, in V1": ("v1.10.0", alter(stream_job_status=1), CREATING),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rows_to_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason stands in the list of tables, and ends read, a query and a comparison; no file is
    made. All other tables are read."""
    monkeypatch.chdir(tmp_path)
    tag, work, reason = REFUSED[name]
    write_objects(tag, tmp_path / "state")
    snapshot = v1_snapshot(tag) if tag.startswith("v1.") else v2_snapshot(tag)
    work(snapshot)
    changes.create(Repository(LocalStore(tmp_path / "backups"), "backup"), snapshot)
    shell = Shell(tmp_path, capsys)
    tables = {item["name"]: item for item in shell.answer("tables", "9", *BACKUPS)[1]["tables"]}
    found = tables[f"dev.public.{NAME}"]
    assert (found["readable"], found["reason"]) == (False, reason)
    assert sum(not item["readable"] for item in tables.values()) == 1
    for words in (
        ("read", "9", NAME, "--to", "x.csv"),
        ("query", "9", f"SELECT count(*) FROM {NAME}", "--to", "x.csv"),
        ("diff", "--data", "9", "9", NAME),
    ):
        code, out, err = shell.run(*words, *PLACES)
        assert (code, out, reason in err, Path("x.csv").exists()) == (2, "", True, False), err
    code, answer = shell.answer("read", "9", "--all", "--to", "all", "--format", "csv", *PLACES)
    failed = [item["table"] for item in answer["tables"] if not item["ok"]]
    assert (code, failed) == (3, [f"dev.public.{NAME}"])
