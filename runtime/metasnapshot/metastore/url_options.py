"""Options of a database URL, as RisingWave's driver (sqlx), libpq, MySQL's and PyMySQL's write them
-> what our drivers take.

An option of TLS or identity is translated, whatever its spelling, or refused: one that is dropped
would make a connection in clear text, or to somebody else. A file of authorities alone asks for
verification. What only tunes sqlx is passed over with a warning. No other option is known.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from metasnapshot.errors import DatabaseError, UsageError

logger = logging.getLogger(__name__)
MODES = {
    "disable": ("disable", "disabled", "false", "0", "off"),
    "allow": ("allow",),
    "prefer": ("prefer", "preferred"),
    "require": ("require", "required", "true", "1", "on"),
    "verify-ca": ("verify-ca",),
    "verify-full": ("verify-full", "verify-identity"),
}
"""libpq's words for how sure a connection must be, with those of the others."""
_MODE_OF = {word: mode for mode, words in MODES.items() for word in words}
SWITCHES = {
    "ssl": ("disable", "require"),
    "usessl": ("disable", "require"),
    "requiressl": ("prefer", "require"),
    "ssldisabled": ("prefer", "disable"),
    "sslverifycert": ("prefer", "verify-ca"),
    "verifyservercertificate": ("prefer", "verify-ca"),
    "sslverifyservercert": ("prefer", "verify-full"),
    "sslverifyidentity": ("prefer", "verify-full"),
    "sslcheckhostname": ("prefer", "verify-full"),
}
"""Options that are on or off, and the mode that either comes to."""
FILES = {
    "sslca": "ca",
    "sslrootcert": "ca",
    "sslcert": "cert",
    "sslkey": "key",
    "sslpassword": "password",
    "sslkeypassword": "password",
}
TUNING = frozenset(
    {
        *("statementcachecapacity", "charset", "collation", "timezone", "extrafloatdigits"),
        "clientencoding",
    }
)
"""Of sqlx, or of text that we set ourselves; nothing is less safe or other without them."""
MYSQL_OTHERS = {
    "socket": "unix_socket",
    "unixsocket": "unix_socket",
    "user": "user",
    "username": "user",
    "password": "password",
    "passwd": "password",
    "host": "host",
    "port": "port",
    "database": "database",
    "db": "database",
    "readtimeout": "read_timeout",
    "writetimeout": "write_timeout",
    "connecttimeout": "connect_timeout",
}
TIME_MAX_S = 31_536_000
PORTS = range(1, 65536)
_NUMBERS = {
    "port": PORTS,
    **dict.fromkeys(("read_timeout", "write_timeout"), range(1, TIME_MAX_S + 1)),
    "connect_timeout": range(1, TIME_MAX_S + 1),
    "keepalives": range(2),
    **dict.fromkeys(
        ("keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
        range(TIME_MAX_S + 1),
    ),
}
"""Options of any driver that are numbers, and those that they can be."""
_STRENGTH = tuple(MODES)
Query = Mapping[str, str | Sequence[str]]


def postgres_options(query: Query, keywords: Sequence[str]) -> dict[str, str]:
    """The options of a URL as libpq's.

    Args:
        query: as the URL has them.
        keywords: what this libpq knows.

    Raises:
        UsageError: an option that is neither libpq's nor another driver's, or a value that it
            cannot have.
    """
    tls = _Tls()
    found: dict[str, str] = {}
    for name, value in _single(query):
        if tls.take(name, value) or _is_tuning(name):
            continue
        if name.startswith("options[") and name.endswith("]"):  # sqlx: a setting of the session
            setting = name.removeprefix("options[").removesuffix("]")
            found["options"] = f"{found.get('options', '')} -c {setting}={value}".strip()
        elif name in keywords:
            found[name] = str(_number(name, name, value)) if name in _NUMBERS else value
        else:
            raise _unknown(name)
    names = {"ca": "sslrootcert", "cert": "sslcert", "key": "sslkey", "password": "sslpassword"}
    files = {names[kind]: value for kind, value in tls.files.items()}
    mode = tls.mode()
    return found | files | ({"sslmode": mode} if mode else {})


def mysql_options(query: Query) -> dict[str, Any]:
    """The options of a URL as arguments of PyMySQL's.

    Raises:
        UsageError: an option that no driver has, or a value that it cannot have.
        DatabaseError: a file of TLS cannot be read.
    """
    tls = _Tls()
    found: dict[str, Any] = {}
    for name, value in _single(query):
        if tls.take(name, value) or _is_tuning(name):
            continue
        known = MYSQL_OTHERS.get(_plain(name))
        if known is None:
            raise _unknown(name)
        found[known] = _number(name, known, value) if known in _NUMBERS else value
    mode = tls.mode()
    if mode == "disable":
        return {**found, "ssl_disabled": True}
    if mode in ("allow", "prefer") or not mode:
        return found  # it takes TLS where the server has it, and verifies nothing
    return {**found, "ssl": _context(mode, tls.files)}


def require_sqlite_options(query: Query) -> None:
    """Look at the options of a SQLite file. How it is opened is decided here, by what is done.

    Raises:
        UsageError: an option that asks for something else.
    """
    for name, value in _single(query):
        if name == "cache" and value in ("shared", "private"):
            _pass_over(name)
        elif name != "mode" or value not in ("ro", "rw", "rwc"):
            raise _unknown(name)


class _Tls:
    """What the options of TLS come to."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._modes: dict[str, str] = {}

    def take(self, name: str, value: str) -> bool:
        """Whether an option is one of TLS that is known.

        Raises:
            UsageError: it is one that is not, or has a value that it cannot have.
        """
        plain = _plain(name)
        if plain in FILES:
            kind = FILES[plain]
            if self.files.setdefault(kind, value) != value:
                raise UsageError(f"the database URL has two values of {name}")
        elif plain in SWITCHES or plain == "sslmode":
            self._modes[name] = self._mode(name, plain, value)
        else:
            return False
        return True

    def mode(self) -> str:
        """The strictest of what is asked for; "" if nothing is.

        Raises:
            UsageError: one option asks for TLS, and another for none.
        """
        modes = sorted(self._modes.values(), key=_STRENGTH.index)
        strictest = modes[-1] if modes else ""
        wants = bool(self.files) or strictest not in ("", "disable", "prefer", "allow")
        if "disable" in modes and wants:
            raise UsageError(
                "the database URL both asks for TLS and forbids it",
                hint=f"leave {', '.join(self._modes)}, or the files",
            )
        if "disable" in modes:
            return "disable"
        if "ca" in self.files:  # a file of authorities that verified nothing would be none
            return max(strictest or "verify-ca", "verify-ca", key=_STRENGTH.index)
        if self.files:
            return max(strictest or "require", "require", key=_STRENGTH.index)
        return strictest

    def _mode(self, name: str, plain: str, value: str) -> str:
        word = value.lower().replace("_", "-")
        if plain in SWITCHES:
            mode = _MODE_OF.get(word)
            if mode in ("disable", "require"):
                return SWITCHES[plain][mode == "require"]
            raise UsageError(f"option {name} of the database URL is neither true nor false")
        if word not in _MODE_OF:
            raise UsageError(
                f"unknown value of {name}",
                hint="disable, prefer, require, verify-ca or verify-full; MySQL's words too",
            )
        return _MODE_OF[word]


def _context(mode: str, files: Mapping[str, str]) -> ssl.SSLContext:
    """TLS of a mode, with the system's authorities where no file is given."""
    try:
        context = ssl.create_default_context(cafile=files.get("ca"))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # servers make certificates of their own
        context.check_hostname = mode == "verify-full"
        context.verify_mode = ssl.CERT_NONE if mode == "require" else ssl.CERT_REQUIRED
        if "cert" in files:
            context.load_cert_chain(files["cert"], files.get("key"), files.get("password", ""))
    except (OSError, ValueError) as error:  # the paths are the user's own
        named = ", ".join(files[kind] for kind in ("ca", "cert", "key") if kind in files)
        raise DatabaseError(
            f"the files of TLS cannot be used ({named}): {error}",
            hint="check ssl-ca, ssl-cert and ssl-key",
        ) from error
    return context


def _single(query: Query) -> list[tuple[str, str]]:
    """Each option with its one value."""
    found: list[tuple[str, str]] = []
    for name, value in query.items():
        values = [value] if isinstance(value, str) else list(value)
        if len(set(values)) > 1:
            raise UsageError(f"the database URL has two values of {name}")
        found.append((name, values[0]))
    return found


def _number(name: str, known: str, value: str) -> int:
    """The value of an option that is a number."""
    allowed = _NUMBERS[known]
    if not (value.isascii() and value.isdigit()):
        raise UsageError(f"option {name} of the database URL is not a number")
    if len(value) > len(str(allowed[-1])) or int(value) not in allowed:
        raise UsageError(
            f"option {name} of the database URL is not from {allowed[0]} to {allowed[-1]}"
        )
    return int(value)


def _is_tuning(name: str) -> bool:
    if _plain(name) not in TUNING:
        return False
    _pass_over(name)
    return True


def _pass_over(name: str) -> None:
    logger.warning("option %s of the database URL only tunes RisingWave's driver: not used", name)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _unknown(name: str) -> UsageError:
    return UsageError(
        f"unknown option {name!r:.60} in the database URL",
        hint="options of TLS: sslmode, ssl-ca, ssl-cert, ssl-key (docs/meta-stores.md)",
    )
