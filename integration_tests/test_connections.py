"""Ways to reach a server, and not to: URLs, the clients' own environment, TLS, rights, schemas. The
command runs as a process of its own, and whatever it says, it never says a password.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import goldens
import pytest
import servers
import sqlalchemy as sa
import worlds
from servers import PASSWORD, USER, Server

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import DatabaseError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.read import count_rows
from metasnapshot.operations import backup as operation
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.store.local import LocalStore

pytestmark = pytest.mark.skipif(
    not worlds.TAGS, reason="the schema scripts of the engines are not shipped"
)
DATABASE = "reached"
ROLE = "reader"
OTHER_PASSWORD = "an0ther s/ecret"
SECRETS = (PASSWORD, OTHER_PASSWORD)
OURS = ("PG", "MYSQL", "METASNAPSHOT")
"""Beginnings of variables that say how to reach a server."""
START = {"postgresql": servers.postgres, "mysql": servers.mariadb}
KILL = {
    "postgresql": ("postgres/postmaster.pid", signal.SIGQUIT),
    "mysql": ("pid", signal.SIGKILL),
}
"""Where a server's process id is, and what ends it at once with all its children."""


WAIT_S = 600
"""A command that takes as long hangs."""


class Said(NamedTuple):
    """What a process said in the end, on both its outputs."""

    code: int
    text: str


def run(url: str, *arguments: str, **environment: str) -> Said:
    """Run a command on a meta store; it shows no password, however it is written."""
    command = [sys.executable, "-m", "metasnapshot", *(arguments or ("coverage",))]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    done = subprocess.run(
        [*command, "--meta-store", url],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    text = done.stdout + done.stderr
    for secret in SECRETS:
        for form in (secret, quote(secret), quote(secret, safe=""), secret.split()[-1]):
            assert form not in text
    assert "Traceback" not in text
    return Said(done.returncode, text)


def make_store(server: Server) -> str:
    """A meta store with the golden rows; its URL."""
    tag = worlds.TAGS[-1]
    data = (tag / worlds.FOLDERS[server.engine][0] / "data.sql").read_text()
    url = server.create(DATABASE, worlds.schema(tag, server) + data)
    with server.admin(DATABASE).connect() as connection:
        connection.exec_driver_sql("DELETE FROM hummock_version_delta")
    return url


@pytest.fixture(scope="module")
def store(server: Server) -> str:
    return make_store(server)


@pytest.fixture(scope="module")
def postgres_store(postgres_server: Server) -> str:
    return make_store(postgres_server)


@pytest.fixture(scope="module")
def mariadb_store(mariadb_server: Server) -> str:
    return make_store(mariadb_server)


def with_scheme(url: str, scheme: str) -> str:
    return f"{scheme}://{url.partition('://')[2]}"


def without_password(url: str) -> str:
    return sa.make_url(url)._replace(password=None).render_as_string(hide_password=False)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_schemes_of_postgresql(scheme: str, postgres_store: str) -> None:
    """libpq's two and SQLAlchemy's."""
    assert run(with_scheme(postgres_store, scheme)).code == 0


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql"])
def test_schemes_of_mysql(scheme: str, mariadb_store: str) -> None:
    """MySQL's, MariaDB's and SQLAlchemy's."""
    assert run(with_scheme(mariadb_store, scheme)).code == 0


def test_a_password_with_everything_escaped(server: Server, store: str) -> None:
    """Every character may be percent-encoded."""
    encoded = "".join(f"%{ord(char):02X}" for char in PASSWORD)
    where = f"127.0.0.1:{server.port}/{DATABASE}"
    assert run(f"{store.partition(':')[0]}://{USER}:{encoded}@{where}").code == 0


def test_libpqs_environment(postgres_server: Server, postgres_store: str) -> None:
    """A URL that says nothing is one that the variables fill."""
    assert sa.make_url(postgres_store).database == DATABASE
    environment = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres_server.port),
        "PGUSER": USER,
        "PGPASSWORD": PASSWORD,
        "PGDATABASE": DATABASE,
    }
    assert run("postgresql://", **environment).code == 0
    assert run("postgresql://", **environment | {"PGPASSWORD": OTHER_PASSWORD}).code == 15


def test_libpqs_password_file(postgres_store: str, tmp_path: Path) -> None:
    """PGPASSFILE, for a URL with all but the password."""
    path = tmp_path / "passwords"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    path.write_text(f"*:*:{DATABASE}:{USER}:{escaped}\n")
    path.chmod(0o600)
    url = without_password(postgres_store)
    assert run(url, PGPASSFILE=str(path)).code == 0
    assert run(url).code == 15


def test_mysqls_password_variable(mariadb_store: str) -> None:
    """MYSQL_PWD, for a URL with all but the password."""
    url = without_password(mariadb_store)
    assert run(url, MYSQL_PWD=PASSWORD).code == 0
    assert run(url, MYSQL_PWD=OTHER_PASSWORD).code == 15
    assert run(url).code == 15


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ("sslmode=require", 18),
        ("sslmode=verify-full", 18),
        ("sslmode=perhaps", 2),
        ("sslmode=disable", 0),
        ("sslmode=prefer", 0),
    ],
)
def test_tls_of_postgresql(option: str, code: int, postgres_store: str) -> None:
    """The server has none: what insists on it fails."""
    assert run(f"{postgres_store}?{option}").code == code


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ("ssl-mode=REQUIRED", 18),
        ("ssl-mode=VERIFY_CA", 18),
        ("ssl_mode=verify-identity", 18),
        ("ssl-mode=REQUIRED&ssl-ca=/no/such/file", 18),
        ("ssl-mode=PERHAPS", 2),
        ("ssl-mode=DISABLED", 0),
        ("ssl-mode=PREFERRED", 0),
    ],
)
def test_tls_of_mysql(option: str, code: int, mariadb_server: Server, mariadb_store: str) -> None:
    """The same, by the names that MySQL has for it."""
    with mariadb_server.admin(DATABASE).connect() as connection:
        if connection.exec_driver_sql("SELECT @@have_ssl").scalar() == "YES":
            pytest.skip("this server makes a certificate of its own")
    assert run(f"{mariadb_store}?{option}").code == code


def test_what_is_not_there(server: Server, store: str) -> None:
    """Another database, user, password or port; each with its code, and where it was looked for."""
    where = f"127.0.0.1:{server.port}/{DATABASE}"
    cases = {
        store.replace(f"/{DATABASE}", "/no_such"): 18,
        store.replace(f"//{USER}:", "//nobody:"): 15,
        server.url(DATABASE, OTHER_PASSWORD): 15,
        store.replace(where, f"127.0.0.1:1/{DATABASE}"): 18,
        store.replace(where, f"no-such-host.invalid:{server.port}/{DATABASE}"): 18,
    }
    found = {url: run(url) for url in cases}
    assert {url: said.code for url, said in found.items()} == cases
    for url, said in found.items():
        assert str(sa.make_url(url).host) in said.text
        is_asked = "is the server up" in said.text
        assert is_asked is ("127.0.0.1:1/" in url or "no-such-host" in url)
    assert "create the database" in found[store.replace(f"/{DATABASE}", "/no_such")].text


def test_a_database_that_is_no_meta_store(server: Server) -> None:
    """Empty, or with tables of somebody else's: 14."""
    url = server.create("other")
    assert run(url).code == 14
    server.run("other", "CREATE TABLE invoices (id integer PRIMARY KEY);")
    said = run(url)
    assert (said.code, "not a RisingWave meta store" in said.text) == (14, True)


def make_reader(server: Server, forbidden: str) -> str:
    """A role that may read all tables but one; its URL."""
    is_postgres = server.engine == "postgresql"
    role = ROLE if is_postgres else f"{ROLE}@'127.0.0.1'"
    with server.admin(DATABASE).connect() as connection:
        run_sql = connection.exec_driver_sql
        quote_name = connection.dialect.identifier_preparer.quote_identifier
        if is_postgres:
            if run_sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'").scalar():
                run_sql(f"DROP OWNED BY {role}")
            run_sql(f"DROP ROLE IF EXISTS {role}")
            run_sql(f"CREATE ROLE {role} LOGIN PASSWORD '{OTHER_PASSWORD}'")
        else:
            run_sql(f"DROP USER IF EXISTS {role}")
            run_sql(f"CREATE USER {role} IDENTIFIED BY '{OTHER_PASSWORD}'")
        for table in sa.inspect(connection).get_table_names():
            if table != forbidden:
                run_sql(f"GRANT SELECT ON {quote_name(table)} TO {role}")
    return server.url(DATABASE, OTHER_PASSWORD).replace(f"//{USER}:", f"//{ROLE}:")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("table", ["fragment", "hummock_version_delta", "seaql_migrations"])
def test_a_role_without_the_right_to_a_table(table: str, server: Server, tmp_path: Path) -> None:
    """The error names the table."""
    goldens.write_state(goldens.SHIPPED / "v3.0.3", tmp_path / "state")
    said = run(
        make_reader(server, table),
        "backup",
        "--dry-run",
        f"--backup-storage-url=fs://{tmp_path}",
        f"--hummock-storage-url=fs://{tmp_path}/state",
        f"--hummock-storage-directory={goldens.DATA_DIRECTORY}",
    )
    assert said.code in (14, 18)
    assert table in said.text


def test_a_schema_of_another_name(postgres_server: Server, tmp_path: Path) -> None:
    """By libpq's options; restore and backup meet the same tables there."""
    tag = worlds.TAGS[-1]
    url = postgres_server.create("elsewhere", worlds.schema(tag, postgres_server))
    postgres_server.run(
        "elsewhere", "ALTER SCHEMA public RENAME TO risingwave; CREATE SCHEMA public;"
    )
    found = f"{url}?options=-csearch_path%3Drisingwave"
    assert run(url).code == 14
    backups = worlds.Backups(tag, tmp_path)
    result = backups.restore(found, cut_timestamps=True)
    assert "user" in result.sequences
    assert run(found).code == 0
    with open_meta_store(found) as store:
        made = backup(store, backups.repository)
    assert sum(made.rows.values()) == sum(result.rows.values())


def test_a_server_that_is_killed_in_the_middle(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """18, and the manifest names nothing new."""
    goldens.write_state(goldens.SHIPPED / "v3.0.3", tmp_path / "state")
    backups = Repository(LocalStore(tmp_path), "backup")
    options = BackupOptions(f"fs://{tmp_path}/state", goldens.DATA_DIRECTORY)
    pid, with_signal = KILL[server.engine]
    with tempfile.TemporaryDirectory(prefix="metasnapshot-server-") as name:
        Path(name).chmod(0o755)

        def kill_before(connection: sa.Connection, table: str) -> int:
            if table == "object":
                lines = (Path(name) / pid).read_text().splitlines()
                os.kill(int(lines[0]), with_signal)
            return count_rows(connection, table)

        monkeypatch.setattr(operation, "count_rows", kill_before)
        with START[server.engine](Path(name)) as own:
            url = make_store(own)
            with (
                open_meta_store(url) as meta_store,
                pytest.raises(DatabaseError, match=r"object|127\.0\.0\.1") as caught,
            ):
                backup(meta_store, backups, options)
    assert caught.value.exit_code == 18
    assert backups.manifest().ids == ()
    assert list((tmp_path / "backup").glob("*.snapshot")) == []
