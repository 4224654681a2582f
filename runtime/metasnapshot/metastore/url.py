"""URLs of meta stores, as SQLAlchemy, libpq and RisingWave's drivers write them -> SQLAlchemy's.

Their options have other names in each: see url_options.py.
"""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import parse_qsl, unquote

import sqlalchemy as sa
from sqlalchemy import exc

from metasnapshot.errors import UsageError
from metasnapshot.metastore.url_options import mysql_options, postgres_options

DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
"""Known schemes and the driver that each is reached by."""
MYSQL_PASSWORD_VARIABLE = "MYSQL_PWD"  # noqa: S105 - a variable's name, as MySQL's own clients have
OPTION_NAME = re.compile(r"[\w.\-\[\]]+")
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
    for name, value in parse_qsl(url.rpartition("?")[2], keep_blank_values=True):
        if not value and OPTION_NAME.fullmatch(name) and name not in parsed.query and "?" in url:
            raise UsageError(f"option {name} of the database URL has no value")
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
    """The URL without options, and what they come to for its driver.

    Raises:
        UsageError: an option is unknown, or has a value that it cannot have.
        DatabaseError: a file of TLS cannot be read.
        ImportError: the driver is not installed.
    """
    plain = url.set(query={})
    if url.get_backend_name() == "mysql":
        return plain, mysql_options(url.query)
    from psycopg import pq  # noqa: PLC0415 - an extra

    hosts = {name: url.query[name] for name in ("host", "port") if name in url.query}
    plain = url.set(query=hosts)  # SQLAlchemy reads several of them
    keywords = [option.keyword.decode() for option in pq.Conninfo.get_defaults()]
    others = {name: value for name, value in url.query.items() if name not in hosts}
    return plain, dict(postgres_options(others, keywords))
