"""What a bucket says of itself, by answers of services as they stand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from metasnapshot.store.bucket_facts import LOCK, VERSIONING, BucketFacts, ask_bucket

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
S3 = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
NO_VERSIONS = f"<VersioningConfiguration {S3}/>"
VERSIONS = f"<VersioningConfiguration {S3}><Status>Enabled</Status></VersioningConfiguration>"
SUSPENDED = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"
UNLOCKED = FileNotFoundError("ObjectLockConfigurationNotFoundError")


def lock(rule: str) -> str:
    return (
        f"<ObjectLockConfiguration {S3}><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}"
        "</ObjectLockConfiguration>"
    )


def default(mode: str, time: str) -> str:
    inner = f"<Mode>{mode}</Mode>{time}"
    return lock(f"<Rule><DefaultRetention>{inner}</DefaultRetention></Rule>")


def answering(versioning: str | Exception, locking: str | Exception) -> Callable[[str], bytes]:
    def answer(query: str) -> bytes:
        found = {VERSIONING: versioning, LOCK: locking}[query]
        if isinstance(found, Exception):
            raise found
        return found.encode()

    return answer


@pytest.mark.parametrize(
    ("versioning", "locking", "expected"),
    [
        (NO_VERSIONS, UNLOCKED, (False, "", "")),
        (VERSIONS, UNLOCKED, (True, "", "")),
        (SUSPENDED, UNLOCKED, (False, "", "")),
        (VERSIONS, lock(""), (True, "", "")),
        (
            VERSIONS,
            default("COMPLIANCE", "<Days>30</Days>"),
            (True, "COMPLIANCE", "2026-12-30T12:00:00+00:00"),
        ),
        (
            VERSIONS,
            default("GOVERNANCE", "<Years>1</Years>"),
            (True, "GOVERNANCE", "2027-11-30T12:00:00+00:00"),
        ),
        (
            VERSIONS,
            default("COMPLIANCE", "<Years>9999999</Years>"),
            (True, "COMPLIANCE", "9999-12-31T23:59:59+00:00"),
        ),
        (VERSIONS, default("COMPLIANCE", "<Days>-3</Days>"), (True, "", "")),
        (VERSIONS, default("COMPLIANCE", "<Days>soon</Days>"), (True, "", "")),
    ],
)
def test_what_it_says(
    versioning: str, locking: str | Exception, expected: tuple[bool, str, str]
) -> None:
    """Versions, mode and time; no lock where nothing is configured."""
    found = ask_bucket(answering(versioning, locking), NOW)
    assert (found.versioned, found.lock_mode, found.locked_until) == expected
    assert found.unknown == ()


@pytest.mark.parametrize("error", [PermissionDeniedError("no"), GenericError("501")])
def test_what_it_does_not_say(error: Exception) -> None:
    """Nothing is taken for a no; the right that is needed is named. One answer does not hang on the
    other, and what is no XML is no answer.
    """
    found = ask_bucket(answering(error, error), NOW)
    assert found[:3] == BucketFacts()[:3]
    assert "s3:GetBucketVersioning" in found.unknown[0]
    assert "s3:GetBucketObjectLockConfiguration" in found.unknown[1]
    assert ask_bucket(answering(VERSIONS, error), NOW).versioned is True
    assert ask_bucket(answering("<html>", UNLOCKED), NOW)[:3] == (None, "", "")
