"""S3, GCS and Azure as an object store, by obstore.

Small objects are written by one conditional request: create-only, or while the etag still holds.
That of two writers one wins is the service's promise, which not every service keeps (see trial). A
large object goes up in parts, which no service makes conditional: whoever writes one has reserved
its name, and looks once more before the parts become an object.

The library tries again what fails, but for conditional requests: one whose answer got lost is tried
again here, and may then meet itself. Only then is what was to be written, if it is there, ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, BinaryIO, cast

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from metasnapshot.errors import AuthenticationError, ConflictError, ObjectMissing, StorageError
from metasnapshot.store.lease import PUT_MAX_S
from metasnapshot.store.listing import UNREADABLE, Page, read_pages
from metasnapshot.store.port import (
    Names,
    ObjectHead,
    StoredObject,
    clean,
    folder,
    join,
    normalise,
    pass_over,
    sorted_names,
)
from metasnapshot.store.ranged import RangedFile
from metasnapshot.store.retry import RetryPolicy
from metasnapshot.store.upload import PART_SIZE, Upload

Connect = Callable[..., Any]
_obstore: Any = obstore
"""Without types: those of its lists are half known."""
NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")
DENIED = ("403 Forbidden", "401 Unauthorized", "InvalidAccessKeyId", "SignatureDoesNotMatch")


class RemoteStore:
    """A directory of a bucket. `url` names it without credentials. A list comes in the order of the
    service, which for all but directory buckets is that of the paths.
    """

    def __init__(
        self, connect: Connect, url: str, root: str = "", policy: RetryPolicy | None = None
    ) -> None:
        """Speak to a bucket.

        Args:
            connect: makes obstore's store of the bucket, out of a timeout and options of retries;
                with a query, one whose every GET puts that query to the bucket.
            url: for messages.
            root: the directory in it that paths are relative to.
            policy: tries and times.
        """
        self._policy = policy or RetryPolicy()
        again = _retry_options(self._policy, self._policy.retries)
        never = _retry_options(self._policy, 0)
        self._client = connect(self._policy.timeout_s, again)
        self._once = connect(self._policy.timeout_s, never)
        within = _retry_options(self._policy, self._policy.retries, PUT_MAX_S / 2)
        self._putter = connect(min(self._policy.timeout_s, PUT_MAX_S / 2), within)
        self._lister = connect(self._policy.list_timeout_s, again)
        self._ask = partial(connect, self._policy.list_timeout_s, again)
        self._root = clean(root)
        self.url = url

    def head(self, path: str) -> ObjectHead | None:
        """See Store."""
        try:
            with self._translated(path):
                found = obstore.head(self._client, self._key(path))
        except ObjectMissing:
            return None
        return ObjectHead(normalise(path), found["size"], found["last_modified"])

    def read(self, path: str) -> StoredObject:
        """See Store."""
        with self._translated(path):
            found = obstore.get(self._client, self._key(path))
            return StoredObject(bytes(found.bytes()), _etag(found.meta))

    @contextmanager
    def open_reader(self, path: str) -> Generator[BinaryIO]:
        """See Store."""
        key = self._key(path)

        def fetch(start: int, end: int) -> bytes:
            with self._translated(path):
                return bytes(obstore.get_range(self._client, key, start=start, end=end))

        found = self.head(path)
        if found is None:
            raise ObjectMissing(normalise(path), where=self.url)
        with RangedFile(fetch, found.size) as file:
            yield file

    @contextmanager
    def open_writer(self, path: str) -> Generator[BinaryIO]:
        """See Store."""
        upload = Upload(lambda parts: self._put_parts(path, parts))
        try:
            yield cast("BinaryIO", upload)
            if upload.is_small:
                self.put_if_absent(path, upload.rest())
                return
            if self.head(path) is not None:
                raise ConflictError(f"{normalise(path)} exists already")
            upload.finish()
        finally:
            upload.abandon()
        found = self.head(path)
        if found is None or found.size != upload.size:
            raise StorageError(
                f"{path}: {upload.size} bytes were sent, "
                f"{found.size if found else 'nothing'} is there"
            )

    def put(self, path: str, data: bytes) -> str:
        """Write a small object, whatever is there, within PUT_MAX_S; returns its etag."""
        return self._put(self._putter, path, data, "overwrite")

    def put_if_absent(self, path: str, data: bytes) -> str:
        """See Store."""
        conflict = ConflictError(f"{normalise(path)} exists already")
        return self._put_conditionally(path, data, "create", conflict)

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        """See Store."""
        e_tag, _, version = etag.partition("\n")
        mode = {"e_tag": e_tag, **({"version": version} if version else {})}
        conflict = ConflictError(f"{normalise(path)} changed meanwhile", hint="try again")
        return self._put_conditionally(path, data, mode, conflict)

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        """See Store."""
        wanted = clean(prefix)
        directory, _, start = wanted.rpartition("/")
        if prefix.endswith("/") and wanted:
            directory, start = wanted, ""
        above = f"{directory}/{start}" if directory else start
        for head in self._list(f"{self._root}/{directory}".strip("/")):
            if head.path.startswith(above):
                yield head

    def _list(self, key: str) -> Iterator[ObjectHead]:
        """The objects below a key; from the first page on that the library cannot read, as the
        service says them.
        """
        chunks: Any = iter(_obstore.list(self._lister, key or None))
        last = ""
        while True:
            with self._translated(key):
                try:
                    chunk = next(chunks, None)
                except BaseError as error:
                    pages = self._pages(error, key)
                    break
            if chunk is None:
                return
            for item in chunk:
                last = self._within(item["path"])
                yield ObjectHead(last, item["size"], item["last_modified"])
        heads = (head for page in pages for head in page.objects)
        rest = (replace(head, path=self._within(head.path)) for head in heads)
        yield from pass_over(self.url, (head for head in rest if head.path > last))

    def _pages(self, error: BaseError, key: str, delimiter: str = "") -> Iterator[Page]:
        """The pages below a key as the service says them, if that is what the library lacks."""
        is_odd_key = isinstance(error, InvalidPathError)
        if not is_odd_key and not any(word in str(error) for word in UNREADABLE):
            raise error

        def ask(query: str) -> bytes:
            with self._translated(key):
                return bytes(obstore.get(self._ask(query), "ListObjectsV2").bytes())

        return read_pages(ask, f"{key}/" if key else "", delimiter)

    def _within(self, key: str) -> str:
        """The path of a key; as the library has it, a slash at its end is none."""
        return key[len(self._root) + 1 if self._root else 0 :].removesuffix("/")

    def names(self, directory: str) -> Names:
        """See Store."""
        place = folder(directory)
        key = f"{self._root}/{place}".strip("/")
        with self._translated(directory):
            try:
                found = _obstore.list_with_delimiter(self._lister, key or None)
            except BaseError as error:
                pages = list(self._pages(error, key, "/"))
                objects = [head for page in pages for head in page.objects]
                below = [prefix for page in pages for prefix in page.prefixes]
            else:
                objects = [
                    ObjectHead(item["path"], item["size"], item["last_modified"])
                    for item in found["objects"]
                ]
                below = found["common_prefixes"]
        heads = (replace(head, path=self._within(head.path)) for head in objects)
        above = f"{place}/" if place else ""
        return sorted_names(
            (head for head in heads if head.path.startswith(above) and head.path),
            (path for path in map(self._within, below) if path.startswith(above)),
        )

    def leftovers(self, directory: str) -> Iterator[ObjectHead]:  # noqa: ARG002 - the bucket's own
        """See Store: parts of an upload that died are the bucket's lifecycle rule to take away."""
        yield from ()

    def delete(self, path: str) -> None:
        """See Store."""
        try:
            with self._translated(path):
                obstore.delete(self._client, self._key(path))
        except ObjectMissing:
            return

    def exclusive(self, path: str) -> nullcontext[None]:  # noqa: ARG002 - nobody is kept away
        """See Store: there are no locks here."""
        return nullcontext()

    def _put(self, client: Any, path: str, data: bytes, mode: Any) -> str:
        with self._translated(path):
            return _etag(obstore.put(client, self._key(path), data, mode=mode, use_multipart=False))

    def _put_conditionally(self, path: str, data: bytes, mode: Any, conflict: ConflictError) -> str:
        pauses = self._policy.pauses()
        was_lost = False
        while True:
            try:
                return self._put(self._once, path, data, mode)
            except ConflictError:
                if was_lost and (found := self._find(path)) and found.data == data:
                    return found.etag
                raise conflict from None
            except StorageError:
                if (pause := next(pauses, None)) is None:
                    raise
                was_lost = True
                time.sleep(pause)

    def _find(self, path: str) -> StoredObject | None:
        try:
            return self.read(path)
        except ObjectMissing:
            return None

    def _put_parts(self, path: str, parts: Iterator[bytes]) -> None:
        with self._translated(path):
            obstore.put(
                self._client,
                self._key(path),
                parts,
                use_multipart=True,
                chunk_size=PART_SIZE,
                max_concurrency=2,
            )

    def _key(self, path: str) -> str:
        return join(self._root, path)

    @contextmanager
    def _translated(self, path: str) -> Generator[None]:
        try:
            yield
        except (AlreadyExistsError, PreconditionError) as error:
            raise ConflictError(f"{path} exists already, or changed", hint="try again") from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise self._denied(error) from error
        except (FileNotFoundError, BaseError) as error:
            if any(word in str(error) for word in NO_BUCKET):
                raise StorageError(f"{self.url}: no such bucket", hint="check the URL") from error
            if isinstance(error, FileNotFoundError):
                raise ObjectMissing(normalise(path), where=self.url) from error
            if any(word in str(error) for word in DENIED):
                raise self._denied(error) from error
            raise StorageError(f"{self.url}, {path}: {_first_line(error)}") from error

    def _denied(self, error: Exception) -> AuthenticationError:
        return AuthenticationError(
            f"{self.url}: {_first_line(error)}",
            hint="check the credentials in the environment (docs/guide.md, object stores)",
        )


def _retry_options(policy: RetryPolicy, retries: int, within_s: float | None = None) -> Any:
    """What obstore calls RetryConfig; the last try starts within so many seconds. It looks at the
    clock before a pause, not after it.
    """
    longest = (retries + 1) * (policy.list_timeout_s + policy.backoff_max_s)
    if within_s is not None:
        longest = max(0.0, within_s - policy.backoff_max_s)
    return {
        "max_retries": retries,
        "retry_timeout": timedelta(seconds=longest),
        "backoff": {
            "init_backoff": timedelta(seconds=policy.backoff_s),
            "max_backoff": timedelta(seconds=policy.backoff_max_s),
            "base": 2,
        },
    }


def _etag(meta: Any) -> str:
    """Etag and, where the service has one, generation."""
    version = meta.get("version")
    return f"{meta['e_tag'] or ''}\n{version}" if version else str(meta["e_tag"] or "")


def _first_line(error: Exception) -> str:
    """What went wrong, without the library's inner view of it."""
    return " ".join(str(error).partition("\n\n")[0].split())
