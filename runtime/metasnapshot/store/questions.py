"""Questions that are put to a bucket where the library cannot read the answer: a list with a key in
it that no path means. How a bucket is asked is the service's own: S3 and its kin by the library,
whose client signs; Google by a URL that the library signs; Azure by a request signed here, as its
documentation of shared keys says, or by a shared access signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import ssl
from collections.abc import Mapping
from datetime import timedelta
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, quote, urlsplit
from urllib.request import Request, urlopen
from xml.etree import ElementTree as ET

import obstore
from obstore.exceptions import BaseError

from metasnapshot.errors import AuthenticationError, StorageError
from metasnapshot.store.codes import KEYS_HINT, Passing
from metasnapshot.store.services import Location

logger = logging.getLogger(__name__)
GOOGLE = "https://storage.googleapis.com"
PAGE_MAX = 64 << 20
"""Bytes of a page of a list: a thousand keys with all that is said of each."""
REFUSAL_MAX = 64 << 10
SIGNED_FOR = timedelta(minutes=15)
AZURE_VERSION = "2021-12-02"
SERVER_ERROR, TOO_MANY = 500, 429
DENIED = (401, 403)
_EMPTY_HEADERS = [""] * 11
"""The headers that Azure signs in this order, none of which a list has."""


class Question(NamedTuple):
    """A GET that is allowed to be asked as it stands."""

    url: str
    headers: Mapping[str, str]


def s3_options(place: Location, options: dict[str, Any], query: str) -> dict[str, Any]:
    """Options of a client whose every GET puts a query to the bucket: it stands in the endpoint,
    and the name of what is asked for is a parameter that services leave alone.
    """
    endpoint = str(options.get("endpoint") or f"https://s3.{options['region']}.amazonaws.com")
    if str(options.get("virtual_hosted_style_request", False)).lower() != "true":
        endpoint = f"{endpoint.rstrip('/')}/{place.bucket}"
    return {
        **options,
        "endpoint": f"{endpoint}?{query}&x-id=",
        "virtual_hosted_style_request": True,
    }


def google_question(place: Location, make: Any, options: dict[str, Any], query: str) -> Question:
    """A list of Google's, signed in its URL; an emulator wants no signature.

    Raises:
        StorageError: the machine's identity may not sign.
    """
    base = str(options.get("base_url") or GOOGLE).rstrip("/")
    if options.get("skip_signature"):
        return Question(f"{base}/{quote(place.bucket)}?{query}", {})
    asked = {**options, "base_url": f"{base}/{quote(place.bucket)}?{query}&x-id="}
    once = {"max_retries": 1, "retry_timeout": timedelta(seconds=10)}
    try:
        signer = make(place.bucket, config=asked, retry_config=once)
        return Question(obstore.sign(signer, "GET", "", expires_in=SIGNED_FOR), {})
    except BaseError as error:
        raise _unaskable(place, "a service account's key, which signs") from error


def azure_question(place: Location, options: dict[str, Any], query: str) -> Question:
    """A list of Azure's, signed by the account's key or by a shared access signature.

    Raises:
        StorageError: there is neither.
    """
    account = str(options.get("account_name") or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", ""))
    endpoint = str(
        options.get("endpoint")
        or os.environ.get("AZURE_STORAGE_ENDPOINT")
        or f"https://{account}.blob.core.windows.net"
    )
    url = f"{endpoint.rstrip('/')}/{quote(place.bucket)}?{query}"
    if key := options.get("account_key") or _variable(
        "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY"
    ):
        return Question(url, _shared_key(url, account, str(key)))
    if token := _variable("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"):
        return Question(f"{url}&{token.removeprefix('?')}", {"x-ms-version": AZURE_VERSION})
    raise _unaskable(place, "the account's key or a shared access signature")


def _shared_key(url: str, account: str, key: str) -> dict[str, str]:
    """Headers of a GET without a body."""
    parts = urlsplit(url)
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": AZURE_VERSION}
    asked = sorted(parse_qsl(parts.query, keep_blank_values=True))
    lines = ["GET", *_EMPTY_HEADERS, *(f"{name}:{text}" for name, text in headers.items())]
    lines += [f"/{account}{parts.path}", *(f"{name}:{text}" for name, text in asked)]
    signature = hmac.digest(base64.b64decode(key), "\n".join(lines).encode(), hashlib.sha256)
    signed = base64.b64encode(signature).decode()
    return {**headers, "Authorization": f"SharedKey {account}:{signed}"}


def fetch(question: Question, url: str, timeout_s: float, authorities: bytes | None) -> bytes:
    """The answer.

    Args:
        question: what is asked.
        url: of the store, for messages; that of the question may open doors.
        timeout_s: what it may take.
        authorities: certificates in PEM that are trusted besides the system's.

    Raises:
        AuthenticationError: it is refused.
        Passing: nobody answered, or the service was busy.
        StorageError: the answer is another.
    """
    request = Request(question.url, headers=dict(question.headers))  # noqa: S310 - http or https
    try:
        with _opened(request, timeout_s, authorities) as answer:
            data = bytes(answer.read(PAGE_MAX + 1))
            require_page(url, len(data))
            return data
    except HTTPError as error:
        with error:
            raise _refused(error.code, error.read(REFUSAL_MAX), url) from error
    except (URLError, OSError) as error:
        raise Passing(f"{url}: a list was not answered: {error}") from error


def listed(client: Any, url: str) -> bytes:
    """What a client of s3_options answers.

    Raises:
        StorageError: it is more than a page.
    """
    found = obstore.get(client, "ListObjectsV2")
    require_page(url, found.meta["size"])
    return bytes(found.bytes())


def require_page(url: str, size: int) -> None:
    """Refuse a page of a list that is larger than one may be.

    Raises:
        StorageError: it is.
    """
    if size > PAGE_MAX:
        raise StorageError(f"{url}: a page of a list has {size} bytes, {PAGE_MAX} at most are due")


def _opened(request: Request, timeout_s: float, authorities: bytes | None) -> Any:
    context = ssl.create_default_context()
    if authorities:
        context.load_verify_locations(cadata=authorities.decode())
    return urlopen(request, timeout=timeout_s, context=context)  # noqa: S310 - http or https


def signed_headers(
    client: Any, key: str, timeout_s: float, authorities: bytes | None
) -> dict[str, str] | None:
    """What a HEAD of an object says, by names in small letters: nothing where the credentials do
    not do for asking, None if there is no such object.

    Args:
        client: of the bucket, which signs.
        key: of the object.
        timeout_s: what it may take.
        authorities: certificates in PEM that are trusted besides the system's.
    """
    try:
        url = obstore.sign(client, "HEAD", key, expires_in=SIGNED_FOR)
        with _opened(Request(url, method="HEAD"), timeout_s, authorities) as answer:  # noqa: S310
            return {name.lower(): value for name, value in answer.headers.items()}
    except HTTPError as error:
        error.close()
        return None if error.code == HTTPStatus.NOT_FOUND else {}
    except (BaseError, URLError, OSError) as error:
        logger.info("a HEAD of %s had no answer: %s", key, type(error).__name__)
        return {}


def _refused(status: int, body: bytes, url: str) -> StorageError | AuthenticationError:
    code = f"status {status}"
    try:
        code = ET.fromstring(body).findtext("Code") or code  # noqa: S314 - a service's answer
    except ET.ParseError:
        code = f"status {status}"
    text = f"{url}: a list was refused: {code}"
    if status in DENIED:
        return AuthenticationError(text, hint=KEYS_HINT)
    return Passing(text) if status >= SERVER_ERROR or status == TOO_MANY else StorageError(text)


def _variable(*names: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _unaskable(place: Location, wanted: str) -> StorageError:
    return StorageError(
        f"{place.url} has a key that is no path (an empty part, . or ..): its library lists "
        f"nothing then, and asking without it takes {wanted}",
        hint="move or delete the objects of such keys, or give such a key (docs/object-stores.md)",
    )
