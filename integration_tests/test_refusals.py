"""What services refuse, by status, code and words as they send them, and what is said of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from bucket_suite import SECRET, open_bucket
from certificates import write_server
from habits import (
    EVER,
    HabitServer,
    Refused,
    any_request,
    conditional,
    habits,
    method,
    secure_habits,
)
from servers import free_port

from metasnapshot.cli.app import main
from metasnapshot.errors import (
    AuthenticationError,
    ConflictError,
    MetasnapshotError,
    StorageError,
)
from metasnapshot.store.codes import SORTS
from metasnapshot.store.remote import RemoteStore
from metasnapshot.store.retry import RetryPolicy

HASTE = RetryPolicy(retries=2, backoff_s=0.01, backoff_max_s=0.01, timeout_s=1)
SAID_MAX = 450
NOT_FOUND = 404
WORDS = "The words of the service."
REGION = "<Region>eu-west-3</Region>"
SKEWED = "<RequestTime>20261130T010000Z</RequestTime><ServerTime>2026-11-30T02:00:00Z</ServerTime>"
TABLE: list[tuple[Refused, type[MetasnapshotError], int, str]] = [
    (Refused(400, "ExpiredToken"), AuthenticationError, 15, "credentials ran out"),
    (Refused(400, "InvalidToken"), AuthenticationError, 15, "not valid"),
    (Refused(403, "ExpiredTokenException"), AuthenticationError, 15, "aws sso login"),
    (Refused(400, "TokenRefreshRequired"), AuthenticationError, 15, "credentials ran out"),
    (Refused(403, "InvalidAccessKeyId"), AuthenticationError, 15, "not accepted"),
    (Refused(403, "SignatureDoesNotMatch"), AuthenticationError, 15, "not accepted"),
    (Refused(403, "AuthenticationFailed"), AuthenticationError, 15, "not accepted"),
    (Refused(401, "Unauthorized"), AuthenticationError, 15, "not accepted"),
    (Refused(403, "RequestTimeTooSkewed", "x", SKEWED), AuthenticationError, 15, "clock"),
    (Refused(403, "RequestTimeTooSkewed", "x", SKEWED), AuthenticationError, 15, "ServerTime 2026"),
    (
        Refused(403, "SignatureDoesNotMatch", "Signature not yet current"),
        AuthenticationError,
        15,
        "clock",
    ),
    (Refused(400, "AuthorizationHeaderMalformed", "x", REGION), StorageError, 17, "eu-west-3"),
    (Refused(400, "AuthorizationHeaderMalformed"), StorageError, 17, "AWS_REGION"),
    (Refused(301, "PermanentRedirect"), StorageError, 17, "AWS_REGION"),
    (Refused(400, "IllegalLocationConstraintException"), StorageError, 17, "AWS_REGION"),
    (Refused(403, "AccessDenied"), AuthenticationError, 15, "may not {act}"),
    (Refused(403, "AuthorizationPermissionMismatch"), AuthenticationError, 15, "may not {act}"),
    (Refused(403, "SomethingNew"), AuthenticationError, 15, "may not {act}"),
    (Refused(404, "NoSuchBucket"), StorageError, 17, "no such bucket"),
    (Refused(400, "InvalidBucketName"), StorageError, 17, "no such bucket"),
    (Refused(403, "AllAccessDisabled"), StorageError, 17, "console"),
    (Refused(402, "PaymentRequired"), StorageError, 17, "console"),
    (Refused(403, "InvalidObjectState"), StorageError, 17, "archived"),
    (Refused(400, "KMS.DisabledException"), StorageError, 17, "encryption key"),
    (Refused(507, "XMinioStorageFull"), StorageError, 17, "no room"),
    (Refused(409, "BlobImmutableDueToPolicy"), StorageError, 17, "locked"),
    (Refused(409, "SomethingNew"), StorageError, 17, WORDS),
    (Refused(409, "OperationAborted"), StorageError, 17, "busy"),
    (Refused(503, "SlowDown"), StorageError, 17, "busy"),
    (Refused(429, "SomethingNew"), StorageError, 17, "busy"),
    (Refused(500, "InternalError"), StorageError, 17, "busy"),
    (Refused(405, "MethodNotAllowed"), StorageError, 17, "does not offer"),
    (Refused(400, "SomethingNew"), StorageError, 17, WORDS),
    (Refused(400, "SomethingNew", "x" * 5000), StorageError, 17, "SomethingNew: xxx"),
]
ACTS: dict[str, Callable[[RemoteStore], object]] = {
    "read": lambda store: store.read("d/x"),
    "list": lambda store: store.names("d"),
    "write": lambda store: store.put("d/x", b"1"),
    "delete": lambda store: store.delete("d/x"),
}


@pytest.fixture(scope="module")
def running() -> Generator[HabitServer]:
    with habits() as found:
        yield found


@pytest.fixture
def server(running: HabitServer) -> HabitServer:
    running.buckets.rules.clear()
    running.buckets.asked.clear()
    running.buckets.objects["bucket"].clear()
    return running


def said_by(store: RemoteStore, act: str) -> MetasnapshotError:
    with pytest.raises(MetasnapshotError) as caught:
        ACTS[act](store)
    return caught.value


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0].status} {row[0].code} {row[3]}")
def test_a_refusal_is_sorted_by_its_code(
    row: tuple[Refused, type[MetasnapshotError], int, str], server: HabitServer
) -> None:
    """Whatever is asked: its error, exit code and words; the store's URL is named, no key is, and
    it is short."""
    refused, error, code, words = row
    if refused.message == "no":
        refused = refused._replace(message=WORDS)
    server.buckets.refuse(any_request, refused)
    store = open_bucket(server.url, HASTE)
    for act in ACTS:
        found = said_by(store, act)
        said = f"{found} {found.hint}"
        assert (found.exit_code, isinstance(found, error)) == (code, True)
        assert words.format(act=act) in said
        assert store.url in said
        assert "<" not in said
        assert SECRET not in said
        assert len(said) < SAID_MAX


@pytest.mark.parametrize(
    "row",
    [row for row in TABLE if row[0].status != NOT_FOUND],
    ids=lambda row: f"{row[0].status} {row[0].code} {row[3]}",
)
def test_a_head_is_refused_in_words(
    row: tuple[Refused, type[MetasnapshotError], int, str], server: HabitServer
) -> None:
    """Its answer has no body, so that a GET is asked for the reason."""
    refused, error, code, words = row
    if refused.message == "no":
        refused = refused._replace(message=WORDS)
    server.buckets.refuse(any_request, refused)
    with pytest.raises(error) as caught:
        open_bucket(server.url, HASTE).head("d/x")
    assert caught.value.exit_code == code
    assert words.format(act="read") in f"{caught.value} {caught.value.hint}"


def test_every_code_has_one_meaning() -> None:
    """No code stands in two rows of the table."""
    codes = [code for codes in SORTS.values() for code in codes]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_request_that_met_another_is_repeated(server: HabitServer, code: str, times: int) -> None:
    """Create, swap, overwrite and delete: 409 is no object that exists."""
    store = open_bucket(server.url, HASTE)

    def contended() -> None:
        server.buckets.rules.clear()
        server.buckets.refuse(method("PUT", "DELETE"), Refused(409, code), times)

    contended()
    etag = store.put_if_absent("x", b"1")
    contended()
    store.put_if_match("x", b"2", etag)
    contended()
    store.put("x", b"3")
    assert store.read("x").data == b"3"
    contended()
    store.delete("x")
    assert store.head("x") is None


def test_a_request_that_meets_others_for_ever_is_no_conflict(server: HabitServer) -> None:
    """After the tries of the policy it is the store's error; nobody is told that it exists."""
    refused = Refused(409, "ConditionalRequestConflict", WORDS)
    rule = server.buckets.refuse(conditional, refused)
    with pytest.raises(StorageError, match="busy") as caught:
        open_bucket(server.url, HASTE).put_if_absent("x", b"1")
    assert not isinstance(caught.value, ConflictError)
    assert "exists" not in str(caught.value)
    assert len(rule.asked) == HASTE.retries + 1


def test_what_a_contended_write_meets_is_not_taken_for_its_own(server: HabitServer) -> None:
    """The first try did nothing, so that equal bytes there are another's."""
    store = open_bucket(server.url, HASTE)
    store.put_if_absent("x", b"same")
    server.buckets.refuse(conditional, Refused(409, "ConditionalRequestConflict"), times=1)
    with pytest.raises(ConflictError, match="x exists already"):
        store.put_if_absent("x", b"same")


def test_no_retry_of_what_will_be_the_same(server: HabitServer) -> None:
    """A key, a region, a bucket that is wrong is wrong after a pause."""
    for refused in (Refused(400, "ExpiredToken"), Refused(404, "NoSuchBucket")):
        server.buckets.rules.clear()
        rule = server.buckets.refuse(conditional, refused, EVER)
        with pytest.raises((AuthenticationError, StorageError)):
            open_bucket(server.url, HASTE).put_if_absent("x", b"1")
        assert len(rule.asked) == 1


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    write_server(tmp_path, "localhost", "127.0.0.1")
    return tmp_path


def test_connections_that_fail_are_told_apart(certificates: Path) -> None:
    """A refused port, no such host, silence, TLS where there is none, none where there is, and a
    certificate that nobody vouches for or that is another's."""

    def said(url: str) -> str:
        found = said_by(open_bucket(url, HASTE), "read")
        assert found.exit_code == 17
        text = f"{found} {found.hint}"
        assert len(text) < SAID_MAX
        assert SECRET not in text
        return text

    nobody = free_port()
    assert f"connection refused) (127.0.0.1:{nobody})" in said(
        f"minio://k:s3cret@127.0.0.1:{nobody}/bucket"
    )
    assert "no such host (nowhere.invalid:9000)" in said(
        "minio://k:s3cret@nowhere.invalid:9000/bucket"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert "no answer in time" in said(f"minio://k:s3cret@127.0.0.1:{port}/bucket")
    with habits() as plain:
        assert "does not speak TLS" in said(plain.url.replace("http://", "https://"))
    with secure_habits(certificates / "server.pem", certificates / "server.key") as secure:
        text = said(secure.url)
        assert "certificate of 127.0.0.1" in text
        assert "UnknownIssuer" in text
        assert "--storage-ca-file" in text
        assert "cut" in said(secure.url.replace("https://", "http://"))


def test_a_refusal_ends_a_verb_by_its_code(
    server: HabitServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line: exit code, one line, a hint."""
    server.buckets.refuse(any_request, Refused(400, "ExpiredToken", "The token has expired."))
    assert main(["list", "--backup-storage-url", server.url]) == 15
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said] == ["error", "hint"]
    assert "ExpiredToken: The token has expired." in said[0]
