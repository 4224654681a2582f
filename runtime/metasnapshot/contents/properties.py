"""Properties of connectors: which of their values can be shown. The registry names the keys that
are harmless, by connector; a key that it does not name may hold anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from metasnapshot.store.shown_url import shown_value
from metasnapshot_models.connectors import COMMON, CONNECTORS

REDACTED = "(redacted)"
CONNECTOR = "connector"
ANY = frozenset[str]().union(*CONNECTORS.values())
"""Keys of an object that names no connector: those of all."""


def is_harmless(key: str, connector: str) -> bool:
    """Whether no value of a connector's key can be a secret."""
    name = key.lower()
    return name in COMMON or name in (CONNECTORS.get(connector.lower(), ()) if connector else ANY)


def redact_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """The same keys; values of those that can be shown."""
    connector = properties.get(CONNECTOR, "")
    return {
        key: shown_value(value) if is_harmless(key, connector) or not value else REDACTED
        for key, value in properties.items()
    }
