"""What is shown of properties, definitions and URLs: keys that the registry knows as harmless; all
else is told by its key alone."""

from __future__ import annotations

import json
from io import BytesIO, StringIO
from typing import Any

import goldens
import pytest
from syrupy.assertion import SnapshotAssertion

import metasnapshot
from metasnapshot.contents.properties import REDACTED, is_harmless, redact_properties
from metasnapshot.contents.secrets import redact, redact_sql
from metasnapshot.errors import RowError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.scalars import described
from metasnapshot.metastore.values import PLAIN, from_db
from metasnapshot.operations.diff.compare import diff_names, diff_rows
from metasnapshot.operations.diff.sides import SnapshotSide
from metasnapshot.operations.export import export_rows, write_csv, write_jsonl
from metasnapshot.store.shown_url import shown_text, shown_url, shown_value
from metasnapshot_models.connectors import COMMON, CONNECTORS
from metasnapshot_models.definitions import Column, ColumnType

PLANTED = "hunter2"
SHIPPED = sorted(path.name for path in goldens.SHIPPED.glob("v*"))
KEYS = [
    ("kafka", "pass"),
    ("kafka", "properties.sasl.password"),
    ("kafka", "properties.sasl.jaas.config"),
    ("kafka", "properties.ssl.key.pem"),
    ("kafka", "properties.ssl.ca.pem"),
    ("pulsar", "auth.params"),
    ("nats", "nkey"),
    ("mqtt", "passcode"),
    ("mqtt", "tls.client_cert"),
    ("redis", "pin"),
    ("postgres-cdc", "dsn"),
    ("mongodb-cdc", "mongodb.url"),
    ("s3", "s3.credentials.access"),
    ("azblob", "azblob.credentials.account_key"),
    ("google_pubsub", "pubsub.credentials"),
    ("iceberg", "catalog.header"),
    ("iceberg", "catalog.credential"),
    ("webhook", "header"),
    ("datagen", "fields.a.seed"),
    ("nobody", "topic"),
    ("", "whatever"),
]


@pytest.mark.parametrize(("connector", "key"), KEYS)
def test_a_key_that_nobody_knows_keeps_its_value(connector: str, key: str) -> None:
    """In a map and in a statement, quoted or not; the key stays."""
    pairs = {"connector": connector, key: PLANTED} if connector else {key: PLANTED}
    assert redact("params", pairs) == {**pairs, key: REDACTED}
    for name in (key, f'"{key}"', f"'{key}'", key.upper()):
        for value in (f"'{PLANTED}'", f"$${PLANTED}$$", f"E'{PLANTED}'", PLANTED, f"'a''{PLANTED}"):
            text = redact_sql(f"CREATE SOURCE s WITH (connector='{connector}', {name} = {value})")
            assert (PLANTED in text, name.split()[0] in text) == (False, True), text


@pytest.mark.parametrize("connector", CONNECTORS)
def test_a_harmless_key_shows_its_value_but_for_urls(connector: str) -> None:
    """Host, topic, table: what a person needs to know before a restore."""
    for key in sorted(CONNECTORS[connector] | COMMON - {"connector"}):
        shown = redact_properties({"connector": connector, key: "there"})
        assert shown == {"connector": connector, key: "there"}
        url = f"x://u:{PLANTED}@h/p?k={PLANTED}#{PLANTED}"
        assert PLANTED not in str(redact_properties({"connector": connector, key: url}))


def test_no_harmless_key_is_named_like_a_secret() -> None:
    """The registry is looked at once more by names."""
    words = ("password", "secret", "token", "credential", "passwd", "jaas", "private_", "cert")
    keys = COMMON.union(*CONNECTORS.values())
    allowed = {"properties.enable.ssl.certificate.verification"}
    assert [key for key in sorted(keys - allowed) if any(word in key for word in words)] == []
    assert not is_harmless("topic", "nobody")


NEVER = """
adbc_snowflake.auth_token adbc_snowflake.jwt_private_key_path
adbc_snowflake.jwt_private_key_pkcs8_password adbc_snowflake.jwt_private_key_pkcs8_value
adbc_snowflake.password adbc_snowflake.username access_key adlsgen2.account_key
adlsgen2.account_name adlsgen2.client_id adlsgen2.client_secret adlsgen2.tenant_id api_key
auth.token aws.credentials.access_key_id aws.credentials.role.arn aws.credentials.role.external_id
aws.credentials.secret_access_key aws.credentials.session_token azblob.account_key
azblob.account_name azblob.credentials.account_key azblob.credentials.account_name
bigquery.credentials catalog.credential catalog.header catalog.jdbc.password catalog.jdbc.user
catalog.token clickhouse.password clickhouse.user consumer.description doris.password doris.user
external_id gcs.credential gcs.service.account gcs.service_account glue.access.key glue.secret.key
java_catalog_props jwt kinesis.assumerole.external_id kinesis.credentials.access
kinesis.credentials.secret kinesis.credentials.session_token nkey oauth.credentials.url password
private_key_file private_key_file_pwd private_key_pem properties.sasl.kerberos.keytab
properties.sasl.kerberos.kinit.cmd properties.sasl.kerberos.principal
properties.sasl.oauthbearer.config properties.sasl.password properties.sasl.username
properties.ssl.ca.pem properties.ssl.certificate.pem properties.ssl.key.location
properties.ssl.key.password properties.ssl.key.pem pubsub.credentials s3.access.key
s3.credentials.access s3.credentials.secret s3.secret.key schema.registry.password
schema.registry.username secret_key session_token snowflake.aws_access_key_id
snowflake.aws_secret_access_key sqlserver.password sqlserver.user starrocks.password
starrocks.user tls.ca tls.client_cert tls.client_key user username vended_credentials key_format
value_format header http.header
"""
"""Options of RisingWave's connectors that hold, or may hold, what opens something, whatever else a
release adds; and texts of the user's own."""


@pytest.mark.parametrize("key", NEVER.split())
def test_what_risingwave_takes_as_a_secret_is_harmless_nowhere(key: str) -> None:
    """Of no connector, and of none at all, in any case of its letters."""
    for connector in (*CONNECTORS, "", "nobody"):
        assert not is_harmless(key, connector)
        assert not is_harmless(key.upper(), connector.upper())


@pytest.mark.parametrize(
    "place",
    [
        "u:hunter2@h:4222",
        "h:1,u:hunter2@h:4222",
        '["redis://:hunter2@h:1/","redis://:hunter2@i:1/"]',
        "h?password=hunter2",
        "h;password=hunter2",
        "h#key=hunter2",
        "h:1,u:hunter2@h:4222,nats://u:hunter2@i:1",
        "u:a,hunter2,b@h",
    ],
)
def test_a_place_without_a_scheme_hides_its_password(place: str) -> None:
    """A list of hosts, or a list in JSON, is no URL; the drivers take it as one."""
    for connector, key in (
        ("kafka", "properties.bootstrap.server"),
        ("nats", "server_url"),
        ("pulsar", "service.url"),
        ("redis", "redis.url"),
        ("mqtt", "url"),
        ("postgres", "host"),
        ("mongodb", "mongodb.url"),
    ):
        shown = redact_properties({"connector": connector, key: place})[key]
        assert ("hunter2" in shown, "h" in shown or "i:1" in shown) == (False, True)
        for text in (f"'{place}'", f"E'{place}'", f"$${place}$$", f"$a${place}$a$", f"'{place}"):
            sql = redact_sql(f"CREATE SOURCE s WITH (connector = '{connector}', {key} = {text})")
            assert ("hunter2" in sql, key in sql) == (False, True), sql


@pytest.mark.parametrize(
    ("key", "value"),
    [("s3.path", "a/b"), ("match_pattern", "a?b;*.[ch]"), ("s3.bucket_name", "a-b,c")],
)
def test_what_is_no_place_is_shown_whole(key: str, value: str) -> None:
    """A pattern may have signs that a place has."""
    assert redact_properties({"connector": "s3", key: value})[key] == value
    sql = f"CREATE SOURCE s WITH (connector = 's3', {key} = '{value}')"
    assert redact_sql(sql) == sql


URLS = [
    ("postgresql://u:hunter2@h/d", "postgresql://****@h/d"),
    ("postgresql://h/d?password=hunter2", "postgresql://h/d?password=****"),
    ("mysql://h/d?sslpassword=hunter2&ssl=x", "mysql://h/d?sslpassword=****&ssl=****"),
    ("mysql://u%3Ahunter2%40h/d", "mysql://****@h/d"),
    ("mysql://u:hunter%322@h/d?p%61ssword=hunter2", "mysql://****@h/d?p%61ssword=****"),
    ("http://h/p#hunter2", "http://h/p#****"),
    ("http://h/p?hunter2", "http://h/p?****"),
    ("s3://b/p?email=a@b&password=hunter2", "s3://b/p?email=****&password=****"),
    ("hummock+minio://k:hunter2@h:9000/b", "hummock+minio://****@h:9000/b"),
    ("gcs://bucket@root?key=hunter2", "gcs://bucket@root?key=****"),
    ("gcs://k:hunter2@root", "gcs://****@root"),
    ("redis://:hunter2@h:1/0", "redis://****@h:1/0"),
    ("jdbc:x://h:1;user=sa;password=hunter2", "jdbc:x://h:1;user=****;password=****"),
    ("jdbc:oracle:thin:u/hunter2@//h:1/x", "jdbc:oracle:thin:****@//h:1/x"),
    ("SASL_SSL://u:hunter2@h:1,SASL_SSL://v:hunter2@i:1", "SASL_SSL://****@i:1"),
    ("gcs://bucket@root", "gcs://bucket@root"),
    ("fs:///srv/a?b#c;d", "fs:///srv/a?b#c;d"),
    ("no url", "no url"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "shown"), URLS)
def test_any_part_of_a_url_that_can_hold_a_secret_is_left_out(url: str, shown: str) -> None:
    """User, query, parameters and fragment, encoded or not; alone and in a sentence."""
    assert (shown_url(url), shown_value(url)) == (shown, shown)
    assert shown_text(f"at '{url}' it is") == f"at '{shown}' it is"
    assert "hunter2" not in shown_url("http://u:a b/hunter2@h")


STATEMENTS = [
    "SELECT * FROM postgres_query('h', '1', 'u', 'hunter2', 'd', 'SELECT 1')",
    "SELECT * FROM mysql_query('h', '1', 'u', E'hunter2', 'd', 'SELECT 1')",
    "SELECT * FROM file_scan('parquet', 's3', 'r', 'hunter2', 'hunter2', 's3://b')",
    "CREATE TABLE t (a INT) VALIDATE AS secure_compare(headers->>'x', 'hunter2')",
    "CREATE TABLE t () FORMAT PLAIN ENCODE AVRO (schema.registry.password = 'hunter2')",
    "CREATE TABLE t () FORMAT UPSERT (x = 'hunter2') ENCODE JSON",
    "CREATE SINK s WITH (/* hunter2 */ a = 'b') -- hunter2",
    "CREATE SINK s WITH (a /* c */ = /* d */ 'hunter2'",
    "CREATE SINK s WITH (a = 'hunter2",
    "CREATE SINK s WITH (a = (1, 'hunter2'), b = 2)",
    'CREATE SOURCE s WITH ("a""b" = \'hunter2\')',
    "CREATE SOURCE s WITH (connector = 'redis', redis.url = 'redis://:hunter2@h/0')",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_shows_no_secret(statement: str) -> None:
    """Options anywhere, functions that log in, comments, webhooks, statements that are cut."""
    assert "hunter2" not in redact_sql(statement)


def test_a_statement_keeps_what_is_none() -> None:
    """Names of secrets, harmless options, and the texts of a query."""
    for statement in (
        "CREATE SOURCE s WITH (connector = 'kafka', topic = 'a', p = SECRET pw AS FILE)",
        "CREATE MATERIALIZED VIEW v AS WITH t AS (SELECT 1 AS a) SELECT * FROM t WHERE b = 'paid'",
        "CREATE VIEW v AS SELECT count(*) FROM t WHERE a IN ('x', 'y') AND f(b) = 'z'",
    ):
        assert redact_sql(statement) == statement


def shown(tag: str, edit: Any = None) -> SnapshotReader:
    path = max((goldens.SHIPPED / tag / "backup").glob("*.snapshot"))
    snapshot = metasnapshot.loads(path.read_bytes())
    if edit is not None:
        edit(snapshot)
    return SnapshotReader(BytesIO(metasnapshot.dumps(snapshot)))


@pytest.mark.parametrize("tag", SHIPPED)
def test_what_the_golden_files_show(tag: str, snapshot: SnapshotAssertion) -> None:
    """Properties, parameters and definitions, as cat and export show them."""
    reader = shown(tag)
    found: list[str] = []
    for section in reader.section_names:
        for row in export_rows(reader, section):
            found += [
                f"{section} {name}: {json.dumps(value, ensure_ascii=True)}"
                for name, value in row.items()
                if isinstance(value, dict) or name in ("definition", "value", "params")
                if section != "hummock_version"
            ]
    assert found == snapshot


def test_no_format_shows_a_value_that_diff_tells_of() -> None:
    """A value of an unknown key changes: cat, csv and jsonl show neither, diff says that it did."""

    def before(data: Any) -> None:
        data.sections["sources"][0].with_properties = {"connector": "kafka", "pin": "0000"}

    def after(data: Any) -> None:
        data.sections["sources"][0].with_properties = {"connector": "kafka", "pin": PLANTED}

    old, new = shown("v3.0.3", before), shown("v3.0.3", after)
    file = StringIO()
    write_jsonl(new, ["sources"], file)
    write_csv(new, "sources", file)
    assert (PLANTED in file.getvalue(), "pin" in file.getvalue()) == (False, True)
    sides = SnapshotSide(old), SnapshotSide(new)
    changes = [*diff_names(*sides), *diff_rows(*sides)]
    told = [change for change in changes if "with_properties" in change.columns]
    assert told
    assert PLANTED not in str(changes)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("json", f'{{"password": "{PLANTED}", "x": 7}}'),
        ("json", f'["{PLANTED}"'),
        ("string", PLANTED.encode()),
        ("integer", PLANTED),
        ("bool", PLANTED),
        ("enum", PLANTED),
        ("timestamp", PLANTED),
        ("timestamp", f"2024-99-99 08:00:00{PLANTED}"),
        ("uuid", PLANTED),
        ("bytes", PLANTED),
    ],
)
def test_no_error_repeats_a_cell(kind: str, value: object) -> None:
    """It says column, type and size."""
    detail: dict[str, Any] = {"integer": "i32"} if kind == "integer" else {}
    detail |= {"json": ("map", "String", "String")} if kind == "json" else {}
    detail |= {"members": {"Upsert": "UPSERT"}} if kind == "enum" else {}
    name = "SinkType" if kind == "enum" else "Kind"
    column = Column("definition", ColumnType(name=name, kind=kind, **detail))
    with pytest.raises(RowError) as caught:
        from_db(column, "v3.0.3", PLAIN)(value)
    assert (PLANTED in str(caught.value), caught.value.column) == (False, "definition")
    assert described(value) in str(caught.value)
