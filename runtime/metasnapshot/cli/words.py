"""A command line as it may be recorded: without secrets, whichever option they were typed at."""

from __future__ import annotations

import re
from collections.abc import Sequence

from metasnapshot.cli.settings import setting_of
from metasnapshot.cli.text import shown_text

HIDDEN = "****"
_SECRET = re.compile(
    r"--[\w-]*(?:passw|secret|token|credential|[_-]key)(?![\w-]*-file)", re.IGNORECASE
)


def shown_words(words: Sequence[str]) -> list[str]:
    """The words, each as it may be shown; one that stands behind an option, as that has it."""
    found: list[str] = []
    option = ""
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            found.append(f"{name}={_shown(name, value)}" if equals else word)
            option = "" if equals else word
        else:
            found.append(_shown(option, word))
            option = ""
    return found


def shown_error(text: str, words: Sequence[str]) -> str:
    """The text of an error, in which no word that was typed shows more than it does by itself."""
    for word, shown in zip(words, shown_words(words), strict=True):
        if word != shown:
            text = text.replace(word, shown)
            text = text.replace(word.partition("=")[2] or word, shown.partition("=")[2] or shown)
    return shown_text(text)


def _shown(option: str, value: str) -> str:
    """A value of an option, or a word by itself."""
    from metasnapshot import shown_url  # noqa: PLC0415 - only what is recorded is shown

    if _SECRET.match(option):
        return HIDDEN
    setting = setting_of(option)
    return shown_text(shown_url(value) if setting is None else setting.shown(value))
