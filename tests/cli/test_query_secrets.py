"""Credentials in the schema `meta` of a query."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import goldens
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]
import pytest
from shell import BACKUPS, Shell
from v1_snapshots import CLUSTER_ID, bare, row

import metasnapshot
from metasnapshot import Blob
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.format import messages
from metasnapshot.store.local import LocalStore

SECRET = "hunter2"  # noqa: S105 - that is what is looked for
PARAMETERS = "system_parameters"


def v2() -> Any:
    """Secrets in properties, in definitions, in URLs, and as such."""
    path = goldens.SHIPPED / "v3.0.3" / "backup" / "2.snapshot"
    snapshot = metasnapshot.loads(path.read_bytes())
    source, sink = snapshot.sections["sources"][0], snapshot.sections["sinks"][0]
    source.with_properties = {"connector": "kafka", "properties.sasl.password": SECRET}
    source.definition = f"CREATE SOURCE s WITH (properties.sasl.password = '{SECRET}')"
    sink.properties = {"aws.credentials.secret_access_key": SECRET, "primary_key": "id"}
    sink.definition = f"CREATE SINK s WITH (\"secret.key\"='{SECRET}', url = 'db://u:{SECRET}@h/d')"
    secrets = snapshot.sections["secrets"]
    secrets[0].value = Blob(SECRET.encode() + bytes(range(16)), secrets[0].value.type)
    for found in snapshot.sections[PARAMETERS]:
        if found.name == "state_store":
            found.value = f"hummock+minio://user:{SECRET}@host:9301/bucket"
    snapshot.id = 9
    return snapshot


def v1() -> Any:
    """The same in messages."""
    layout = "v1-1.8"
    source = row(layout, "source")
    message = messages.message_class("catalog.Source", source.era)(
        id=5,
        name="s",
        with_properties={"connector": "kafka", "properties.sasl.password": SECRET},
        definition=f"CREATE SOURCE s WITH (properties.sasl.password = '{SECRET}')",
    )
    data = message.SerializeToString(deterministic=True)
    blob = Blob(data, source.type, source.era)
    return bare(layout, 9, cluster_id=[CLUSTER_ID], source=[blob])


HOLDERS = {v2: ("sources", "sinks", PARAMETERS), v1: ("source",)}
CASES = [(v2, "9"), (v2, "--all"), (v1, "9")]


@pytest.mark.parametrize(("make", "whose"), CASES)
def test_credentials_are_left_out(
    make: Any,
    whose: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No section shows a credential, in lines or in Parquet, and no condition finds one;
    --with-secrets shows it. Nobody needs to say where a state store is."""
    monkeypatch.chdir(tmp_path)
    changes.create(Repository(LocalStore(tmp_path / "backups"), "backup"), make())
    shell = Shell(tmp_path, capsys)

    def ask(text: str, *more: str) -> str:
        code, out, err = shell.run("query", whose, text, *BACKUPS, *more)
        assert code == 0, err
        return out

    rows = [f'SELECT to_json(t)::VARCHAR AS t FROM meta."{name}" t' for name in HOLDERS[make]]
    every = " UNION ALL ".join(rows)
    count = f"SELECT count(*) AS n FROM ({every}) WHERE t LIKE '%{SECRET}%'"
    assert SECRET not in ask(every)
    assert ask(every, "--with-secrets").count(SECRET) >= len(HOLDERS[make])
    assert json.loads(ask(count)) == {"n": 0}
    assert json.loads(ask(count, "--with-secrets"))["n"] >= len(HOLDERS[make])
    ask(every, "--to", "found.parquet")
    assert SECRET not in str(pq.read_table("found.parquet").to_pylist())
