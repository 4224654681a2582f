"""PostgreSQL's errors -> ours, without the values of rows that it repeats."""

from __future__ import annotations

import re
from typing import Any

from metasnapshot.errors import AuthenticationError, ConflictError, DatabaseError
from metasnapshot.metastore.engines.postgres_locks import RETRIED
from metasnapshot.metastore.server import DENIED_HINT, UNREACHABLE_HINT, Reason

_DENIED = re.compile(
    r"password authentication failed|no password supplied|no pg_hba.conf entry|authentication "
    r"failed|role .* does not exist",
    re.IGNORECASE,
)
_VALUE = re.compile(r': ".*"$', re.DOTALL)
"""What a server repeats of a value: `invalid input syntax for type integer: "..."`."""
_COPY_PLACE = re.compile(r"COPY [^,:]+, line \d+(, column [^,:]+)?")


def reason(error: Any, *, is_unreachable: bool) -> Reason:
    """See ServerEngine."""
    text = _without_values(error)
    if getattr(error, "sqlstate", None) in RETRIED:
        return Reason(
            ConflictError,
            f"another session has locked what is needed: {text}",
            "end its transaction (pg_stat_activity), then try again",
        )
    if _DENIED.search(text):
        return Reason(AuthenticationError, text, DENIED_HINT)
    return Reason(DatabaseError, text, UNREACHABLE_HINT if is_unreachable else "")


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
