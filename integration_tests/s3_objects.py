"""What an S3 server does: objects in memory, and an answer to each request.

It knows what obstore and rclone ask for: PUT, ranged GET, HEAD and DELETE of objects, lists,
deletes of many, uploads in parts. Preconditions are decided and acted upon in one step, with the
answers that AWS documents: 412 if the object exists or has another etag, 404 if there is nothing to
match, 409 if it changed while the body came in.
"""

from __future__ import annotations

import hashlib
import re
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http import HTTPStatus
from itertools import count
from typing import NamedTuple
from urllib.parse import quote_plus, unquote
from xml.sax.saxutils import escape, unescape

import xxhash

PAGE_MAX = 1000
_numbers = count()
Parts = tuple[bytes, ...]


class Object(NamedTuple):
    """An object's bytes, as they came in, its etag, and when it was written."""

    parts: Parts
    size: int
    etag: str
    written: float

    def range(self, start: int, end: int) -> Iterator[memoryview]:
        """Its bytes from one offset to another."""
        for part in self.parts:
            if start < len(part) and end > 0:
                yield memoryview(part)[max(0, start) : end]
            start, end = start - len(part), end - len(part)


class Asked(NamedTuple):
    """A request, and what its object was when its head came in."""

    method: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    before: Object | None


class Answer(NamedTuple):
    """A status, a body of a size (which HEAD leaves out), and headers."""

    status: HTTPStatus
    body: tuple[bytes | memoryview, ...] = ()
    size: int = 0
    headers: str = ""


class Refusal(Exception):
    """A request that is answered by an error."""

    def __init__(self, status: HTTPStatus, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class Buckets:
    """All objects, and the uploads that have not ended: answers one request at a time."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Object]] = {}
        self._uploads: dict[str, tuple[str, dict[int, bytes]]] = {}

    def answer(self, asked: Asked) -> Answer:
        """Do what a request asks for."""
        try:
            if not asked.key:
                return self._bucket(asked)
            if "uploads" in asked.query or "uploadId" in asked.query:
                return self._upload(asked)
            return _METHODS[asked.method](self, asked)
        except Refusal as refusal:
            body = f"<Error><Code>{refusal.code}</Code></Error>"
            return _xml(body, refusal.status)

    def find(self, bucket: str, key: str) -> Object | None:
        """An object, or None."""
        return self.objects.get(bucket, {}).get(key)

    def get(self, asked: Asked) -> Answer:
        found = self._there(asked)
        start, end, status, extra = 0, found.size, HTTPStatus.OK, ""
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("range", "")):
            start, end = int(match[1]), min(int(match[2] or found.size - 1) + 1, found.size)
            if start >= found.size:
                raise Refusal(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange")
            status = HTTPStatus.PARTIAL_CONTENT
            extra = f"Content-Range: bytes {start}-{end - 1}/{found.size}\r\n"
        body = () if asked.method == "HEAD" else tuple(found.range(start, end))
        headers = (
            f"{extra}ETag: {found.etag}\r\nLast-Modified: {formatdate(found.written, usegmt=True)}"
            "\r\nContent-Type: binary/octet-stream\r\nAccept-Ranges: bytes\r\n"
        )
        return Answer(status, body, end - start, headers)

    def put(self, asked: Asked) -> Answer:
        if "x-amz-copy-source" in asked.headers:
            return self._copy(asked)
        return self._keep(asked, (asked.body,), _etag(asked.body))

    def delete(self, asked: Asked) -> Answer:
        self._in(asked).pop(asked.key, None)
        return Answer(HTTPStatus.NO_CONTENT)

    def _copy(self, asked: Asked) -> Answer:
        bucket, _, key = (
            unquote(asked.headers["x-amz-copy-source"]).removeprefix("/").partition("/")
        )
        found = self._there(asked._replace(bucket=bucket, key=key))
        self._keep(asked, found.parts, found.etag)
        return _xml(f"<CopyObjectResult><ETag>{escape(found.etag)}</ETag></CopyObjectResult>")

    def _in(self, asked: Asked) -> dict[str, Object]:
        if asked.bucket not in self.objects:
            raise Refusal(HTTPStatus.NOT_FOUND, "NoSuchBucket")
        return self.objects[asked.bucket]

    def _there(self, asked: Asked) -> Object:
        found = self._in(asked).get(asked.key)
        if found is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "NoSuchKey")
        return found

    def _keep(self, asked: Asked, parts: Parts, etag: str) -> Answer:
        """Write an object if its preconditions hold now, and held when the request began."""
        there = self._in(asked).get(asked.key)
        if refusal := _unmet(asked.headers, there):
            if _unmet(asked.headers, asked.before) is None:
                raise Refusal(HTTPStatus.CONFLICT, "ConditionalRequestConflict")
            raise refusal
        size = sum(map(len, parts))
        self._in(asked)[asked.key] = Object(parts, size, etag, time.time())
        return Answer(HTTPStatus.OK, headers=f"ETag: {etag}\r\n")

    def _bucket(self, asked: Asked) -> Answer:
        if asked.method == "PUT":
            self.objects.setdefault(asked.bucket, {})
            return Answer(HTTPStatus.OK)
        objects = self._in(asked)
        if asked.method == "POST" and "delete" in asked.query:
            return _delete_many(objects, asked.body.decode())
        if asked.method == "HEAD":
            return Answer(HTTPStatus.OK)
        if asked.method == "GET" and "uploads" in asked.query:
            keys = "".join(f"<Upload><Key>{escape(key)}</Key></Upload>" for key in self.open_keys())
            return _xml(f"<ListMultipartUploadsResult>{keys}</ListMultipartUploadsResult>")
        if asked.method == "GET":
            return _listing(objects, asked.query)
        raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented")

    def open_keys(self) -> list[str]:
        """Keys whose upload has not ended."""
        return [key for key, _ in self._uploads.values()]

    def _upload(self, asked: Asked) -> Answer:
        if asked.method == "POST" and "uploads" in asked.query:
            self._in(asked)
            number = f"upload-{next(_numbers)}"
            self._uploads[number] = asked.key, {}
            found = f"<Key>{escape(asked.key)}</Key><UploadId>{number}</UploadId>"
            return _xml(f"<InitiateMultipartUploadResult>{found}</InitiateMultipartUploadResult>")
        number = asked.query.get("uploadId", "")
        if number not in self._uploads:
            raise Refusal(HTTPStatus.NOT_FOUND, "NoSuchUpload")
        parts = self._uploads[number][1]
        if asked.method == "PUT":
            parts[int(asked.query["partNumber"])] = asked.body
            return Answer(HTTPStatus.OK, headers=f"ETag: {_part_etag(asked.body)}\r\n")
        if asked.method == "DELETE":
            del self._uploads[number]
            return Answer(HTTPStatus.NO_CONTENT)
        ordered = tuple(parts[place] for place in sorted(parts))
        digest = _etag("".join(map(_part_etag, ordered)).encode()).strip('"')
        etag = f'"{digest}-{len(ordered)}"'
        self._keep(asked, ordered, etag)
        del self._uploads[number]
        found = f"<Key>{escape(asked.key)}</Key><ETag>{escape(etag)}</ETag>"
        return _xml(f"<CompleteMultipartUploadResult>{found}</CompleteMultipartUploadResult>")


_METHODS: dict[str, Callable[[Buckets, Asked], Answer]] = {
    "GET": Buckets.get,
    "HEAD": Buckets.get,
    "PUT": Buckets.put,
    "DELETE": Buckets.delete,
}


def _unmet(headers: dict[str, str], there: Object | None) -> Refusal | None:
    """What speaks against a PUT."""
    if headers.get("if-none-match") == "*" and there is not None:
        return Refusal(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
    wanted = headers.get("if-match")
    if wanted is None or (there is not None and wanted.strip('"') == there.etag.strip('"')):
        return None
    if there is None:
        return Refusal(HTTPStatus.NOT_FOUND, "NoSuchKey")
    return Refusal(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")


def _etag(data: bytes) -> str:
    """Of an object, an MD5, as clients that compare it with their own expect."""
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _part_etag(data: bytes) -> str:
    """Of a part, which nobody compares, something faster."""
    return f'"{xxhash.xxh3_128_hexdigest(data)}"'


def _xml(text: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    data = f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
    return Answer(status, (data,), len(data), "Content-Type: application/xml\r\n")


def _delete_many(objects: dict[str, Object], text: str) -> Answer:
    keys = re.findall(r"<Key>(.*?)</Key>", text, re.DOTALL)
    for key in keys:
        objects.pop(unescape(key, {"&quot;": '"', "&apos;": "'"}), None)
    deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
    return _xml(f"<DeleteResult>{deleted}</DeleteResult>")


def _listing(objects: dict[str, Object], query: dict[str, str]) -> Answer:
    """A page of a list, of either version; a prefix up to the delimiter counts as one."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = max(query.get(name, "") for name in ("continuation-token", "start-after", "marker"))
    keys = sorted(key for key in objects if key.startswith(prefix))
    page_max = int(query.get("max-keys", PAGE_MAX))
    found: dict[str, str] = {}
    last, is_cut = "", False
    for key in keys[bisect_left(keys, after) :]:
        end = key.find(delimiter, len(prefix)) + 1 if delimiter else 0
        name = key[:end] if end else key
        if key == after or (end and after.startswith(name)):
            continue
        if name not in found and len(found) == page_max:
            is_cut = True
            break
        last = key
        shown = quote_plus(name) if query.get("encoding-type") == "url" else name
        found[name] = _prefix(shown) if end else _contents(shown, objects[key])
    token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if is_cut else ""
    head = f"<KeyCount>{len(found)}</KeyCount><IsTruncated>{str(is_cut).lower()}</IsTruncated>"
    head += "<EncodingType>url</EncodingType>" if "encoding-type" in query else ""
    return _xml(f"<ListBucketResult>{head}{token}{''.join(found.values())}</ListBucketResult>")


def _prefix(name: str) -> str:
    return f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"


def _contents(key: str, found: Object) -> str:
    written = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(found.written))
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{written}</LastModified>"
        f"<ETag>{escape(found.etag)}</ETag><Size>{found.size}</Size></Contents>"
    )
