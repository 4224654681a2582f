"""S3, GCS and Azure as an object store, by obstore.

Small objects are written by one conditional request: create-only, or while the etag still holds.
That of two writers one wins is the service's promise, which not every service keeps (see trial). A
large object goes up in parts, which no service makes conditional: the writer has reserved
its name, and looks once more before the parts become an object.

The library tries again what fails, but for conditional requests: one whose answer got lost is tried
again here, and may then meet itself. Only then is what was to be written, if it is there, ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from copy import copy
from functools import partial
from typing import Any, BinaryIO, cast

import obstore
from obstore.exceptions import BaseError

from metasnapshot.errors import ConflictError, DamageError, ObjectMissing, StorageError
from metasnapshot.store.codes import Act, ChecksumWanted, Contended, Denied, Passing, Retained
from metasnapshot.store.listing import Lister
from metasnapshot.store.pages import S3_PAGES, Page
from metasnapshot.store.port import (
    READ_MAX,
    Names,
    ObjectHead,
    StoredObject,
    clean,
    join,
    normalise,
    require_size,
)
from metasnapshot.store.ranged import RangedFile
from metasnapshot.store.refusals import says_nothing, translate
from metasnapshot.store.retention import why_it_stays
from metasnapshot.store.retry import RetryPolicy, client_retries
from metasnapshot.store.upload import PART_SIZE, Upload
from metasnapshot.store.versions import QUERY, says_versions
from metasnapshot.store.writers import CHECKSUM_LEVELS, Connect, Writers, make_writers


class RemoteStore:
    """A directory of a bucket. `url` names it without credentials. A list comes in the order of the
    service, which for all but directory buckets is that of the paths.
    """

    def __init__(
        self, connect: Connect, url: str, root: str = "", policy: RetryPolicy | None = None
    ) -> None:
        """Speak to a bucket.

        Args:
            connect: makes obstore's store of the bucket, out of a timeout and options of retries,
                and puts queries to it (see Connector).
            url: for messages.
            root: the directory in it that paths are relative to.
            policy: tries and times.
        """
        self._policy = policy or RetryPolicy()
        again = client_retries(self._policy, self._policy.retries)
        self._connect = connect
        self._client = connect(self._policy.timeout_s, again)
        self._is_conditional = True
        self.checksums = 0
        self._writers = make_writers(self._connect, self._policy, self.checksums)
        self._endpoint = str(getattr(connect, "endpoint", ""))
        self._root = clean(root)
        self.url = url
        self._lister = Lister(
            connect(self._policy.list_timeout_s, again),
            self._pages,
            self._root,
            url,
            partial(self._translated, act=Act.LIST),
        )

    def head(self, path: str) -> ObjectHead | None:
        """See Store."""
        try:
            with self._translated(path, Act.READ):
                found = self._head(self._key(path))
        except ObjectMissing:
            return None
        return ObjectHead(normalise(path), found["size"], found["last_modified"])

    def _head(self, key: str) -> Any:
        try:
            return obstore.head(self._client, key)
        except BaseError as error:
            if says_nothing(error):
                obstore.get_range(self._client, key, start=0, end=1)  # refused in words
            raise

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        """See Store."""
        with self._translated(path, Act.READ):
            found = obstore.get(self._client, self._key(path))
            require_size(normalise(path), found.meta["size"], size_max)  # no byte was taken yet
            return StoredObject(bytes(found.bytes()), _etag(found.meta))

    def content(self, path: str, size_max: int) -> memoryview:
        """All bytes of an object, in the memory where the client put them (see read_content)."""
        with self._translated(path, Act.READ):
            found = obstore.get(self._client, self._key(path))
            require_size(normalise(path), found.meta["size"], size_max)
            return memoryview(cast("Any", found.bytes()))

    @contextmanager
    def open_reader(self, path: str) -> Generator[BinaryIO]:
        """See Store."""
        key = self._key(path)

        def fetch(start: int, end: int) -> bytes:
            with self._translated(path, Act.READ):
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
            if upload.is_small and self._is_conditional:
                self.put_if_absent(path, upload.rest())
                return
            if self.head(path) is not None:
                raise ConflictError(f"{normalise(path)} exists already")
            if upload.is_small:
                self.put(path, upload.rest())
                return
            upload.finish()
        finally:
            upload.abandon()
        found = self.head(path)
        if found is None or found.size != upload.size:
            raise StorageError(
                f"{path}: {upload.size} bytes were sent, "
                f"{found.size if found else 'nothing'} is there"
            )

    def top(self) -> tuple[RemoteStore, str]:
        """The whole bucket, and where in it this directory is."""
        return RemoteStore(self._connect, self.url, policy=self._policy), self._root

    def keeps_versions(self) -> bool:
        """Whether the bucket says so; services other than S3 and its kin, and GCS, do not."""
        if getattr(self._connect, "dialect", None) is not S3_PAGES:
            return False
        never = client_retries(self._policy, 0)
        with self._translated("", Act.READ):
            return says_versions(self._connect.answer(QUERY, self._policy.timeout_s, never))

    def plain(self) -> RemoteStore:
        """The same store, which asks for no conditions."""
        found = copy(self)
        found._is_conditional = False  # noqa: SLF001 - its own
        return found

    def put(self, path: str, data: bytes) -> str:
        """Write a small object, whatever is there, within PUT_MAX_S; returns its etag."""
        pauses = self._policy.pauses()
        while True:
            try:
                return self._put(lambda writers: writers.within, path, data, "overwrite")
            except Contended:
                if (pause := next(pauses, None)) is None:
                    raise
                time.sleep(pause)

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
        return self._lister.list(prefix)

    def names(self, directory: str) -> Names:
        """See Store."""
        return self._lister.names(directory)

    def _pages(self, prefix: str, delimiter: str) -> Iterator[Page]:
        """The pages of a list as the service writes them."""
        retry = client_retries(self._policy, self._policy.retries)

        def ask(query: str) -> bytes:
            pauses = self._policy.pauses()
            while True:
                try:
                    with self._translated(prefix, Act.LIST):
                        return self._connect.answer(query, self._policy.list_timeout_s, retry)
                except Passing:
                    if (pause := next(pauses, None)) is None:
                        raise
                    time.sleep(pause)

        return self._connect.dialect.read(ask, prefix, delimiter)

    def leftovers(self, directory: str) -> Iterator[ObjectHead]:  # noqa: ARG002 - the bucket's own
        """See Store: parts of an upload that died are the bucket's lifecycle rule to take away."""
        yield from ()

    def copying_from(self, source: object) -> Callable[[str, str], None] | None:
        """What has the service copy objects of another store into this one, over what is there, by
        the paths of both. None if they are not of one provider, or it copies within a bucket only.
        """
        beside = getattr(self._connect, "beside", None)
        if beside is None or not isinstance(source, RemoteStore):
            return None
        found = beside(source._connect)  # noqa: SLF001 - of its own kind
        if found is None:
            return None
        connect, prefix = found
        client = connect(self._policy.timeout_s, client_retries(self._policy, self._policy.retries))

        def copy_object(path: str, target: str) -> None:
            with self._translated(target, Act.WRITE):
                key = source._key(path)  # noqa: SLF001 - of its own kind
                obstore.copy(client, key, f"{prefix}{self._key(target)}")

        return copy_object

    def delete(self, path: str) -> None:
        """See Store."""
        pauses = self._policy.pauses()
        while True:
            try:
                with self._translated(path, Act.DELETE):
                    obstore.delete(self._client, self._key(path))
            except ObjectMissing:
                return
            except Contended:
                if (pause := next(pauses, None)) is None:
                    raise
                time.sleep(pause)
            except (Denied, Retained) as error:
                there = self._connect.headers(self._key(path), self._policy.timeout_s)
                raise why_it_stays(error, there, f"{self.url}, {path}") from error
            else:
                return

    def exclusive(self, path: str) -> nullcontext[None]:  # noqa: ARG002 - nobody is kept away
        """See Store: there are no locks here."""
        return nullcontext()

    def _put(self, choose: Callable[[Writers], Any], path: str, data: bytes, mode: Any) -> str:
        """One write; a bucket that wants checksums gets them from then on."""
        key = self._key(path)
        while True:
            client = choose(self._writers)
            try:
                with self._translated(path, Act.WRITE):
                    return _etag(obstore.put(client, key, data, mode=mode, use_multipart=False))
            except ChecksumWanted:
                if self.checksums + 1 == CHECKSUM_LEVELS:
                    raise
                self.checksums += 1
                self._writers = make_writers(self._connect, self._policy, self.checksums)

    def _put_conditionally(self, path: str, data: bytes, mode: Any, conflict: ConflictError) -> str:
        pauses = self._policy.pauses()
        was_lost = False
        while True:
            try:
                return self._put(lambda writers: writers.once, path, data, mode)
            except ConflictError:
                if was_lost and (found := self._find(path, len(data))) and found.data == data:
                    return found.etag
                raise conflict from None
            except Passing as error:
                if (pause := next(pauses, None)) is None:
                    raise
                was_lost = was_lost or not isinstance(error, Contended)
                time.sleep(pause)

    def _find(self, path: str, size_max: int) -> StoredObject | None:
        with suppress(ObjectMissing, DamageError):  # there is nothing, or something larger
            return self.read(path, size_max)

    def _put_parts(self, path: str, parts: Iterator[bytes]) -> None:
        with self._translated(path, Act.WRITE):
            obstore.put(
                self._writers.again,
                self._key(path),
                parts,
                use_multipart=True,
                chunk_size=PART_SIZE,
                max_concurrency=2,
            )

    def _key(self, path: str) -> str:
        return join(self._root, path)

    @contextmanager
    def _translated(self, path: str, act: Act) -> Generator[None]:
        try:
            yield
        except (FileNotFoundError, BaseError) as error:
            raise translate(error, act, path, url=self.url, endpoint=self._endpoint) from error


def _etag(meta: Any) -> str:
    """Etag and, where the service has one, generation."""
    version = meta.get("version")
    return f"{meta['e_tag'] or ''}\n{version}" if version else str(meta["e_tag"] or "")
