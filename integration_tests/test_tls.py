"""TLS with real servers: what a URL asks for is what the connection is, in every spelling; what
asks for more than the server proves fails before a password is of use to anybody.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import certificates
import pytest
import servers
import sqlalchemy as sa
from servers import PASSWORD, USER, Server

from metasnapshot.errors import DatabaseError, UsageError
from metasnapshot.metastore.connect import open_meta_store

START = {"postgresql": servers.postgres, "mysql": servers.mariadb}
ENCRYPTED = {
    "postgresql": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mysql": "SELECT variable_value <> '' FROM information_schema.session_status "
    "WHERE variable_name = 'Ssl_cipher'",
}
DATABASE = {"postgresql": "postgres", "mysql": "mysql"}


@pytest.fixture(scope="module", params=["postgresql", "mysql"])
def place(request: pytest.FixtureRequest) -> Generator[tuple[Server, Path]]:
    """A server with TLS, and the directory of its certificates."""
    start = START[request.param]
    with tempfile.TemporaryDirectory(prefix="metasnapshot-server-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        try:
            with start(directory, tls=True) as server:
                other = certificates.make_authority("others")
                (directory / "other.pem").write_bytes(certificates.pem(other.signed))
                yield server, directory
        except servers.ServerMissing as error:
            pytest.skip(str(error))


@contextmanager
def connected(place: tuple[Server, Path], options: str, host: str) -> Generator[sa.Connection]:
    server, directory = place
    query = options.format(ca=directory / "ca.pem", other=directory / "other.pem")
    url = sa.URL.create(
        server.engine, USER, PASSWORD, host, server.port, DATABASE[server.engine]
    ).render_as_string(hide_password=False)
    with open_meta_store(f"{url}?{query}") as store, store.read_transaction() as connection:
        yield connection


@pytest.mark.parametrize(
    ("options", "host", "encrypted"),
    [
        ("sslmode=disable", "127.0.0.1", False),
        ("ssl-mode=DISABLED", "127.0.0.1", False),
        ("sslmode=prefer", "127.0.0.1", True),
        ("sslmode=require", "127.0.0.1", True),
        ("sslMode=REQUIRED", "127.0.0.1", True),
        ("useSSL=true", "127.0.0.1", True),
        ("ssl-ca={ca}", "127.0.0.1", True),
        ("sslrootcert={ca}", "localhost", True),
        ("ssl_mode=VERIFY_CA&ssl_ca={ca}", "localhost", True),
        ("sslmode=VERIFY_IDENTITY&sslrootcert={ca}", "127.0.0.1", True),
        ("sslmode=verify-full&ssl-ca={ca}&statement-cache-capacity=5", "127.0.0.1", True),
    ],
)
def test_what_is_asked_for_is_what_comes(
    options: str,
    host: str,
    encrypted: bool,  # noqa: FBT001 - a cell of the table
    place: tuple[Server, Path],
) -> None:
    """The server says itself whether the connection is encrypted."""
    with connected(place, options, host) as connection:
        found = connection.exec_driver_sql(ENCRYPTED[place[0].engine]).scalar()
    assert bool(found) is encrypted


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ("ssl-ca={other}", "127.0.0.1"),
        ("sslmode=require&ssl-ca={other}", "127.0.0.1"),
        ("sslmode=verify-ca&sslrootcert={other}", "127.0.0.1"),
        ("sslmode=VERIFY_IDENTITY&ssl-ca={other}", "127.0.0.1"),
        ("sslmode=VERIFY_IDENTITY&ssl-ca={ca}", "localhost"),
        ("ssl_mode=verify-full&ssl_ca={ca}", "localhost"),
        ("sslmode=VERIFY_IDENTITY", "127.0.0.1"),
        ("ssl_verify_identity=true&sslca={other}", "127.0.0.1"),
    ],
)
def test_who_cannot_prove_who_he_is_gets_nothing(
    options: str, host: str, place: tuple[Server, Path]
) -> None:
    """Another authority, another name, or an authority that nobody knows: exit 18."""
    with pytest.raises(DatabaseError) as caught, connected(place, options, host):
        pass
    assert "ssl-ca" in caught.value.hint


@pytest.mark.parametrize("options", ["tls-version=TLSv1", "sslmode=maybe", "ssl-cipher=NULL-MD5"])
def test_what_is_not_understood_is_refused(options: str, place: tuple[Server, Path]) -> None:
    """Exit 2, on a server that would have taken the connection."""
    with pytest.raises(UsageError), connected(place, options, "127.0.0.1"):
        pass
