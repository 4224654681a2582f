"""Errors of MySQL and MariaDB -> ours, without the values of rows that they repeat. What a server
means is its number, whatever language it speaks.
"""

from __future__ import annotations

import re
import ssl
from typing import Any

from metasnapshot.errors import AuthenticationError, ConflictError, DatabaseError, UsageError
from metasnapshot.metastore.engines.mysql_locks import CONFLICTS, code_of
from metasnapshot.metastore.server import (
    DENIED_HINT,
    MISSING_HINT,
    OPTION_HINT,
    TLS_HINT,
    UNREACHABLE_HINT,
    Reason,
)

_DENIED = (1044, 1045, 1130, 1698, 1820, 1862, 3118, 3955, 4151)
"""No such user, password or right to the database or from this host; expired, locked."""
_HINTS = {
    1040: "the server has no connection left; try again later",
    1049: MISSING_HINT,
    1053: "the server is being stopped; is it up again?",
    1129: "the server has blocked this host: FLUSH HOSTS lets it in again",
    1153: "the server hangs up on rows above its max_allowed_packet",
    1251: "the user's way to authenticate is not one of this driver's",
    2006: "is the server up? it also hangs up on rows above its max_allowed_packet",
    2013: "is the server up? it also hangs up on rows above its max_allowed_packet",
    2026: TLS_HINT,
    2059: "the user's way to authenticate is not one of this driver's",
    3159: f"the server wants TLS: ?ssl-mode=REQUIRED; {TLS_HINT}",
}
_CLIENTS = range(2000, 3000)
"""Numbers of errors that a client finds by itself."""
_VALUE = re.compile(
    r"(?<=entry )'.*'(?= for key)|(?<=value: )'.*'(?= for )|(?<=value )'.*'(?= for )"
    r"|(?<=CONVERT_VALUE: )'.*'|(?<=json text: ).*(?= for column)",
    re.DOTALL | re.IGNORECASE,
)
"""What a server repeats of a value."""


def reason(error: Any, *, is_unreachable: bool) -> Reason:
    """See ServerEngine."""
    text = " ".join(_VALUE.sub("(a value)", str(error)).split())
    code = code_of(error)
    if code in CONFLICTS:
        return Reason(
            ConflictError,
            f"another session has locked what is needed: {text}",
            "end its transaction (SHOW PROCESSLIST), then try again",
        )
    if code in _DENIED:
        return Reason(AuthenticationError, text, DENIED_HINT)
    if isinstance(getattr(error, "original_exception", None), ssl.SSLError):
        return Reason(DatabaseError, text, TLS_HINT)
    is_silent = is_unreachable and (code is None or code in _CLIENTS)
    return Reason(DatabaseError, text, _HINTS.get(code or 0, UNREACHABLE_HINT if is_silent else ""))


def driver_reason(error: Exception) -> Reason:
    """See ServerEngine. PyMySQL encrypts a password by a package that it does not bring along."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, RuntimeError) and "cryptography" in str(error):
        return Reason(
            UsageError,
            "the server takes the password only encrypted (caching_sha2_password, sha256_password)",
            "connect by TLS (?ssl-mode=REQUIRED), or install pymysql[rsa]",
        )
    return Reason(UsageError, text, OPTION_HINT)
