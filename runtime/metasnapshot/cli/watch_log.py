"""How `watch` tells what it does: lines with times, as text or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from metasnapshot import shown_text
from metasnapshot.cli.text import Document, error_document, flush, remark, say, say_json
from metasnapshot.errors import MetasnapshotError

Form = Literal["text", "json"]


class WatchLog:
    """What happens in the rounds, a line each: text on stdout and stderr, with times, or JSON on
    stdout. A warning is said once, however many rounds give it.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._warned: set[str] = set()

    def success(self, number: int, size: int, expired: Sequence[int]) -> None:
        """A round that ended well."""
        ids = f", expired {', '.join(map(str, expired))}" if expired else ""
        text = f"backup {number}: {size} bytes, verified{ids}"
        if self._form == "json":
            self._line("info", text, {"backup": number, "bytes": size, "expired": list(expired)})
        else:
            say(f"{_now()} {text}")
            flush()  # a journal at the end of a pipe hears of it now

    def warning(self, text: str) -> None:
        """Something to know."""
        if text in self._warned:
            return
        self._warned.add(text)
        if self._form == "json":
            self._line("warning", text, {})
        else:
            remark(f"{_now()} warning: {shown_text(text)}")

    def failure(self, error: MetasnapshotError) -> None:
        """A round that did not."""
        if self._form == "json":
            self._line("error", str(error), error_document(error))
            return
        remark(f"{_now()} error: {shown_text(str(error))}")
        if error.hint:
            remark(f"{_now()} hint: {shown_text(error.hint)}")

    def _line(self, level: str, text: str, facts: Document) -> None:
        say_json({"at": _now(), "level": level, "message": shown_text(text), **facts})
        flush()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
