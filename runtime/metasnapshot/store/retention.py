"""Whether a service retains an object, and until when: by the headers of a HEAD, or by the words in
which it refused to delete it.

S3's object lock, Azure's immutability policies and legal holds stand in headers; Google says it in
words alone. Headers come only to a key that may see them (s3:GetObjectRetention).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from metasnapshot.store.codes import Denied, Retained

UNTIL_HEADERS = (
    ("x-amz-object-lock-retain-until-date", "x-amz-object-lock-mode"),
    ("x-oss-object-worm-retain-until-date", "x-oss-object-worm-mode"),
    ("x-obs-object-lock-retain-until-date", "x-obs-object-lock-mode"),
    ("x-ms-immutability-policy-until-date", "x-ms-immutability-policy-mode"),
)
HOLD_HEADERS = {
    "x-amz-object-lock-legal-hold": "on",
    "x-ms-legal-hold": "true",
}
UNSAID = "retained by the service, which does not say until when"
_WORDS = re.compile(
    r"object.?lock|\bretention\b|\bretained\b|\bWORM\b|legal.?hold|\bimmutab|active hold"
    r"|\bobject is locked\b",
    re.IGNORECASE,
)
_POLICY = re.compile(r"not authorized to perform|\barn:", re.IGNORECASE)
"""The words of a policy name resources, whose names may say anything."""
_TIME = re.compile(r"until\s+'?(\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:\s?Z|[+-]\d\d:?\d\d)?)?)")


class Retention(NamedTuple):
    """Why an object stays, in words, and until when ("" where nobody says)."""

    why: str
    until: str = ""


def retention_in_headers(headers: Mapping[str, str]) -> Retention | None:
    """What the headers of an object say; None if nothing keeps it.

    Args:
        headers: names in small letters.
    """
    for name, value in HOLD_HEADERS.items():
        if headers.get(name, "").lower() == value:
            return Retention("it is under a legal hold")
    for name, mode_name in UNTIL_HEADERS:
        if (until := headers.get(name)) and not _is_past(until):
            mode = headers.get(mode_name, "")
            return Retention(f"retained until {until}{f' ({mode})' if mode else ''}", until)
    return None


def _is_past(until: str) -> bool:
    """Whether a time is over; one that nobody can read is not."""
    try:
        time = datetime.fromisoformat(until)
    except ValueError:
        try:
            time = parsedate_to_datetime(until)
        except ValueError:
            return False
    return time.replace(tzinfo=time.tzinfo or UTC) < datetime.now(UTC)


def retention_in_words(words: str) -> Retention | None:
    """What a refusal says; None if it speaks of nothing that keeps an object."""
    if _POLICY.search(words) or not _WORDS.search(words):
        return None
    found = _TIME.search(words)
    return Retention(f"retained until {found[1]}", found[1]) if found else Retention(UNSAID)


def why_it_stays(
    error: Denied | Retained, headers: Mapping[str, str] | None, where: str
) -> Denied | Retained:
    """What a refused delete comes to: the object is retained, or the key may not delete.

    Args:
        error: the refusal.
        headers: those of the object, as far as one may see them; None if there is none.
        where: the object, for messages.
    """
    if headers is None:  # what is not there is refused for another reason than itself
        return error
    found = retention_in_headers(headers) or retention_in_words(error.words)
    if found is None:
        return error
    return Retained(f"{where}: {found.why}", why=found.why, until=found.until)
