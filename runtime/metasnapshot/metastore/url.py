"""URLs of meta stores, as SQLAlchemy, libpq and RisingWave's drivers write them -> SQLAlchemy's.

Their options have other names in each: see url_options.py.
"""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, unquote

import sqlalchemy as sa
from sqlalchemy import exc

from metasnapshot.errors import UsageError
from metasnapshot.metastore.engines import URL_HINT, engine_named

OPTION_NAME = re.compile(r"[\w.\-\[\]]+")


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
    engine = engine_named(parsed.get_backend_name())
    parsed = parsed.set(drivername=engine.driver)
    if password is not None:
        parsed = parsed.set(password=password)
    elif engine.password_variable and not parsed.password:
        parsed = parsed.set(password=os.environ.get(engine.password_variable))
    if "\0" in unquote(parsed.render_as_string(hide_password=False)):
        raise UsageError("the database URL or its password has a byte of zero (NUL) in it")
    return parsed
