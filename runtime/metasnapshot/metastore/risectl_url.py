"""risectl's --sql-* options, as many as one URL has parts: what they come to."""

from __future__ import annotations

import re

import sqlalchemy as sa

from metasnapshot.errors import UsageError
from metasnapshot.metastore.engines import find_engine

IPV6 = re.compile(r"\[([0-9A-Fa-f.]*:[0-9A-Fa-f:.]+(?:%\w+)?)\](?::([^:]*))?")
PORT_MAX = 65535


def url_of_options(sql: dict[str, str]) -> str:
    """One URL, with user and password percent-encoded, which upstream forgets.

    Args:
        sql: values by option.

    Raises:
        UsageError: they do not come to a URL.
    """
    kind = sql.get("--meta-store-type", "")
    endpoint = sql.get("--sql-endpoint", "")
    if kind == "sql":
        return _url(endpoint)
    engine = find_engine(kind)
    if engine is None:
        raise UsageError(
            f"--meta-store-type {kind or 'is missing'}: not a meta store that outlives a process",
            hint="sqlite, postgres, mysql, or sql with a URL as --sql-endpoint",
        )
    if engine.is_file:
        return f"{kind}:///{endpoint}"
    host, port = _host_and_port(endpoint)
    url = sa.URL.create(
        kind,
        username=sql.get("--sql-username") or None,
        password=sql.get("--sql-password") or None,
        host=host,
        port=port,
        database=sql.get("--sql-database") or None,
    ).render_as_string(hide_password=False)
    parameters = sql.get("--sql-url-params", "")
    return f"{url}?{parameters}" if parameters else url


def _host_and_port(endpoint: str) -> tuple[str, int | None]:
    """An IPv6 address with a port stands in brackets, and without one it may."""
    whole = IPV6.fullmatch(endpoint)
    host, port = (whole[1], whole[2]) if whole else (endpoint, None)
    if not whole and endpoint.count(":") == 1:
        host, port = endpoint.split(":")
    is_port = not port or (port.isascii() and port.isdecimal() and int(port) <= PORT_MAX)
    if "[" in host or "]" in host or not is_port:
        raise UsageError(
            f"--sql-endpoint {endpoint!r:.60} is no host:port", hint="an IPv6 one: [::1]:5432"
        )
    return host, int(port) if port else None


def _url(endpoint: str) -> str:
    """A URL of RisingWave's driver. Of a file: what follows `sqlite://` is the path itself, and
    `mode` is the driver's.
    """
    scheme, _, rest = endpoint.partition(":")
    engine = find_engine(scheme)
    if engine is None or not engine.is_file:
        return endpoint
    return f"{scheme}:///{rest.removeprefix('//').partition('?')[0]}"
