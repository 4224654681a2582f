"""No command shows a credential of a V1 snapshot unless it is asked to, wherever a message has
it."""

from __future__ import annotations

import base64
import itertools
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shell import BACKUPS, STATE_FOLDER, STORE
from v1_manifests import TABLE, write_snapshots
from v1_snapshots import bare, cluster

import metasnapshot
from metasnapshot import Blob, MetaSnapshot
from metasnapshot.cli.app import main
from metasnapshot.format.messages import message_class
from metasnapshot.format.v1 import member_of
from metasnapshot_models.definitions import ColumnType
from metasnapshot_models.v1 import V1_LAYOUTS

FORMATS = ("jsonl", "csv", "sqlite")
ERAS = {
    "v1-0.1.15": "v0.1.15",
    "v1-0.1.17": "v0.18.0",
    "v1-0.19": "v1.7.0",
    "v1-1.8": "v1.10.0",
    "v1-2.0": "v2.0.1",
}
"""The states of the messages that are planted; a V1 file cannot know a webhook, see below."""
LATEST = "v2.8.0"
PREFIX = "S3cr3tPlanted"
"""What all secrets begin with: where it is not, in any form, there is none."""
PROPERTIES = {
    "source": ("properties", "with_properties"),
    "sink": ("properties",),
    "table": ("properties",),
    "subscription": ("properties",),
    "view": ("properties",),
}
"""Maps that users fill."""


class Garden:
    """Fills messages with secrets, each of which is another."""

    def __init__(self, layout: str, era: str) -> None:
        self.layout, self.era = layout, era
        self.planted: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def secret(self, place: str) -> str:
        """A new one."""
        text = f"{PREFIX}{next(self._numbers):03}in{self.layout.replace('.', '')}x"
        self.planted[text] = place
        return text

    def has(self, section: str, *path: str) -> bool:
        """Whether there is a section whose messages have a field."""
        if all(member.name != section for member in V1_LAYOUTS[self.layout].members):
            return False
        kind: Any = message_class(member_of(V1_LAYOUTS[self.layout], section).message, self.era)
        kind = kind.DESCRIPTOR
        for name in path:
            if kind is None or name not in kind.fields_by_name:
                return False
            kind = kind.fields_by_name[name].message_type
        return True

    def row(self, section: str, **fields: Any) -> list[Blob]:
        """A message with those of the fields that it has, in its place."""
        name = member_of(V1_LAYOUTS[self.layout], section).message
        placed = {"id": 2000, "name": "x", "database_id": 1, "schema_id": 2, "owner": 1} | fields
        known = {key: value for key, value in placed.items() if self.has(section, key)}
        message = message_class(name, self.era)(**known)
        column = ColumnType(section, "message", message=name, wrapper="single")
        return [Blob(message.SerializeToString(deterministic=True), column, self.era)]


def properties(garden: Garden, place: str) -> dict[str, str]:
    """Of a connector, as users write them."""
    names = ["password", "properties.sasl.password", "aws.credentials.secret_access_key"]
    names += ["access_key", "private.key", "auth.token", "gcs.credential", "sasl.jaas.config"]
    found = {name: garden.secret(f"{place} {name}") for name in names}
    urls = {"url": "postgres://me:{}@host/db", "jdbc.url": "jdbc:mysql://host/db?password={}"}
    urls["headers"] = "Authorization: Bearer {}"
    found |= {name: text.format(garden.secret(f"{place} {name}")) for name, text in urls.items()}
    return found | {"connector": "kafka"}


def definition(garden: Garden, place: str) -> str:
    """SQL with credentials in options, quoted names, URLs."""
    one, two, three = (garden.secret(f"{place} definition {number}") for number in range(3))
    return (
        f"CREATE SOURCE x WITH (connector = 'kafka', properties.sasl.password = '{one}', "
        f"\"password\" /* its */ = 'it''s {two}') FORMAT PLAIN ENCODE AVRO "
        f"(schema.registry = 'http://me:{three}@host')"
    )


def planted(layout: str, number: int, garden: Garden) -> MetaSnapshot:
    """A snapshot with secrets wherever one can be."""
    made = cluster(layout, number)
    if garden.era == LATEST:  # its versions have no safe_epoch
        made.hummock_version = bare(layout, number).hummock_version
    has = garden.has

    def plant(section: str, **fields: Any) -> None:
        if section in made.sections:
            made.sections[section] = garden.row(section, **fields)

    for section, names in PROPERTIES.items():
        found: dict[str, Any] = {
            name: properties(garden, f"{section} {name}") for name in names if has(section, name)
        }
        if has(section, "definition"):
            found["definition"] = definition(garden, section)
        plant(section, **(found | messages(garden, section)))
    plant("user_info", id=1, auth_info={"encrypted_value": garden.secret("auth_info").encode()})
    plant("table_fragments", table_id=2000, fragments=fragments(garden))
    if has("function", "body"):
        plant("function", body=f"connect('ftp://me:{garden.secret('body')}@host')")
    if has("connection"):
        link = {name: garden.secret(name) for name in ("service_name", "endpoint_id")}
        plant("connection", private_link_service=link)
    if has("secret"):
        plant("secret", value=garden.secret("secret").encode())
    if has("system_param"):
        plant("system_param", **parameters(garden))
    return made


def messages(garden: Garden, section: str) -> dict[str, Any]:
    """Fields that are messages, and the SQL of a view."""
    if section == "view":
        return {"sql": f"SELECT 'mysql://me:{garden.secret('view sql')}@host'"}
    if section == "source":
        return {"info": info(garden)}
    if section == "subscription" and garden.has(section, "dependent_table_id"):
        return {"dependent_table_id": 2000}
    if section == "sink" and garden.has(section, "format_desc", "options"):
        return {"format_desc": {"options": {"basic.auth": garden.secret("format_desc")}}}
    if section == "table" and garden.has(section, "webhook_info", "signature_expr"):
        body = {"body": garden.secret("webhook_info").encode()}
        return {"webhook_info": {"signature_expr": {"constant": body}}}
    return {}


def info(garden: Garden) -> dict[str, Any]:
    """StreamSourceInfo, whose options hold the schema registry's password."""
    found: dict[str, Any] = {"row_schema_location": f"https://me:{garden.secret('info')}@registry"}
    if garden.has("source", "info", "format_encode_options"):
        found["format_encode_options"] = {"schema.registry.x": garden.secret("encode options")}
    return found


def fragments(garden: Garden) -> dict[int, Any]:
    """Fragments with a plan two nodes deep."""
    nodes = {"identity": "x", "input": [{"identity": garden.secret("StreamNode")}]}
    if garden.has("table_fragments", "fragments", "value", "nodes"):
        return {1: {"nodes": nodes}}
    return {1: {"actors": [{"actor_id": 1, "nodes": nodes}]}}


def parameters(garden: Garden) -> dict[str, Any]:
    """Places with credentials in their URLs, and the licence."""
    fields: dict[str, Any] = {"data_directory": "hummock_001"}
    schemes = {"state_store": "hummock+minio", "backup_storage_url": "minio"}
    for name, scheme in (schemes | {"wasm_storage_url": "s3"}).items():
        if garden.has("system_param", name):
            fields[name] = f"{scheme}://key:{garden.secret(name)}@host:9000/bucket"
    if garden.has("system_param", "license_key"):
        fields["license_key"] = garden.secret("license_key")
    return fields


def forms(text: str) -> Iterator[bytes]:
    """How a text may stand in an output: as it is, in base64 at any offset, in hex."""
    raw = text.encode()
    yield raw
    yield raw.hex().encode()
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + raw)
        yield encoded[4 if offset else 0 : -4]


def shown(garden: Garden, data: bytes) -> set[str]:
    """The secrets that are in some bytes, by their places."""
    if not any(form in data for form in forms(PREFIX)):
        return set()
    found = garden.planted.items()
    return {place for text, place in found if any(form in data for form in forms(text))}


def run(capfdbinary: pytest.CaptureFixture[bytes], *command: str) -> tuple[int, bytes]:
    capfdbinary.readouterr()
    code = main([*command, *BACKUPS])
    out, err = capfdbinary.readouterr()
    return code, out + err


GARDENS = [*ERAS.items(), ("v1-2.0", LATEST)]
COMMANDS = [
    (("list",), 0),
    (("show", "1"), 0),
    (("verify", "--all", "--level", "refs"), 0),
    (("pins",), 0),
    (("epoch", str(TABLE), "1"), 12),
    (("keep", "1"), 0),
    (("delete", "1", "--yes"), 16),
    (("copy", "--to", "fs://safe"), 0),
    (("expire", "--keep-last", "1"), 0),
    (("gc",), 0),
    (("rebuild-manifest",), 0),
    (("check",), 0),
    (("diff", "1", "2"), 0),
    (("restore", "1", *STORE, *STATE_FOLDER, "--create-schema"), 14),
    (("drill", "1"), 14),
    (("create-schema", *STORE, "--for-snapshot", "1"), 14),
]


@pytest.fixture(params=GARDENS, ids=str)
def garden(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Garden:
    """Backups of two snapshots that share no secret, in the working directory."""
    monkeypatch.chdir(tmp_path)
    found = Garden(*request.param)
    one, two = (planted(found.layout, number, found) for number in (1, 2))
    write_snapshots(Path("backups"), "1.6", one, two)
    Path("state").mkdir()
    return found


@pytest.mark.parametrize("garden", GARDENS[1::2], indirect=True, ids=str)
def test_no_command_shows_one(garden: Garden, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """In words or in JSON, whatever the exit code."""
    for command, expected in COMMANDS:
        code, data = run(capfdbinary, *command)
        assert (command, code) == (command, expected)
        if command[0] in ("show", "verify", "diff"):
            data += run(capfdbinary, *command, "--json")[1]
        assert (command, shown(garden, data)) == (command, set())


def test_no_row_shows_one(garden: Garden, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """cat and every export; all of them are there if asked for."""
    for name in ("source", "sink", "table_fragments"):
        code, data = run(capfdbinary, "cat", "1", name, "--messages")
        assert (code, name, shown(garden, data)) == (0, name, set())
    code, data = run(capfdbinary, "export", "1")
    assert (code, shown(garden, data)) == (0, set())
    for form in FORMATS:
        assert run(capfdbinary, "export", "1", "--format", form, "--to", form)[0] == 0
        paths = [Path(form), *Path(form).rglob("*")]
        data = b"".join(path.read_bytes() for path in paths if path.is_file())
        assert (form, len(data) > 1000, shown(garden, data)) == (form, True, set())
    everything = b""
    for number in ("1", "2"):
        everything += run(capfdbinary, "export", number, "--with-secrets")[1]
    assert shown(garden, everything) == set(garden.planted.values())


def test_what_goes_to_etcd_is_for_its_owner(
    garden: Garden, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """It holds them by design, so nobody else can enter the directory; nothing is said aloud."""
    code, data = run(capfdbinary, "export", "1", "--format", "etcd", "--to", "out")
    assert (code, shown(garden, data)) == (0, set())
    assert b"holds the cluster's credentials" in data
    assert stat.S_IMODE(Path("out").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in Path("out").iterdir()} == {0o600}
    plain = Path("out/load.sh").read_bytes()
    stored = metasnapshot.loads(Path("backups/backup/1.snapshot").read_bytes())
    assert len(stored.sections["source"]) == 1
    assert shown(garden, plain) != set()
