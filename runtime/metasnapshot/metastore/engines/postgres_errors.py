"""PostgreSQL's errors -> ours, without the values of rows that it repeats.

A server may speak any language: what it means is its SQLSTATE. libpq keeps that of an error to
itself while it connects; where the words are not English, it is asked for once more.
"""

from __future__ import annotations

import re
from typing import Any

from metasnapshot.errors import AuthenticationError, ConflictError, DatabaseError, UsageError
from metasnapshot.metastore.engines.postgres_locks import RETRIED
from metasnapshot.metastore.engines.postgres_sqlstate import traced_sqlstate
from metasnapshot.metastore.server import (
    DENIED_HINT,
    MISSING_HINT,
    OPTION_HINT,
    TLS_HINT,
    UNREACHABLE_HINT,
    Reason,
)

_AUTHORIZATION = "28"
"""Class of SQLSTATEs."""
_DENIED, _NO_DATABASE = "28P01", "3D000"
_ENGLISH = (
    (re.compile(r"authentication failed|no password supplied"), _DENIED),
    (re.compile(r'no pg_hba\.conf entry|role "[^"]*" (does not exist|is not permitted)'), "28000"),
    (re.compile(r'database "[^"]*" does not exist'), _NO_DATABASE),
)
_HINTS = {
    _NO_DATABASE: MISSING_HINT,
    "53300": "the server has no connection left; try again later",
    "57P01": "the server is being stopped; is it up again?",
    "57P02": "the server has crashed; is it up again?",
    "57P03": "the server is starting or stopping; try again soon",
}
_SERVER_SAID = re.compile(r"failed: \w+:  ")
"""libpq puts the severity, in the server's language, and two blanks before what a server said."""
_BEFORE = re.compile(r"connection is bad: (?!connection to server)|for connection option \"")
"""libpq refused an option, and asked no server."""
_TLS = re.compile(r"SSL|TLS|certificate|GSSAPI|private key")
_VALUE = re.compile(r': ".*"$', re.DOTALL)
"""What a server repeats of a value: `invalid input syntax for type integer: "..."`."""
_COPY_PLACE = re.compile(r"COPY [^,:]+, line \d+(, column [^,:]+)?")


def reason(error: Any, *, is_unreachable: bool) -> Reason:
    """See ServerEngine."""
    text = _without_values(error)
    code = getattr(error, "sqlstate", None)
    if code is None and is_unreachable:
        code = _said_while_connecting(error, text)
        if code is None:
            return _unsaid(error, text)
    if code in RETRIED:
        return Reason(
            ConflictError,
            f"another session has locked what is needed: {text}",
            "end its transaction (pg_stat_activity), then try again",
        )
    if code is not None and code.startswith(_AUTHORIZATION):
        return Reason(AuthenticationError, text, DENIED_HINT)
    return Reason(DatabaseError, text, _HINTS.get(code or "", ""))


def _said_while_connecting(error: Any, text: str) -> str | None:
    """The SQLSTATE of what a server said before it let us in; "" if it keeps it to itself, None if
    no server said anything.
    """
    connection: Any = getattr(error, "pgconn", None)
    if getattr(connection, "needs_password", False):
        return _DENIED
    if not _SERVER_SAID.search(str(error)):
        return None
    known = (code for words, code in _ENGLISH if words.search(text))
    return next(known, None) or traced_sqlstate(connection) or ""


def _unsaid(error: Any, text: str) -> Reason:
    """What libpq says by itself: its words are English wherever our wheel brings it."""
    if type(error).__name__ == "ProgrammingError" or _BEFORE.search(str(error)):
        return Reason(UsageError, text, OPTION_HINT)
    if _ENGLISH[0][0].search(text):
        return Reason(AuthenticationError, text, DENIED_HINT)
    hint = TLS_HINT if _TLS.search(text) else UNREACHABLE_HINT
    return Reason(DatabaseError, text, hint)


def _without_values(error: Any) -> str:
    """What the server said, in one line. DETAIL and CONTEXT show values of rows, which may be
    secrets: only the place is kept of them.
    """
    diagnosis: Any = getattr(error, "diag", None)
    said = getattr(diagnosis, "message_primary", None)
    if said is None:
        return " ".join(str(error).split())
    said = _VALUE.sub("", said)
    place = _COPY_PLACE.match(diagnosis.context or "")
    return f"{place[0]}: {said}" if place else said
