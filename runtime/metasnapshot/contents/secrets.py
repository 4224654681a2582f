"""What must not be shown unless it is asked for by name: credentials in rows of metadata.

RisingWave keeps them in clear text in connector properties, in the SQL that made an object, in
system parameters, and inside protobuf blobs. A blob that can hold any is not shown at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeGuard

from metasnapshot.contents.properties import REDACTED, redact_properties
from metasnapshot.contents.sql_secrets import redact_statement
from metasnapshot.format.scalars import Blob
from metasnapshot.store.shown_url import shown_value

SECRET_BLOBS = frozenset(
    {
        "AuthInfo",
        "ConnectionParams",
        "PrivateLinkService",
        "SinkFormatDesc",
        "StreamNode",
        "StreamSourceInfo",
        "Vec<u8>",
        "WebhookSourceInfo",
    }
)
"""Column types whose bytes can hold credentials, whole or in part."""
_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|credential|(access|api|account|ssl|client)[._-]?key|license|jaas"
    r"|private|\bjwt|\bnkey|authorization|passphrase|pwd|service_account|user\.info"
    r"|\bsig(nature)?$",
    re.IGNORECASE,
)
_TEXT = r"""[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|(?P<tag>\$\w*\$).*?(?P=tag)"""
"""A text of SQL: with escapes, plain, or between dollars."""
_OPTION = re.compile(
    rf"""(?P<name>[\w.\-]+|"[^"]+")(?P<equals>(?:\s|/\*.*?\*/)*=\s*)(?:{_TEXT}|[\w.+\-]+)""",
    re.DOTALL,
)
_BEARER = re.compile(r"(authorization\s*[=:]|bearer\s)[^'\",]+", re.IGNORECASE)


def redact_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row as column: value, without its secrets."""
    shown = {name: redact(name, value) for name, value in row.items()}
    if "name" in row and "value" in row:  # system and session parameters, secrets
        shown["value"] = redact(str(row["name"]), shown["value"])
    return shown


def redact_message(fields: dict[str, Any], message: Any) -> dict[str, Any]:
    """The fields of a V1 message without its secrets; one that can hold any, however deep, is not
    shown at all.
    """
    kinds = {field.name: field.message_type for field in message.DESCRIPTOR.fields}
    return {
        name: REDACTED if value and _can_hold_secrets(kinds[name]) else redact(name, value)
        for name, value in fields.items()
    }


@cache
def _can_hold_secrets(kind: Any) -> bool:
    """Whether a kind of message, or one that it can hold, is one of those above."""
    reached, pending = set[str](), [kind] if kind else []
    while pending:
        found: Any = pending.pop()
        if found.name in SECRET_BLOBS:
            return True
        if found.full_name not in reached:
            reached.add(found.full_name)
            pending += [field.message_type for field in found.fields if field.message_type]
    return False


def redact(name: str, value: Any) -> Any:
    """A value without its secrets; name is that of its column, property or parameter."""
    if isinstance(value, Blob):
        secret = value.type is None or value.type.name in SECRET_BLOBS
        return f"{REDACTED} {len(value.bytes)} bytes" if secret else value
    if isinstance(value, dict):
        pairs: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return _redact_map(pairs)
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return [redact(name, item) for item in items]
    if not isinstance(value, str):
        return value
    return REDACTED if is_secret_name(name) and value else redact_sql(value)


def redact_sql(text: str) -> str:
    """A text without the values of options that can hold a secret, and without secrets in URLs."""

    def option(match: re.Match[str]) -> str:
        if not is_secret_name(match["name"]):
            return match[0]
        return f"{match['name']}{match['equals']}'{REDACTED}'"

    if "(" in text:
        text = redact_statement(text)
    return _BEARER.sub(rf"\1{REDACTED}", shown_value(_OPTION.sub(option, text)))


def _redact_map(pairs: dict[Any, Any]) -> dict[Any, Any]:
    if _are_properties(pairs):
        return redact_properties(pairs)
    return {key: redact(str(key), item) for key, item in pairs.items()}


def _are_properties(pairs: Mapping[Any, Any]) -> TypeGuard[Mapping[str, str]]:
    """Whether a map is one of texts by texts: whatever its column is called, it is free to hold
    what a connector asks for.
    """
    return all(isinstance(text, str) for pair in pairs.items() for text in pair)


def is_secret_name(name: str) -> bool:
    """Whether a property or parameter of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None
