"""support: what a bundle holds, and that no secret and no row of data is in it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from shell import BACKUPS, STORE, Shell

import metasnapshot
from metasnapshot import Blob
from metasnapshot.contents.scrubbing import Scrubber, secrets_in

PARTS = ("versions", "settings", "metrics", "manifest", "notes", "list", "check", "plan", "storage")


def unpacked(path: Path = Path("bundle.zip")) -> dict[str, Any]:
    with zipfile.ZipFile(path) as bundle:
        assert bundle.testzip() is None
        return {
            name.removeprefix("support/").removesuffix(".json"): json.loads(bundle.read(name))
            for name in bundle.namelist()
        }


def test_a_bundle_is_whole(shell: Shell) -> None:
    """Every part is there, and says what its verb says."""
    assert shell.run("backup", *STORE, *BACKUPS).code == 0
    assert shell.run("verify", "latest", *BACKUPS).code == 0
    metrics = ("--metrics-file", "run.prom")
    assert shell.run("list", *BACKUPS, *metrics).code == 0
    code, found = shell.answer("support", "--to", "bundle.zip", *BACKUPS, *STORE, *metrics)
    assert code == 0
    assert [part["name"] for part in found["parts"]] == [*PARTS, "coverage"]
    held = unpacked()
    assert set(held) == {*PARTS, "coverage", "timings", "errors"}
    assert held["versions"]["metasnapshot"] == metasnapshot.__version__
    assert held["versions"]["packages"]["msgspec"]
    origins = {item["option"]: item["origin"] for item in held["settings"]["settings"]}
    assert origins["--storage-retries"] == "default"
    assert held["manifest"]["snapshots"][0]["id"] == 9
    assert held["notes"]["ledger"]["verified"]["9"]["level"] == "rows"
    assert held["notes"]["facts"]["9"]["cluster_id"] == held["list"]["snapshots"][0]["cluster_id"]
    assert held["plan"]["ok"] is True
    assert {check["result"] for check in held["plan"]["checks"]} >= {"ok"}
    assert all(item["held"] for item in held["storage"]["promises"])
    assert held["coverage"]["unknown"] == []
    assert any("metasnapshot_last_run" in line for line in held["metrics"]["lines"])
    assert held["errors"] == {"parts": [], "earlier": []}
    assert [each["name"] for each in held["timings"]["parts"]] == [*PARTS, "coverage"]


def test_what_fails_is_told_and_the_rest_is_made(shell: Shell) -> None:
    """A directory with nothing in it, and a database that is not there: exit 3."""
    store = ("--meta-store", "sqlite:///gone.db")
    code, found = shell.answer("support", "--to", "bundle.zip", *BACKUPS, *store)
    assert code == 3
    failed = {part["name"] for part in found["parts"] if not part["ok"]}
    assert failed == {"plan", "coverage"}
    errors = {each["name"]: each for each in unpacked()["errors"]["parts"]}
    assert errors["plan"]["exit_code"] == 12
    assert "gone.db" in errors["coverage"]["message"]


def test_a_bundle_overwrites_nothing(shell: Shell) -> None:
    """What is there stays."""
    Path("bundle.zip").write_text("mine")
    assert shell.run("support", "--to", "bundle.zip", *BACKUPS).code == 11
    assert Path("bundle.zip").read_text() == "mine"


def test_no_secret_is_in_a_bundle(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted in variables, in URLs, in settings, in a password file, in remarks, in parameters and
    properties, in notes and metrics, and in what an error repeats: none is found again.
    """
    words = planted_words()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", words["variable"])
    monkeypatch.setenv("METASNAPSHOT_META_STORE_PASSWORD", words["password"])
    monkeypatch.setenv("HTTPS_PROXY_URL", f"http://me:{words['proxy']}@127.0.0.1:1/")
    Path("password.txt").write_text(words["file"] + "\n")
    Path("metasnapshot.toml").write_text(
        f'[storage]\nhummock_storage_url = "s3://key:{words["setting"]}@bucket?token=x"\n'
    )
    back_up(shell, words)
    plant(Path("backups/backup/9.snapshot"), words)
    Path("run.prom").write_text(f'metasnapshot_snapshots{{directory="{words["metrics"]}"}} 1\n')
    monkeypatch.setenv("SOME_TOKEN", words["metrics"])
    url = f"postgresql://me:{words['url']}@127.0.0.1:1/meta?sslpassword={words['url']}2"
    ran = shell.run(
        "support",
        "--to",
        "bundle.zip",
        *BACKUPS,
        "--meta-store",
        url,
        "--meta-store-password-file",
        "password.txt",
        "--metrics-file",
        "run.prom",
        "--storage-retries",
        "0",
    )
    assert ran.code == 3  # nobody listens there
    with zipfile.ZipFile("bundle.zip") as bundle:
        held = b"".join(bundle.read(name) for name in bundle.namelist()).decode()
    assert "by me" in held
    for shown in (held, ran.out, ran.err, Path("bundle.zip").read_bytes().decode("latin-1")):
        assert [name for name, word in words.items() if word in shown] == []


def back_up(shell: Shell, words: dict[str, str]) -> None:
    """A backup whose remarks tell too much."""
    remarks = f"by me, password = '{words['remarks']}', Authorization: Bearer {words['token']}"
    assert (
        shell.run(
            "backup",
            *STORE,
            *BACKUPS,
            "--remarks",
            remarks,
            "--hummock-storage-url",
            "fs://state",
            "--hummock-storage-directory",
            "hummock_001",
        ).code
        == 0
    )


def planted_words() -> dict[str, str]:
    """A secret for each place."""
    return {
        name: f"planted-{name}-S3cr3t!"
        for name in (
            *("variable", "password", "file", "url", "setting", "remarks", "parameter", "property"),
            *("blob", "token", "metrics", "proxy"),
        )
    }


def plant(path: Path, words: dict[str, str]) -> None:
    """Secrets in a snapshot, and a word in each of its definitions, which are no one's to send."""
    snapshot = metasnapshot.loads(path.read_bytes())
    for row in snapshot.sections["system_parameters"]:
        if row.name == "state_store":
            row.value = f"hummock+minio://admin:{words['parameter']}@127.0.0.1:9301/b"
    source = snapshot.sections["sources"][0]
    source.with_properties = {"connector": "kafka", "password": words["property"]}
    source.source_info = Blob(words["blob"].encode())
    path.write_bytes(metasnapshot.dumps(snapshot))


def test_no_row_of_data_is_in_a_bundle(shell: Shell) -> None:
    """Names of tables, definitions and parameters' values stay at home."""
    assert shell.run("backup", *STORE, *BACKUPS).code == 0
    assert shell.run("support", "--to", "bundle.zip", *BACKUPS).code == 0
    snapshot = metasnapshot.Backups("fs://backups").get(9)
    held = json.dumps(unpacked())
    definitions = [
        row.definition for row in snapshot.sections["tables"] if len(row.definition) > 20
    ]
    assert definitions
    assert [text for text in definitions if json.dumps(text)[1:-1] in held] == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"password": "x"}, {"password": "(redacted)"}),
        ({"a": {"api_key": "k1"}}, {"a": {"api_key": "(redacted)"}}),
        ({"a": [{"token": "t"}, 7, None, True]}, {"a": [{"token": "(redacted)"}, 7, None, True]}),
        ({"password": ""}, {"password": ""}),
        ({"url": "s3://k:known-word@b"}, {"url": "s3://****@b"}),
        ({"text": "it is known-word."}, {"text": "it is (redacted)."}),
        ({"text": "it is a%20b%2Fword"}, {"text": "it is (redacted)"}),
        ({"known-word": 1}, {"(redacted)": 1}),
        ({"message": "WITH (password = 'p')"}, {"message": "WITH (password = '(redacted)')"}),
        ({"rows": 5, "name": "orders"}, {"rows": 5, "name": "orders"}),
    ],
)
def test_documents_are_scrubbed(document: dict[str, Any], expected: dict[str, Any]) -> None:
    """By keys, by what a text can hold, and by known words in all their forms; the rest stays."""
    assert Scrubber(["known-word", "a b/word", "abc"]).document(document) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "abcd"}, {"abcd"}),
        ({"PGPASSWORD": "p w\n"}, {"p w"}),
        ({"X": "http://u:pass@h/"}, {"pass"}),
        ({"X": "see http://u:pass@h/?token=tok&a=b"}, {"pass", "tok"}),
        ({"HOME": "/root", "EMPTY_TOKEN": ""}, set()),
        ({"X": "http://[bad"}, set()),
        ({"X": "http://u@h"}, set()),
        ({"MY_LICENSE": "lic1", "URL": "s3://k:s@b"}, {"lic1", "s"}),
    ],
)
def test_secrets_of_variables(variables: dict[str, str], expected: set[str]) -> None:
    """Values whose name says so, and what URLs hold in any of them."""
    assert secrets_in(variables) == expected
