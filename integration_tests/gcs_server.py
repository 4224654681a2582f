"""A bucket server that behaves as the public documentation of Cloud Storage's XML API says, for no
emulator that can be installed does: generations and x-goog-if-generation-match, lists in pages,
ranges, uploads in parts, and what is private to an anonymous caller. It forgets all when it ends.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import md5
from http.server import BaseHTTPRequestHandler
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from loopback import LoopbackServer

PAGE_MAX = 1000
PART_SIZE_MIN = 5 << 20
"""Of every part but the last."""
WRITTEN = "2026-01-02T03:04:05.678Z"
_numbers = count()
_generations = count(1_760_000_000_000_000)


@dataclass(frozen=True)
class Stored:
    """An object and the generation that it got when it was written."""

    data: bytes
    generation: int = field(default_factory=lambda: next(_generations))

    @property
    def etag(self) -> str:
        return f'"{md5(self.data, usedforsecurity=False).hexdigest()}"'


@dataclass
class Bucket:
    """Objects by name, and parts by upload and number."""

    is_private: bool = False
    objects: dict[str, Stored] = field(default_factory=dict[str, Stored])
    uploads: dict[str, dict[int, Stored]] = field(default_factory=dict[str, dict[int, Stored]])


class Refusal(Exception):
    """An answer that is an error, by HTTP's number and the API's code."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message or code


class GcsServer(LoopbackServer):
    """A running server: makes buckets, and looks at them without the store under test."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.buckets: dict[str, Bucket] = {}
        self.lock = threading.Lock()

    def bucket(self, *, is_private: bool = False) -> str:
        """A new bucket."""
        name = f"bucket-{os.getpid()}-{next(_numbers)}"
        self.buckets[name] = Bucket(is_private)
        return name

    def write(self, bucket: str, path: str, data: bytes) -> None:
        """Put an object there, whatever its name is."""
        self.buckets[bucket].objects[path] = Stored(data)

    def read(self, bucket: str, path: str) -> bytes:
        """An object's bytes."""
        return self.buckets[bucket].objects[path].data


class _Handler(BaseHTTPRequestHandler):
    """A request is taken whole, answered under the server's lock, and then sent."""

    protocol_version = "HTTP/1.1"
    server: GcsServer  # pyright: ignore[reportIncompatibleVariableOverride]
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""

    def _answer(self) -> None:
        url = urlsplit(self.path)
        bucket, _, name = unquote(url.path).lstrip("/").partition("/")
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            with self.server.lock:
                status, headers, data = self._handle(self._open(bucket), name, query, body)
        except Refusal as refusal:
            text = f"<Code>{refusal.code}</Code><Message>{refusal.message}</Message>"
            status, headers, data = refusal.status, {}, _xml("Error", text)
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _open(self, name: str) -> Bucket:
        found = self.server.buckets.get(name)
        if found is None:
            raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist.")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer").strip()
        if found.is_private and not token:
            raise Refusal(403, "AccessDenied", "Anonymous caller does not have access.")
        return found

    def _handle(
        self, bucket: Bucket, name: str, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        kind = {"uploads", "uploadId", "list-type"} & query.keys()
        match self.command, *kind:
            case "GET", "list-type" if not name:
                return 200, {}, _list(bucket, query)
            case "GET" | "HEAD", *_ if name and not kind:
                return self._get(_existing(bucket, name))
            case "DELETE", *_ if name and not kind:
                _existing(bucket, name)
                del bucket.objects[name]
                return 204, {}, b""
            case "PUT", *_ if name and not kind:
                return 200, self._put(bucket, name, body), b""
            case "POST", "uploads" if name:
                upload = f"upload{next(_numbers)}"
                bucket.uploads[upload] = {}
                return 200, {}, _xml("InitiateMultipartUploadResult", _tag("UploadId", upload))
            case _, "uploadId" if name and query["uploadId"] in bucket.uploads:
                return self._upload(bucket, name, query, body)
            case _, "uploadId":
                raise Refusal(404, "NoSuchUpload")
            case _:
                raise Refusal(400, "InvalidArgument", f"{self.command} {self.path}")

    def _get(self, found: Stored) -> tuple[int, dict[str, str], bytes]:
        headers = {
            "ETag": found.etag,
            "Last-Modified": formatdate(usegmt=True),
            "x-goog-generation": str(found.generation),
            "Content-Type": "application/octet-stream",
        }
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if wanted is None:
            return 200, headers, found.data
        start, size = int(wanted[1]), len(found.data)
        end = min(int(wanted[2]) + 1, size) if wanted[2] else size
        if start >= end:
            raise Refusal(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        return 206, headers, found.data[start:end]

    def _put(self, bucket: Bucket, name: str, body: bytes) -> dict[str, str]:
        """Generation 0 is that of no object."""
        found = bucket.objects.get(name)
        wanted = self.headers.get("x-goog-if-generation-match")
        if wanted is not None and int(wanted) != (found.generation if found else 0):
            raise Refusal(412, "PreconditionFailed")
        bucket.objects[name] = made = Stored(body)
        return {"ETag": made.etag, "x-goog-generation": str(made.generation)}

    def _upload(
        self, bucket: Bucket, name: str, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        parts = bucket.uploads[query["uploadId"]]
        if self.command == "PUT":
            part = parts[int(query["partNumber"])] = Stored(body)
            return 200, {"ETag": part.etag}, b""
        if self.command == "POST":
            bucket.objects[name] = made = Stored(b"".join(_parts(parts, body)))
            del bucket.uploads[query["uploadId"]]
            text = _tag("Key", name) + _tag("ETag", made.etag)
            headers = {"x-goog-generation": str(made.generation)}
            return 200, headers, _xml("CompleteMultipartUploadResult", text)
        del bucket.uploads[query["uploadId"]]
        return 204, {}, b""


def _existing(bucket: Bucket, name: str) -> Stored:
    if (found := bucket.objects.get(name)) is None:
        raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
    return found


def _parts(parts: dict[int, Stored], body: bytes) -> Iterator[bytes]:
    """The parts that a request to complete an upload names, in order and with their etags."""
    wanted: list[Any] = ET.fromstring(body).findall("{*}Part")  # noqa: S314 - a test's
    named = [(int(item.findtext("{*}PartNumber")), item.findtext("{*}ETag")) for item in wanted]
    if not named or named != sorted(named):
        raise Refusal(400, "InvalidPartOrder")
    for number, etag in named:
        part = parts.get(number)
        if part is None or part.etag.strip('"') != etag.strip('"'):
            raise Refusal(400, "InvalidPart")
        if len(part.data) < PART_SIZE_MIN and number != named[-1][0]:
            raise Refusal(400, "EntityTooSmall")
        yield part.data


def _list(bucket: Bucket, query: dict[str, str]) -> bytes:
    """A page; its token is the last name on it. Names that begin alike up to a delimiter behind the
    prefix count as one.
    """
    after = max(query.get("continuation-token", ""), query.get("start-after", "")).encode()
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    encode = quote if query.get("encoding-type") == "url" else str
    found = dict[str, str]()
    for name in sorted(bucket.objects, key=str.encode):
        end = name.find(delimiter, len(prefix)) + 1 if delimiter else 0
        shown = name[:end] if end else name
        if name.startswith(prefix) and shown.encode() > after:
            found[shown] = (
                _prefix(encode(shown)) if end else _contents(encode(name), bucket.objects[name])
            )
    size = min(int(query.get("max-keys", PAGE_MAX)), PAGE_MAX)
    page, is_cut = list(found)[:size], len(found) > size
    text = _tag("KeyCount", len(page)) + _tag("IsTruncated", str(is_cut).lower())
    text += "".join(found[name] for name in page)
    if encode is quote:
        text += _tag("EncodingType", "url")
    if is_cut:
        text += _tag("NextContinuationToken", page[-1])
    return _xml("ListBucketResult", text)


def _contents(name: str, found: Stored) -> str:
    fields = _tag("Key", name) + _tag("Size", len(found.data)) + _tag("ETag", found.etag)
    fields += _tag("Generation", found.generation) + _tag("LastModified", WRITTEN)
    return f"<Contents>{fields}</Contents>"


def _prefix(name: str) -> str:
    return f"<CommonPrefixes>{_tag('Prefix', name)}</CommonPrefixes>"


def _tag(name: str, value: object) -> str:
    return f"<{name}>{escape(str(value))}</{name}>"


def _xml(root: str, text: str) -> bytes:
    start = '<?xml version="1.0" encoding="UTF-8"?>'
    namespace = "" if root == "Error" else ' xmlns="http://doc.s3.amazonaws.com/2006-03-01"'
    return f"{start}<{root}{namespace}>{text}</{root}>".encode()
