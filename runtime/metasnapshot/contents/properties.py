"""Properties of connectors: which of their values can be shown. The registry names the keys that
are harmless, by connector; a key that it does not name may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from metasnapshot.store.shown_url import shown_value
from metasnapshot_models.connectors import COMMON, CONNECTORS

REDACTED = "(redacted)"
CONNECTOR = "connector"
ANY = frozenset[str]().union(*CONNECTORS.values())
"""Keys of an object that names no connector: those of all."""
HIDDEN = "****"
_SCHEME = re.compile(r"[\w+.-]+://|jdbc:")
_USER = re.compile(r".*@", re.DOTALL)
_PARAMETER = re.compile(r"([?;&#][^=?;&#]*=)[^?;&#]*")


def is_harmless(key: str, connector: str) -> bool:
    """Whether no value of a connector's key can be a secret."""
    name = key.lower()
    return name in COMMON or name in (CONNECTORS.get(connector.lower(), ()) if connector else ANY)


def shown_property(value: str) -> str:
    """The value of a harmless key without what opens something. Drivers take places without a
    scheme too: `user:password@host:1,host:2`, `host?password=x`.
    """
    scheme = _SCHEME.search(value)
    start = scheme.start() if scheme else len(value)
    bare = _PARAMETER.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", value[:start]))
    return bare + shown_value(value[start:])


def redact_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """The same keys; values of those that can be shown."""
    connector = properties.get(CONNECTOR, "")
    return {
        key: shown_property(value) if is_harmless(key, connector) or not value else REDACTED
        for key, value in properties.items()
    }
