"""What a bucket of S3's protocol says of itself: whether it keeps versions, and whether it locks
what is written. The library has no words for these questions, so they are put to the bucket as they
stand; a key that may not ask, or a service that does not know them, leaves the answer open.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from xml.etree import ElementTree as ET

from obstore.exceptions import BaseError

from metasnapshot.errors import MetasnapshotError

VERSIONING, LOCK = "versioning=", "object-lock="
PERMISSIONS = {VERSIONING: "s3:GetBucketVersioning", LOCK: "s3:GetBucketObjectLockConfiguration"}
DAYS_OF_YEAR = 365
Answer = Callable[[str], bytes]
"""The answer of a bucket to a query."""


class BucketFacts(NamedTuple):
    """What a bucket says; None where it does not say it.

    Attributes:
        versioned: whether what is deleted or replaced stays as an old version.
        lock_mode: of the default retention, "" if there is none.
        locked_until: until when what is written now is locked (UTC, ISO 8601), "" if it is not.
        unknown: which questions have no answer, and why.
    """

    versioned: bool | None = None
    lock_mode: str | None = None
    locked_until: str | None = None
    unknown: tuple[str, ...] = ()


def ask_bucket(answer: Answer, now: datetime | None = None) -> BucketFacts:
    """Ask a bucket.

    Args:
        answer: puts a query to it.
        now: by default the clock's.
    """
    unknown = list[str]()
    versioning = _asked(answer, VERSIONING, unknown)
    lock = _asked(answer, LOCK, unknown)
    versioned = None if versioning is None else versioning.get("Status") == "Enabled"
    if lock is None:
        return BucketFacts(versioned, unknown=tuple(unknown))
    days = _number(lock.get("Days")) + DAYS_OF_YEAR * _number(lock.get("Years"))
    if not days:
        return BucketFacts(versioned, "", "", tuple(unknown))
    try:
        until = (now or datetime.now(UTC)) + timedelta(days=days)
    except OverflowError:
        until = datetime.max.replace(tzinfo=UTC)
    told = until.isoformat(timespec="seconds")
    return BucketFacts(versioned, lock.get("Mode", ""), told, tuple(unknown))


def _asked(answer: Answer, query: str, unknown: list[str]) -> dict[str, str] | None:
    """The fields of an answer, whatever holds them; none where nothing is configured, None where
    nobody says.
    """
    try:
        found = ET.fromstring(answer(query))  # noqa: S314 - a service's answer
    except FileNotFoundError:  # ObjectLockConfigurationNotFoundError
        return {}
    except (BaseError, MetasnapshotError, ET.ParseError) as error:
        why = f"{PERMISSIONS[query]} is needed, or the service does not know it"
        unknown.append(f"{query.removesuffix('=')}: {type(error).__name__} ({why})")
        return None
    return {item.tag.rpartition("}")[2]: (item.text or "").strip() for item in found.iter()}


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() else 0
