"""Lists of a bucket: of all that is below, and of one level."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import obstore
from obstore.exceptions import BaseError, InvalidPathError

from metasnapshot.store.pages import UNREADABLE, Page
from metasnapshot.store.port import (
    Names,
    ObjectHead,
    clean,
    folder,
    pass_over,
    sorted_names,
)

_obstore: Any = obstore
"""Without types: those of its lists are half known."""


class Lister:
    """Lists a directory of a bucket."""

    def __init__(
        self,
        client: Any,
        pages: Callable[[str, str], Iterator[Page]],
        root: str,
        url: str,
        translated: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        """List a bucket.

        Args:
            client: the library's.
            pages: those below a key, up to a delimiter, without the library.
            root: the directory that paths are relative to.
            url: for messages.
            translated: turns the library's errors into ours.
        """
        self._client = client
        self._read_pages = pages
        self._root = root
        self._url = url
        self._translated = translated

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
        chunks: Any = iter(_obstore.list(self._client, key or None))
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
        yield from pass_over(self._url, (head for head in rest if head.path > last))

    def _pages(self, error: BaseError, key: str, delimiter: str = "") -> Iterator[Page]:
        """The pages below a key as the service says them, if that is what the library lacks."""
        is_odd_key = isinstance(error, InvalidPathError)
        if not is_odd_key and not any(word in str(error) for word in UNREADABLE):
            raise error
        return self._read_pages(f"{key}/" if key else "", delimiter)

    def _within(self, key: str) -> str:
        """The path of a key; as the library has it, without the slash at its end."""
        return key[len(self._root) + 1 if self._root else 0 :].removesuffix("/")

    def names(self, directory: str) -> Names:
        """See Store."""
        place = folder(directory)
        key = f"{self._root}/{place}".strip("/")
        with self._translated(directory):
            try:
                found = _obstore.list_with_delimiter(self._client, key or None)
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
