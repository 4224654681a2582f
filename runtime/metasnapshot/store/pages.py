"""Pages of a list as the service writes them, for those that the library refuses to read: it
refuses a whole page for one key that no path means, and anybody can make such a key.

How the service is asked is said in questions; here is what is asked, and what the answer means.
S3's second version of lists is Google's too; Azure has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import quote, unquote, unquote_plus, urlencode
from xml.etree import ElementTree as ET

from metasnapshot.errors import StorageError
from metasnapshot.store.port import ObjectHead

Ask = Callable[[str], bytes]
"""The answer of a bucket to a query."""
ENCODED = "true"
UNREADABLE = ("invalid list response", "invalid XML")
"""What the library says of a page that has a character which XML has not."""


class Page(NamedTuple):
    """Keys, and what they begin with up to the delimiter, as the service has them."""

    objects: list[ObjectHead]
    prefixes: list[str]
    token: str


def read_pages(ask: Ask, prefix: str, delimiter: str = "") -> Iterator[Page]:
    """All pages of a list of S3's second version.

    Raises:
        StorageError: an answer is not one to such a request.
    """
    fixed = {"list-type": "2", "encoding-type": "url"}
    return _pages(ask, fixed, "continuation-token", parse_page, prefix, delimiter)


def read_blob_pages(ask: Ask, prefix: str, delimiter: str = "") -> Iterator[Page]:
    """All pages of a list of Azure's.

    Raises:
        StorageError: an answer is not one to such a request.
    """
    fixed = {"restype": "container", "comp": "list"}
    return _pages(ask, fixed, "marker", parse_blob_page, prefix, delimiter)


def _pages(
    ask: Ask,
    fixed: Mapping[str, str],
    continued: str,
    parse: Callable[[bytes], Page],
    prefix: str,
    delimiter: str,
) -> Iterator[Page]:
    """Page after page, each asked for with the token of the one before it."""
    token = ""
    while True:
        query = {**fixed, "prefix": prefix}
        query |= {"delimiter": delimiter} if delimiter else {}
        query |= {continued: token} if token else {}
        page = parse(ask(urlencode(query, quote_via=quote, safe="")))
        yield page
        if not (token := page.token):
            return


class Dialect(NamedTuple):
    """How lists are asked for and read."""

    read: Callable[[Ask, str, str], Iterator[Page]]


def parse_blob_page(data: bytes) -> Page:
    """A page of a list of Azure's.

    Raises:
        StorageError: it is not such an answer.
    """
    try:
        root = ET.fromstring(data)  # noqa: S314 - expat bounds what entities may make
        objects = [
            ObjectHead(
                _blob_name(item),
                int(item.findtext("Properties/Content-Length") or ""),
                parsedate_to_datetime(item.findtext("Properties/Last-Modified") or ""),
            )
            for item in root.findall("Blobs/Blob")
        ]
        prefixes = [_blob_name(item) for item in root.findall("Blobs/BlobPrefix")]
    except (ET.ParseError, ValueError) as error:
        raise StorageError(f"the answer to a request for a list is no list: {error}") from error
    if root.tag != "EnumerationResults":
        raise StorageError(f"the answer to a request for a list is no list: {root.tag}")
    return Page(objects, prefixes, root.findtext("NextMarker") or "")


def _blob_name(item: ET.Element) -> str:
    """A name; one with characters that XML has not says that it is encoded."""
    found = item.find("Name")
    if found is None:
        raise ValueError("an object without a name")
    text = found.text or ""
    return unquote(text) if found.get("Encoded") == ENCODED else text


S3_PAGES, BLOB_PAGES = Dialect(read_pages), Dialect(read_blob_pages)


def parse_page(data: bytes) -> Page:
    """A page of a list of S3's second version.

    Raises:
        StorageError: it is not such an answer.
    """
    try:
        root = ET.fromstring(data)  # noqa: S314 - expat bounds what entities may make
        is_encoded = root.findtext("{*}EncodingType") == "url"
        objects = [_head(item, is_encoded=is_encoded) for item in root.findall("{*}Contents")]
        prefixes = [
            _text(item, "Prefix", is_encoded=is_encoded)
            for item in root.findall("{*}CommonPrefixes")
        ]
    except (ET.ParseError, ValueError) as error:
        raise StorageError(f"the answer to a request for a list is no list: {error}") from error
    is_cut = root.findtext("{*}IsTruncated") == "true"
    token = root.findtext("{*}NextContinuationToken") or ""
    if is_cut and not token:
        raise StorageError("a page of a list does not say where the next one is")
    return Page(objects, prefixes, token if is_cut else "")


def _head(item: ET.Element, *, is_encoded: bool) -> ObjectHead:
    written = _text(item, "LastModified")
    modified = datetime.fromisoformat(written) if written else None
    return ObjectHead(_text(item, "Key", is_encoded=is_encoded), int(_text(item, "Size")), modified)


def _text(item: ET.Element, name: str, *, is_encoded: bool = False) -> str:
    text = item.findtext(f"{{*}}{name}") or ""
    return unquote_plus(text) if is_encoded else text
