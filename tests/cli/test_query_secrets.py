"""Credentials in the schema `meta` of a query."""

from __future__ import annotations

import json
from base64 import b64encode
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
from metasnapshot.store.local import LocalStore

SECRET = "hunter2"  # noqa: S105 - that is what is looked for
PARAMETERS = "system_parameters"
V1 = "v1-2.0"


def v2() -> Any:
    """Secrets in properties, in definitions, in URLs, in messages, and as such."""
    path = goldens.SHIPPED / "v3.0.3" / "backup" / "2.snapshot"
    snapshot = metasnapshot.loads(path.read_bytes())
    source, sink = snapshot.sections["sources"][0], snapshot.sections["sinks"][0]
    source.with_properties = {"connector": "kafka", "properties.sasl.password": SECRET}
    source.definition = f"CREATE SOURCE s WITH (properties.sasl.password = '{SECRET}')"
    sink.properties = {"aws.credentials.secret_access_key": SECRET, "primary_key": "id"}
    sink.definition = f"CREATE SINK s WITH (\"secret.key\"='{SECRET}', url = 'db://u:{SECRET}@h/d')"
    secrets = snapshot.sections["secrets"]
    secrets[0].value = Blob(SECRET.encode() + bytes(range(16)), secrets[0].value.type)
    connection = next(row for row in snapshot.sections["connections"] if row.params.bytes)
    connection.params = filled(connection.params, properties={"sasl.password": SECRET})
    user = next(row for row in snapshot.sections["users"] if row.auth_info)
    user.auth_info = filled(user.auth_info, encrypted_value=SECRET.encode())
    for found in snapshot.sections[PARAMETERS]:
        if found.name == "state_store":
            found.value = f"hummock+minio://user:{SECRET}@host:9301/bucket"
    snapshot.id = 9
    return snapshot


def filled(blob: Blob, **fields: Any) -> Blob:
    """A message of the kind of another."""
    message: Any = type(blob.message)
    data = message(**fields).SerializeToString(deterministic=True)
    return Blob(data, blob.type, blob.era)


def v1() -> Any:
    """The same in messages."""
    properties = {"connector": "kafka", "properties.sasl.password": SECRET}
    definition = f"CREATE SOURCE s WITH (properties.sasl.password = '{SECRET}')"
    found = {
        "source": {"with_properties": properties, "definition": definition},
        "sink": {"properties": {"secret": SECRET}},
        "secret": {"value": SECRET.encode() + bytes(range(16))},
        "user_info": {"auth_info": {"encrypted_value": SECRET.encode()}},
    }
    rows: Any = {name: [row(V1, name, id=5, name="s", **fields)] for name, fields in found.items()}
    return bare(V1, 9, cluster_id=[CLUSTER_ID], **rows)


HOLDERS = {
    v2: ("sources", "sinks", "secrets", "connections", "users", PARAMETERS),
    v1: ("source", "sink", "secret", "user_info"),
}
CASES = [(v2, "9"), (v2, "--all"), (v1, "9"), (v1, "--all")]


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

    rows = [
        f"SELECT '{name}' AS section, to_json(t)::VARCHAR AS t FROM meta.\"{name}\" t"
        for name in HOLDERS[make]
    ]
    every = " UNION ALL ".join(rows)
    plain, packed = SECRET, b64encode(SECRET.encode()).decode().rstrip("=")[:-1]
    there = f"t LIKE '%{plain}%' OR t LIKE '%{packed}%'"
    count = f"SELECT section, count(*) AS n FROM ({every}) WHERE {there} GROUP BY 1"
    hidden = ask(every)
    assert plain not in hidden
    assert packed not in hidden
    assert ask(count) == ""
    shown = [json.loads(line) for line in ask(count, "--with-secrets").splitlines()]
    assert {line["section"] for line in shown} == {*HOLDERS[make]}
    ask(every, "--to", "found.parquet")
    found = str(pq.read_table("found.parquet").to_pylist())
    assert not any(text in found for text in (plain, packed))
