"""URLs as they may be shown: any part that can hold a secret is left out, whatever it is called.

That is user and password, every value behind `?`, `;` or `&`, and what follows `#`. RisingWave's
own forms have @ before the root (`gcs://bucket@root`): that is kept, unless keys stand before it.
"""

from __future__ import annotations

import re

from metasnapshot.store.location import HUMMOCK_PREFIX
from metasnapshot.store.services import find_service

HIDDEN = "****"
# re keeps what it has compiled: a command that shows no URL compiles none of these
_URL = r"""[A-Za-z][\w+.\-]*(?::[\w+.\-]+)*://[^\s'"<>`]*"""
_BEGINNING = r"\s*[A-Za-z][\w+.\-:]*://"
_ORACLE = r"""(?i)(jdbc:oracle:\w+:)[^\s'"]*@"""
_AT = r"(?i)@|%40"
_DSN = r"[;\s]\w+=|^\w+="
"""A source of data by words: `host=h password=p`, `Server=h;Password=p`."""
_SETTING = r"(\w+)=[^;\s]*"
_TAIL = r"[?;#&]"


def shown_url(url: str) -> str:
    """A URL without its secrets; what is no URL stays as it is."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        plain = re.sub(_ORACLE, rf"\1{HIDDEN}@", url)
        return re.sub(_SETTING, rf"\1={HIDDEN}", plain) if re.search(_DSN, plain) else plain
    plain = scheme.removeprefix(HUMMOCK_PREFIX).lower()
    row = find_service(plain)
    if row is not None and row.is_path:  # every character of a path is one of a name
        return url
    signs = list(re.finditer(_AT, rest))
    has_colon = ":" in rest.partition("@")[0]
    has_keys = row is None or row.has_keys or (has_colon and not row.is_host)
    user, place = "", rest
    if signs and has_keys:
        user, place = f"{HIDDEN}@", rest[signs[-1].end() :]
    start = re.search(_TAIL, place)
    if start is None:
        return f"{scheme}://{user}{place}"
    return f"{scheme}://{user}{place[: start.start()]}{_hidden(place[start.start() :])}"


def shown_value(text: str) -> str:
    """A value, which is a URL from its beginning to its end, spaces included, or a text."""
    return shown_url(text) if re.match(_BEGINNING, text) else shown_text(text)


def shown_text(text: str) -> str:
    """A text with its URLs as they may be shown."""
    if ":" not in text:
        return text
    plain = re.sub(_URL, lambda found: shown_url(found[0]), text)
    return re.sub(_ORACLE, rf"\1{HIDDEN}@", plain)


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
