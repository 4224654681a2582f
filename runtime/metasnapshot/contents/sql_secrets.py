"""The SQL that made an object, without its secrets.

Options (`WITH (...)`, `ENCODE ... (...)`) show the values of keys that the registry knows as
harmless for their connector. So do no arguments of functions that log in somewhere, no comments,
and no text by which a webhook is told from a forgery. Elsewhere a text is a text of a query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from metasnapshot.contents.properties import REDACTED, is_harmless, shown_property
from metasnapshot.store.shown_url import shown_text

_QUOTED = re.compile(r"([eE]?'|\$\w*\$)(.*?)('|\$\w*\$|)", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<text>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z)
        |(?P<tag>\$\w*\$).*?(?:(?P=tag)|\Z))
    |(?P<quoted>"(?:[^"]|"")*(?:"|\Z))
    |(?P<word>[\w$]+(?:[.\-]\w+)*)
    |(?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
_LOGS_IN = re.compile(r"\w+_query|read_\w+|secure_compare|hmac", re.IGNORECASE)
"""Functions whose arguments can be keys and passwords."""
OPTIONS, LOGIN, SCAN, PLAIN = "options", "login", "scan", "plain"
_SCAN_KEYS = (3, 4)
"""Arguments of file_scan, counted from 0, that are keys of the object store."""


class _Token(NamedTuple):
    kind: str
    text: str
    group: str
    """Of the parentheses that it stands in."""


def redact_statement(text: str) -> str:
    """A statement without its secrets."""
    tokens = list(_tokens(text))
    connector = _connector(tokens)
    shown: list[str] = []
    at = 0
    is_webhook, argument = False, 0
    while at < len(tokens):
        token = tokens[at]
        is_webhook |= token.text.upper() == "VALIDATE"
        if token.group == OPTIONS and token.text == "=":
            key = _key(tokens, at)
            end = _value_end(tokens, at + 1)
            shown += [token.text, *_value(key, connector, tokens[at + 1 : end])]
            at = end
            continue
        is_key = token.group == SCAN and argument in _SCAN_KEYS
        shown.append(_alone(token, hidden=is_webhook or token.group == LOGIN or is_key))
        argument = argument + (token.text == ",") if token.group == SCAN else 0
        at += 1
    return "".join(shown)


def _tokens(text: str) -> Iterator[_Token]:
    """The tokens, each with the group that it stands in; a parenthesis stands outside its own."""
    groups = [PLAIN]
    last = ["", ""]
    for match in _TOKEN.finditer(text):
        kind, word = str(match.lastgroup), match[0]
        kind = "text" if kind == "tag" else kind
        if word == ")" and len(groups) > 1:
            groups.pop()
        yield _Token(kind, word, groups[-1])
        if word == "(":
            groups.append(_group(groups[-1], *last))
        if kind not in ("space", "comment"):
            last = [last[1], word]


def _group(outer: str, before: str, word: str) -> str:
    if outer != PLAIN:
        return outer
    if word.upper() in ("WITH", "OPTIONS") or before.upper() in ("ENCODE", "FORMAT"):
        return OPTIONS
    if word.lower() == "file_scan":
        return SCAN
    return LOGIN if _LOGS_IN.fullmatch(word) else PLAIN


def _connector(tokens: list[_Token]) -> str:
    for at, token in enumerate(tokens):
        if token.group == OPTIONS and token.text == "=" and _key(tokens, at) == "connector":
            words = tokens[at + 1 : _value_end(tokens, at + 1)]
            return "".join(word.text for word in words).strip().strip("'")
    return ""


def _key(tokens: list[_Token], equals: int) -> str:
    """The key before an equals sign, however it is quoted."""
    parts: list[str] = []
    for token in reversed(tokens[:equals]):
        if token.text in ("(", ","):
            break
        if token.kind not in ("space", "comment"):
            parts.append(token.text.strip("\"'"))
    return "".join(reversed(parts))


def _value_end(tokens: list[_Token], at: int) -> int:
    """Where the value that begins there ends: at the next comma, or at the end of its group."""
    depth = 0
    while at < len(tokens):
        text = tokens[at].text
        if tokens[at].kind == "sign":
            if not depth and text in (",", ")"):
                return at
            depth += (text == "(") - (text == ")")
        at += 1
    return at


def _value(key: str, connector: str, tokens: list[_Token]) -> Iterator[str]:
    """A value as it is shown; the name of a secret is none."""
    words = [token for token in tokens if token.kind not in ("space", "comment")]
    if words and words[0].text.upper() == "SECRET":
        yield from (_alone(token, hidden=token.kind == "text") for token in tokens)
    elif is_harmless(key, connector):
        yield from (_alone(token, hidden=False) for token in tokens)
    else:
        before = "".join(token.text for token in tokens[:1] if token.kind == "space")
        yield f"{before}'{REDACTED}'"


def _alone(token: _Token, *, hidden: bool) -> str:
    if token.kind == "comment":
        return f"/* {REDACTED} */"
    if token.kind == "text":
        return f"'{REDACTED}'" if hidden else _shown(token.text)
    return token.text


def _shown(text: str) -> str:
    """A text of a harmless option, between the quotes that it has."""
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        return shown_text(text)
    before, value, after = quoted.groups()
    return shown_text(f"{before}{shown_property(value)}{after}")
