"""URLs of meta stores, as SQLAlchemy, libpq and RisingWave's drivers write them -> SQLAlchemy's.

Options of TLS have other names in each: those of libpq go to psycopg as they are; those of MySQL
(sqlx: ssl-mode, ssl-ca, …) become PyMySQL's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy import exc

from metasnapshot.errors import UsageError

DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
"""Known schemes and the driver that each is reached by."""
MYSQL_PASSWORD_VARIABLE = "MYSQL_PWD"  # noqa: S105 - a variable's name, as MySQL's own clients have
URL_HINT = "--meta-store sqlite:///path, postgresql://user@host/db or mysql://user@host/db"


def parse_url(url: str, password: str | None = None) -> sa.URL:
    """The URL with the driver that is used.

    Args:
        url: as the user wrote it.
        password: instead of one in it.

    Raises:
        UsageError: it is none, or of an engine that is not supported.
    """
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise UsageError("not a database URL", hint=URL_HINT) from error
    engine = parsed.drivername.partition("+")[0]
    if engine not in DRIVERS:
        raise UsageError(f"meta store engine {engine} is not supported", hint=URL_HINT)
    parsed = parsed.set(drivername=DRIVERS[engine])
    if password is not None:
        parsed = parsed.set(password=password)
    elif engine in ("mysql", "mariadb") and not parsed.password:
        parsed = parsed.set(password=os.environ.get(MYSQL_PASSWORD_VARIABLE))
    if "\0" in unquote(parsed.render_as_string(hide_password=False)):
        raise UsageError("the database URL or its password has a byte of zero (NUL) in it")
    return parsed


def shown(url: sa.URL) -> str:
    """The URL for messages: host and database, without user's password and options."""
    plain = sa.URL.create(
        url.get_backend_name(),
        username=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
    )
    return plain.render_as_string()


def connect_arguments(url: sa.URL) -> tuple[sa.URL, dict[str, Any]]:
    """The URL without options that its driver does not take as they are, and what they come to.

    Raises:
        UsageError: an option of TLS has a value that it cannot have.
    """
    if url.get_backend_name() != "mysql":
        return url, {}
    options = {
        name.replace("_", "-"): value if isinstance(value, str) else value[-1]
        for name, value in url.query.items()
    }
    found = {name: value for name, value in options.items() if name.startswith("ssl-")}
    left = {name: value for name, value in url.query.items() if not name.startswith("ssl")}
    return url.set(query=left), _pymysql_tls(found)


def _pymysql_tls(options: Mapping[str, str]) -> dict[str, Any]:
    mode = options.get("ssl-mode", "").upper().replace("-", "_")
    if mode not in ("", "DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"):
        raise UsageError(
            f"unknown ssl-mode {mode}",
            hint="DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY",
        )
    if mode == "DISABLED":
        return {"ssl_disabled": True}
    found: dict[str, Any] = {
        f"ssl_{name}": options[f"ssl-{name}"]
        for name in ("ca", "cert", "key")
        if f"ssl-{name}" in options
    }
    if mode in ("VERIFY_CA", "VERIFY_IDENTITY"):
        found["ssl_verify_cert"] = True
        found["ssl_verify_identity"] = mode == "VERIFY_IDENTITY"
    elif mode == "REQUIRED" and not found:
        found["ssl"] = {"check_hostname": False, "verify_mode": "none"}
    return found
