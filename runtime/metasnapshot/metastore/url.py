"""URLs of meta stores, as SQLAlchemy, libpq and RisingWave's drivers write them -> SQLAlchemy's.

Their options have other names in each: see url_options.py.
"""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

import sqlalchemy as sa
from sqlalchemy import exc

from metasnapshot.errors import UsageError
from metasnapshot.metastore.engines import URL_HINT, engine_named
from metasnapshot.metastore.url_options import PORTS

OPTION_NAME = re.compile(r"[\w.\-\[\]]+")


def parse_url(url: str, password: str | None = None) -> sa.URL:
    """The URL with the driver that is used.

    Args:
        url: as the user wrote it.
        password: instead of one in it.

    Raises:
        UsageError: it is not a database URL, or its engine is not supported.
    """
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise UsageError("not a database URL", hint=URL_HINT) from error
    for name, value in parse_qsl(url.rpartition("?")[2], keep_blank_values=True):
        if not value and OPTION_NAME.fullmatch(name) and name not in parsed.query and "?" in url:
            raise UsageError(f"option {name} of the database URL has no value")
    _require_utf8(url)
    if parsed.port is not None and parsed.port not in PORTS:
        raise UsageError(f"port {parsed.port} of the database URL is not from 1 to {PORTS[-1]}")
    engine = engine_named(parsed.get_backend_name())
    parsed = parsed.set(drivername=engine.driver)
    if password is not None:
        parsed = parsed.set(password=password)
    elif engine.password_variable and not parsed.password:
        parsed = parsed.set(password=os.environ.get(engine.password_variable))
    if "\0" in unquote(parsed.render_as_string(hide_password=False)):
        raise UsageError("the database URL or its password contains a zero byte (NUL)")
    return parsed


def _require_utf8(url: str) -> None:
    """A byte that is none would be another character, and a password that is right a wrong one."""
    try:
        unquote_to_bytes(url).decode()
    except UnicodeError as error:  # its text would repeat the URL
        raise UsageError(
            "the database URL has percent-encoded bytes that are no UTF-8",
            hint="encode user, password and database as UTF-8",
        ) from error
