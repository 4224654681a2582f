"""What a service refused, and why, out of the library's error: sorted by the service's own code,
and where no answer came by what happened to the connection.

The library sorts by status alone: 403 is a wrong key, 409 an object that exists, the rest its XML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from obstore.exceptions import AlreadyExistsError, PreconditionError

from metasnapshot.errors import (
    AuthenticationError,
    ConflictError,
    MetasnapshotError,
    ObjectMissing,
    StorageError,
)
from metasnapshot.store.codes import (
    BUSY,
    BY_CODE,
    BY_STATUS,
    CLOCK,
    DENIED,
    EXISTS,
    EXPIRED,
    KEYS_HINT,
    NO_BUCKET,
    PERMISSIONS,
    REGION,
    WRONG,
    Act,
    ChecksumWanted,
    Contended,
    Denied,
    Passing,
    Retained,
    Sort,
)
from metasnapshot.store.port import normalise

MESSAGE_MAX = 200
TRUST_HINT = "--storage-ca-file FILE (or AWS_CA_BUNDLE) trusts the authority that signed it"


_CODE = re.compile(r'<Code>\s*([^<\s]+)\s*</Code>|"status":\s*"([A-Z_]+)"|"error":\s*"(\w+)"')
_MESSAGE = re.compile(
    r"<Message>(.*?)</Message>|\"(?:error_description|message)\":\s*\"((?:[^\"\\]|\\.)*)\"",
    re.DOTALL,
)
_ASKED = re.compile(r"Error performing (\w+) (\S+) in ")
_STATUS = re.compile(r"status code: (\d{3})[^:]*:?(.*)", re.DOTALL)
_REGION_NAME = re.compile(
    r"<Region>([\w-]+)</Region>|expecting '([\w-]+)'|s3[.-]([a-z]+-[\w-]+-\d)\."
)
_TIME = re.compile(r"<(RequestTime|ServerTime)>([^<]*)</")
_CHECKSUM = re.compile(r"checksum|content-md5", re.IGNORECASE)
_SIGNED_TIME = re.compile(
    r"signature (?:expired|not yet current)|date header too old|\bclock\b|system time",
    re.IGNORECASE,
)
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(\w+)")
_METADATA = re.compile(r"169\.254\.\d+\.\d+|fd00:ec2::|metadata\.google|/latest/api/token")


@dataclass(frozen=True)
class Refusal:
    """What an error of the library says.

    Attributes:
        status: of the answer; 0 if none came.
        code: the service's, "" if it gave none.
        message: the service's words.
        body: the answer.
        address: what was asked.
        inner: the library's inner view, which has the connection's fate.
    """

    status: int
    code: str
    message: str
    body: str
    address: str
    inner: str

    @property
    def words(self) -> str:
        """Code and message, on one line and short."""
        text = " ".join(f"{self.code}: {self.message}".strip(": ").split())
        if not text:
            text = " ".join(re.sub(r"<[^>]*>", " ", self.body).split()) or f"HTTP {self.status}"
        return text if len(text) <= MESSAGE_MAX else f"{text[:MESSAGE_MAX]}…"


def parse_refusal(error: Exception) -> Refusal:
    """What an error of the library says."""
    text, _, inner = str(error).partition("\n\nDebug source:")
    asked, found = _ASKED.search(text), _STATUS.search(text)
    body = found[2].strip() if found else ""
    code = next((word for match in _CODE.finditer(body) for word in match.groups() if word), "")
    message = _MESSAGE.search(body)
    words = next((word for word in message.groups() if word), "") if message else ""
    address = asked[2] if asked else ""
    if not code and "redirect without LOCATION" in text:
        code = "Redirect"
    return Refusal(int(found[1]) if found else 0, code, words, body, address, inner or text)


def translate(
    error: Exception, act: Act, path: str, *, url: str, endpoint: str = ""
) -> MetasnapshotError:
    """The error of ours that stands for one of the library's.

    Args:
        error: the library's.
        act: what was asked for.
        path: of the object, or what a list begins with.
        url: of the store, for messages.
        endpoint: where it is; what came from elsewhere is about credentials.
    """
    found = parse_refusal(error)
    where = f"{url}, {path}" if path else url
    if _is_elsewhere(found.address, endpoint):
        return _no_credentials(found, url)
    is_answer = isinstance(error, FileNotFoundError)  # one of a batch has no status of its own
    if found.status == 0 and found.code == "" and not is_answer:
        return _unconnected(error, found, where)
    if found.status == HTTPStatus.BAD_REQUEST and _CHECKSUM.search(found.message):
        return ChecksumWanted(f"{where}: {found.words}", hint="the bucket locks its objects")
    sort = BY_CODE.get(found.code)
    if _SIGNED_TIME.search(found.body) and sort in (WRONG, DENIED, EXPIRED):
        sort = CLOCK
    if isinstance(error, FileNotFoundError) and "bucket does not exist" in found.body:
        sort = NO_BUCKET
    if sort is None and (plain := _plain(error, found, path, url)):
        return plain
    sort = sort or BY_STATUS.get(found.status)
    return (
        StorageError(f"{where}: {found.words}")
        if sort is None
        else _sorted(sort, found, act, where)
    )


def _plain(error: Exception, found: Refusal, path: str, url: str) -> MetasnapshotError | None:
    """What the library is right about: there is such an object, or there is none."""
    if isinstance(error, FileNotFoundError):
        return ObjectMissing(normalise(path), where=url)
    is_there = isinstance(error, AlreadyExistsError) and found.code in EXISTS
    if is_there or isinstance(error, PreconditionError):
        return ConflictError(f"{path} exists already, or changed", hint="try again")
    return None


def _sorted(sort: Sort, found: Refusal, act: Act, where: str) -> MetasnapshotError:
    if sort is DENIED:
        hint = f"its key needs {PERMISSIONS[act]}, or what the service calls that"
        return _with_words(Denied(f"{where}: may not {act}: {found.words}", hint=hint), found)
    hint = sort.hint
    if sort is REGION and (names := _REGION_NAME.search(found.body)):
        hint = f"set AWS_REGION={next(name for name in names.groups() if name)}"
    kind = Contended if sort is BUSY and found.status == HTTPStatus.CONFLICT else sort.error
    times = dict(_TIME.findall(found.body)) if sort is CLOCK else {}
    said = ", ".join(f"{name} {time}" for name, time in sorted(times.items()))
    error = kind(f"{where}: {sort.what}: {said or found.words}", hint=hint)
    return _with_words(error, found) if isinstance(error, Retained) else error


def _with_words(error: Denied | Retained, found: Refusal) -> Denied | Retained:
    """With what the service says, which tells whether it retains an object."""
    error.words = f"{found.code}: {found.message}"
    return error


def _is_elsewhere(address: str, endpoint: str) -> bool:
    """Whether an address is none of the store's: then it is where credentials come from."""
    if _METADATA.search(address):
        return True
    return bool(endpoint and address) and _host(address) != _host(endpoint)


def _host(address: str) -> tuple[str | None, int | None]:
    parts = urlsplit(address)
    return parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def says_nothing(error: Exception) -> bool:
    """Whether a service refused without a word, as it answers every HEAD; it was not busy."""
    found = parse_refusal(error)
    is_refusal = HTTPStatus.MULTIPLE_CHOICES <= found.status < HTTPStatus.INTERNAL_SERVER_ERROR
    known = found.status in (HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS)
    return is_refusal and not known and not found.code and not found.message


def _no_credentials(found: Refusal, url: str) -> AuthenticationError:
    host = urlsplit(found.address).netloc or "the service that gives them"
    if _METADATA.search(found.address):
        what = f"nothing gives credentials, and this machine has no role ({host} was asked)"
    else:
        said = f"answered {found.words}" if found.status else f"is silent: {_fate(found.inner)}"
        what = f"no credentials: {host} {said}"
    return AuthenticationError(f"{url}: {what}", hint=KEYS_HINT)


def _unconnected(error: Exception, found: Refusal, where: str) -> StorageError:
    """No answer came."""
    place = urlsplit(found.address).netloc
    if certificate := _CERTIFICATE.search(found.inner):
        return StorageError(
            f"{where}: the certificate of {place} is not trusted: {certificate[1]}", hint=TRUST_HINT
        )
    if not place:
        return Passing(f"{where}: {first_line(error)}")
    return Passing(
        f"{where}: {_fate(found.inner)} ({place})", hint="check the address, and the network"
    )


_FATES = (
    ("ConnectionRefused", "nothing listens there (connection refused)"),
    ("dns error", "no such host"),
    ("TimedOut", "no answer in time"),
    ("kind: Timeout", "no answer in time"),
    ("NetworkUnreachable", "the network is unreachable"),
    ("HostUnreachable", "the host is unreachable"),
    ("InvalidContentType", "it does not speak TLS: http:// instead of https://"),
    ("invalid HTTP version", "it does not speak HTTP: https:// instead of http://"),
    ("ConnectionReset", "the connection was cut"),
    ("IncompleteMessage", "the connection was cut"),
    ("kind: Interrupted", "the connection was cut"),
    ("UnexpectedEof", "the connection was cut"),
)
"""What the library's inner view says, and what it means."""


def _fate(inner: str) -> str:
    return next((meaning for word, meaning in _FATES if word in inner), "the connection failed")


def first_line(error: Exception) -> str:
    """What went wrong, without the library's inner view of it."""
    text = " ".join(str(error).partition("\n\n")[0].split())
    return text if len(text) <= MESSAGE_MAX else f"{text[:MESSAGE_MAX]}…"
