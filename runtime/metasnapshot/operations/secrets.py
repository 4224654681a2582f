"""What must not be shown unless it is asked for by name: credentials in rows of metadata.

RisingWave keeps them in clear text in connector properties, in the SQL that made an object, in
system parameters, and inside protobuf blobs. A blob that can hold any is not shown at all.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from metasnapshot.format.scalars import Blob

REDACTED = "(redacted)"
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
_FILE_SCAN = re.compile(
    r"""(file_scan\s*\((?:\s*'(?:[^']|'')*'\s*,){3})\s*'(?:[^']|'')*'\s*,\s*'(?:[^']|'')*'""",
    re.IGNORECASE,
)
"""Its fourth and fifth arguments are keys of the object store."""
_URL_USERINFO = re.compile(r"(\w+://)[^\s'\"]*@")
_URL_OPTION = re.compile(r"([?&;]([\w.\-]+)=)[^&;\s'\"]+")
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
        return {key: redact(str(key), item) for key, item in pairs.items()}
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return [redact(name, item) for item in items]
    if not isinstance(value, str):
        return value
    if is_secret_name(name) and value:
        return REDACTED
    return redact_sql(value)


def redact_sql(text: str) -> str:
    """A text without the values of options that name a secret, and without credentials in URLs."""

    def option(match: re.Match[str]) -> str:
        if not is_secret_name(match["name"]):
            return match[0]
        return f"{match['name']}{match['equals']}'{REDACTED}'"

    def url_option(match: re.Match[str]) -> str:
        return f"{match[1]}{REDACTED}" if is_secret_name(match[2]) else match[0]

    text = _FILE_SCAN.sub(rf"\1 '{REDACTED}', '{REDACTED}'", _OPTION.sub(option, text))
    text = _URL_USERINFO.sub(r"\1****@", text)
    return _BEARER.sub(rf"\1{REDACTED}", _URL_OPTION.sub(url_option, text))


def is_secret_name(name: str) -> bool:
    """Whether a property or parameter of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None
