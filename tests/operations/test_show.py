"""show, cat and what they never show."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import goldens
import pytest
from exhaustive import thin

import metasnapshot
from metasnapshot import Blob, SnapshotReader
from metasnapshot.catalogue.times import epoch_time
from metasnapshot.contents.secrets import redact, redact_row, redact_sql
from metasnapshot.errors import ChecksumMismatch, UnknownFormat
from metasnapshot.operations.export import export_rows
from metasnapshot.operations.show import summarise

TAG = goldens.SHIPPED / "v3.0.3"
PASSWORD = "hunter2"  # noqa: S105


def planted(tmp_path: Path) -> metasnapshot.MetaSnapshot:
    """A golden snapshot with a password in every place that can hold one."""
    snapshot = metasnapshot.loads((TAG / "backup" / "7.snapshot").read_bytes())
    source = snapshot.sections["sources"][0]
    source.with_properties = {
        "connector": "postgres-cdc",
        "slot.name": "slot_7",
        "password": PASSWORD,
        "url": f"postgres://me:{PASSWORD}@host/db",
    }
    source.definition = f"CREATE SOURCE s WITH (connector = 'x', password = '{PASSWORD}')"
    source.source_info = Blob(PASSWORD.encode())
    snapshot.sections["secrets"][0].value = Blob(PASSWORD.encode())
    snapshot.sections["users"][0].auth_info = Blob(b"\x12\x07" + PASSWORD.encode())
    for row in snapshot.sections["system_parameters"]:
        if row.name == "license_key":
            row.value = PASSWORD
        if row.name == "state_store":
            row.value = f"hummock+minio://admin:{PASSWORD}@127.0.0.1:9301/b"
    (tmp_path / "7.snapshot").write_bytes(metasnapshot.dumps(snapshot))
    return snapshot


def test_a_summary_says_what_is_in_it(tmp_path: Path) -> None:
    """Cluster, releases, names, epochs as time, sizes: of golden snapshot 2."""
    summary = summarise(goldens.copy_backups(TAG, tmp_path), 2)
    assert summary.cluster_ids == ("17698a74-9c3a-4cb8-b2e7-4c0354e00992",)
    assert (summary.layout, summary.releases) == ("3.0.1", ("3.0.1", "3.0.2", "3.0.3"))
    assert summary.names["databases"] == ["dev", "with 'q' \"dq\"", "Ünïcode db"]
    assert (len(summary.names["tables"]), len(summary.names["users"])) == (3, 4)
    assert summary.epochs == (7654321458752000, 7654321458752000)
    assert sum(section.rows for section in summary.sections) == 315 + 1
    assert sum(section.size for section in summary.sections) == summary.size - 12 - 8


def test_epochs_are_milliseconds_since_april_2021() -> None:
    """The low 16 bits are no time."""
    assert epoch_time(0) == datetime(2021, 4, 1, tzinfo=UTC)
    assert epoch_time((1000 << 16) + 65535) == datetime(2021, 4, 1, 0, 0, 1, tzinfo=UTC)


def test_risks_are_told(tmp_path: Path) -> None:
    """A CDC source with its slot, and every sink."""
    backups = goldens.copy_backups(TAG, tmp_path)
    snapshot = planted(tmp_path / "backup")
    risks = summarise(backups, 7).risks
    source = snapshot.sections["sources"][0]
    assert risks[0].startswith(f"source {source.name} (postgres-cdc, slot slot_7) asks for offsets")
    assert any(risk.startswith("sink ") and "kafka" in risk for risk in risks)


@pytest.mark.parametrize("messages", [False, True])
def test_no_secret_is_shown_unless_asked_for(
    tmp_path: Path,
    messages: bool,  # noqa: FBT001
) -> None:
    """Not by show, in no row of any section, in no encoding; with --with-secrets it is there."""
    backups = goldens.copy_backups(TAG, tmp_path)
    planted(tmp_path / "backup")
    encoded = [PASSWORD, "aHVudGVyM", "dW50ZXIy", "h1bnRlcj", "104, 117, 110"]
    assert not any(text in repr(summarise(backups, 7)) for text in encoded)
    with backups.open(7) as reader:
        hidden = json.dumps(
            [list(export_rows(reader, name, messages=messages)) for name in reader.section_names]
        )
        shown = json.dumps(
            [list(export_rows(reader, name, with_secrets=True)) for name in reader.section_names]
        )
    assert [text for text in encoded if text in hidden] == []
    assert shown.count(PASSWORD) == 5


@pytest.mark.parametrize("path", thin(goldens.SNAPSHOTS), ids=goldens.name)
def test_every_row_can_be_exported(path: Path) -> None:
    """Each row is JSON, with all its columns, and as many rows as the section has."""
    with metasnapshot.open(path) as reader:
        for place in reader.places:
            rows = list(export_rows(reader, place.name, messages=True))
            assert json.loads(json.dumps(rows)) == rows
            assert len(rows) == place.count


def test_an_export_is_checksummed_to_the_end() -> None:
    """Bytes that change after the file was opened are noticed at the end of the section."""
    file = BytesIO((TAG / "backup" / "2.snapshot").read_bytes())
    reader = SnapshotReader(file)
    offset, row = next(iter(reader.raw_rows("users")))
    file.seek(offset + 4)
    file.write(row.replace(b'"name":"root"', b'"name":"toor"'))
    with pytest.raises(ChecksumMismatch, match="section users, read a second time"):
        list(export_rows(reader, "users"))


def test_an_unknown_section_lists_the_known() -> None:
    """The hint has all of them."""
    reader = SnapshotReader(BytesIO((TAG / "backup" / "2.snapshot").read_bytes()))
    with pytest.raises(UnknownFormat, match="no section nonsense") as caught:
        list(export_rows(reader, "nonsense"))
    assert "hummock_sequences" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WITH (password = 'a''b', topic = 'c')", "WITH (password = '(redacted)', topic = 'c')"),
        ("with (\"s3.secret.key\"='x')", "with (\"s3.secret.key\"='(redacted)')"),
        ("properties.sasl.password='x'", "properties.sasl.password='(redacted)'"),
        ("url = 'jdbc://u:p@host/db'", "url = 'jdbc://****@host/db'"),
        ("primary key (id)", "primary key (id)"),
        ("password = 12345, n = 1", "password = '(redacted)', n = 1"),
        (r"password = E'a\'12345', x = 'y'", "password = '(redacted)', x = 'y'"),
        ("password = $$a'b$$, x = $t$y$t$", "password = '(redacted)', x = $t$y$t$"),
        ("jwt = '1', nkey='2'", "jwt = '(redacted)', nkey='(redacted)'"),
        ("tls.client_key = 'x'", "tls.client_key = '(redacted)'"),
        (
            "FROM file_scan('parquet', 's3', 'us', 'AKIA', 'x''y', 's3://b/f')",
            "FROM file_scan('parquet', 's3', 'us', '(redacted)', '(redacted)', 's3://b/f')",
        ),
        (
            "secret_id = other.id AND t.token IS NULL",
            "secret_id = '(redacted)' AND t.token IS NULL",
        ),
        ("SELECT 'password'", "SELECT 'password'"),
    ],
)
def test_sql_is_shown_without_its_secrets(text: str, expected: str) -> None:
    """Option values that name a secret, and credentials in URLs, go; the rest stays."""
    assert redact_sql(text) == expected


def test_names_decide() -> None:
    """Keys of maps, names of parameters; keys that are no secrets stay."""
    assert redact("p", {"aws.secret_access_key": "x", "primary_key": "id"}) == {
        "aws.secret_access_key": "(redacted)",
        "primary_key": "id",
    }
    assert redact_row({"name": "license_key", "value": "x"})["value"] == "(redacted)"
    assert redact_row({"name": "barrier_interval_ms", "value": "1000"})["value"] == "1000"
    assert redact("password", "") == ""
