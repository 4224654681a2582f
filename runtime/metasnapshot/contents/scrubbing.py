"""Documents without secrets: texts lose what a URL, an option of SQL or a header can hold of them,
values whose key names a secret are left out, and so are, wherever they stand, words that are known
to be secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from metasnapshot.contents.properties import REDACTED
from metasnapshot.contents.secrets import is_secret_name, redact_sql

LENGTH_MIN = 4
"""Shorter words stand in too many others to be looked for."""
_URL = re.compile(r"[A-Za-z][\w+.\-]*://[^\s'\"<>`]+")


class Scrubber:
    """Knows words that must not be shown."""

    def __init__(self, words: Iterable[str]) -> None:
        """Take the words, and the forms that they have in URLs.

        Args:
            words: secrets, each as it is.
        """
        forms = {form for word in words for form in (word, quote(word, safe=""), unquote(word))}
        known = sorted((form for form in forms if len(form) >= LENGTH_MIN), key=len, reverse=True)
        self._words = re.compile("|".join(map(re.escape, known))) if known else None

    def document(self, value: Any, key: str = "") -> Any:
        """A document of JSON without secrets, of the same shape; it stands at the key."""
        if isinstance(value, Mapping):
            pairs = cast("Mapping[Any, Any]", value)
            return {
                self.text(str(name)): self.document(item, str(name)) for name, item in pairs.items()
            }
        if isinstance(value, list | tuple):
            items = cast("list[Any]", value)
            return [self.document(item, key) for item in items]
        if isinstance(value, str):
            return REDACTED if value and is_secret_name(key) else self.text(value)
        return value

    def text(self, text: str) -> str:
        """A text without secrets."""
        known = text if self._words is None else self._words.sub(REDACTED, text)
        return redact_sql(known)


def secrets_in(variables: Mapping[str, str]) -> set[str]:
    """What in variables, or settings by their names, is a secret: values of those whose name says
    so, and passwords and parameters of URLs in any of them.
    """
    found: set[str] = set()
    for name, value in variables.items():
        if is_secret_name(name):
            found.add(value.strip())
        for match in _URL.finditer(value):
            found |= _in_url(match[0])
    return {word for word in found if word}


def _in_url(url: str) -> set[str]:
    """Password and values of parameters of a URL; none of what is no URL after all."""
    try:
        parts = urlsplit(url)
        words = {parts.password or ""}
    except ValueError:
        return set()
    return words | {value for name, value in parse_qsl(parts.query) if is_secret_name(name)}
