"""URLs of meta stores -> which of them mean the same one, however they are spelt. Nothing is asked
of a server, and no driver is loaded: who starts a command for one of forty clusters waits for this.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote

from metasnapshot.metastore.kinds import SQLITE, kind_of

_URL = re.compile(
    r"(?P<scheme>[^:]+)://(?:(?P<user>[^:/@?]*)(?::[^@]*)?@)?(?P<hosts>[^/?]*)"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
"""As SQLAlchemy takes them apart; there may be several hosts, with commas between."""
_HERE = ("", "localhost", "127.0.0.1", "::1")
"""Names of this machine."""
_OTHERS = {
    **dict.fromkeys(("hostaddr", "unixsocket", "socket"), "host"),
    **dict.fromkeys(("db", "dbname"), "database"),
    "username": "user",
}
"""Options that say what may stand before `?` too."""
Identity = tuple[str, ...]


def find_same_meta_store(urls: Iterable[str]) -> tuple[int, int] | None:
    """The places in the sequence of two URLs that mean one meta store; None if there are none. User
    and password do not make another one of it.
    """
    seen: dict[Identity, int] = {}
    for number, url in enumerate(urls):
        for identity in _identities(url):
            first = seen.setdefault(identity, number)
            if first != number:
                return first, number
    return None


def _identities(url: str) -> list[Identity]:
    """What a URL names: a file, or a database of a server, which several hosts may be."""
    found = _URL.fullmatch(url)
    if found is None:
        return [(url,)]
    known = kind_of(url)
    kind, port_there = found["scheme"].lower(), ""
    if known is not None:
        kind, port_there = known.name, str(known.port or "")
    if known is SQLITE:
        path = found["database"] or ""
        return [] if path in ("", ":memory:") else [(kind, os.path.realpath(path))]
    said = {_plain(name): value for name, value in parse_qsl(found["query"] or "")}
    said = {_OTHERS.get(name, name): value for name, value in said.items()}
    database = said.get("database") or unquote(found["database"] or "").strip("/")
    database = database or said.get("user") or found["user"] or ""
    hosts = (said.get("host") or found["hosts"]).split(",")
    ports = (said.get("port") or "").split(",")
    places = [_host_and_port(host) for host in hosts]
    ports = ports if len(ports) == len(places) else ports * len(places)
    return [
        (kind, host, port or said_port or port_there, database)
        for (host, port), said_port in zip(places, ports, strict=False)
    ]


def _host_and_port(text: str) -> tuple[str, str]:
    """An address of IPv6 stands in brackets where a port may follow."""
    host = unquote(text).lower()
    match = re.fullmatch(r"\[(.*)\](?::(.*))?|([^:]*)(?::([^:]*))?", host)
    name, port = (host, "") if match is None else (match[1] or match[3], match[2] or match[4])
    name = (name or "").removesuffix(".")
    return ("localhost" if name in _HERE else name), (port or "").lstrip("0")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
