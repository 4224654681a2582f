"""risectl's --sql-endpoint, with every way to write a host and a port."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from metasnapshot.errors import UsageError
from metasnapshot.metastore.risectl_url import url_of_options


@pytest.mark.parametrize("engine", ["postgres", "mysql"])
@pytest.mark.parametrize(
    ("endpoint", "host", "port"),
    [
        ("db", "db", None),
        ("db:5432", "db", 5432),
        ("10.0.0.1:1", "10.0.0.1", 1),
        ("[::1]:5432", "::1", 5432),
        ("[::1]", "::1", None),
        ("::1", "::1", None),
        ("[2001:db8::a.b]:3306".replace("a.b", "10.0.0.1"), "2001:db8::10.0.0.1", 3306),
        ("fd00::7", "fd00::7", None),
    ],
)
def test_hosts_and_ports(engine: str, endpoint: str, host: str, port: int | None) -> None:
    """An IPv6 address keeps its colons, and loses its brackets."""
    sql = {"--meta-store-type": engine, "--sql-endpoint": endpoint, "--sql-database": "meta"}
    url = sa.make_url(url_of_options(sql))
    assert (url.host, url.port, url.database) == (host, port, "meta")


@pytest.mark.parametrize(
    "endpoint", ["db:abc", "[::1:5432", "::1]:5432", "[::1]:x", "db:65536", "[db]:1", "db:²"]
)
def test_what_is_no_host_and_port(endpoint: str) -> None:
    """A usage error that shows how an IPv6 address is written."""
    sql = {"--meta-store-type": "postgres", "--sql-endpoint": endpoint}
    with pytest.raises(UsageError, match="is no host:port") as caught:
        url_of_options(sql)
    assert "[::1]:5432" in caught.value.hint
