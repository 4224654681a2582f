"""URLs as they may be shown: any part that can hold a secret is left out, whatever it is called.

That is user and password, every value behind `?`, `;` or `&`, and what follows `#`. RisingWave's
own forms have @ before the root (`gcs://bucket@root`): that is kept, unless keys stand before it.
"""

from __future__ import annotations

import re

from metasnapshot.store.location import HOSTS, HUMMOCK_PREFIX, SERVICES

HIDDEN = "****"
_URL = re.compile(r"""[A-Za-z][\w+.\-]*(?::[\w+.\-]+)*://[^\s'"<>`]*""")
_BEGINNING = re.compile(r"\s*[A-Za-z][\w+.\-:]*://")
_ORACLE = re.compile(r"""(jdbc:oracle:\w+:)[^\s'"]*@""", re.IGNORECASE)
_AT = re.compile(r"@|%40", re.IGNORECASE)
_DSN = re.compile(r"[;\s]\w+=|^\w+=")
"""A source of data by words: `host=h password=p`, `Server=h;Password=p`."""
_SETTING = re.compile(r"(\w+)=[^;\s]*")
_TAIL = re.compile(r"[?;#&]")
FILES = ("fs", "file", "local")
"""Schemes of plain paths, in which every character is one of a name."""


def shown_url(url: str) -> str:
    """A URL without its secrets; what is no URL stays as it is."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        plain = _ORACLE.sub(rf"\1{HIDDEN}@", url)
        return _SETTING.sub(rf"\1={HIDDEN}", plain) if _DSN.search(plain) else plain
    plain = scheme.removeprefix(HUMMOCK_PREFIX).lower()
    if plain in FILES:
        return url
    service = SERVICES.get(plain, "")
    signs = list(_AT.finditer(rest))
    has_keys = not service or (":" in rest.partition("@")[0] and service not in HOSTS)
    user, place = "", rest
    if signs and has_keys:
        user, place = f"{HIDDEN}@", rest[signs[-1].end() :]
    start = _TAIL.search(place)
    if start is None:
        return f"{scheme}://{user}{place}"
    return f"{scheme}://{user}{place[: start.start()]}{_hidden(place[start.start() :])}"


def shown_value(text: str) -> str:
    """A value, which is a URL from its beginning to its end, spaces included, or a text."""
    return shown_url(text) if _BEGINNING.match(text) else shown_text(text)


def shown_text(text: str) -> str:
    """A text with its URLs as they may be shown."""
    if ":" not in text:
        return text
    return _ORACLE.sub(rf"\1{HIDDEN}@", _URL.sub(lambda found: shown_url(found[0]), text))


def _hidden(tail: str) -> str:
    """Options by name, without values; a fragment without anything."""
    options, mark, _ = tail.partition("#")
    words = re.split(r"([?;&])", options)
    shown = [
        word if word in "?;&" else f"{name}={HIDDEN}" if equals else HIDDEN
        for word in words
        for name, equals, _ in [word.partition("=")]
    ]
    return "".join(shown) + (f"#{HIDDEN}" if mark else "")
