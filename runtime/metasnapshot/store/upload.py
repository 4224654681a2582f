"""A file whose bytes go up in parts while it is written; nothing becomes an object before its end.

The parts pass through a short queue to a thread that sends them. A writer that abandons the file
makes that thread fail, and so the service forgets the parts.
"""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from metasnapshot.errors import StorageError

PART_SIZE = 5 << 20
"""The least that S3 takes, which takes 10,000 for an object: 48 GiB. Some six are in memory."""
QUEUE_PARTS = 1


class _Abandoned(Exception):
    """The file is not to become an object."""


class Upload(io.RawIOBase):
    """A file to write.

    Args:
        send: takes the parts, and returns once they are an object.

    Attributes:
        size: bytes written.
    """

    def __init__(self, send: Callable[[Iterator[bytes]], None]) -> None:
        super().__init__()
        self._send = send
        self._rest = bytearray()
        self._parts: queue.Queue[bytes | None] = queue.Queue(QUEUE_PARTS)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._is_abandoned = threading.Event()
        self.size = 0

    @property
    def is_small(self) -> bool:
        """Whether all of it fits one request; then `rest` has it."""
        return self._thread is None

    def rest(self) -> bytes:
        """What was written and not sent."""
        return bytes(self._rest)

    def writable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Bytes written."""
        return self.size

    def write(self, data: Any, /) -> int:
        """Take bytes; a part that is full is handed over."""
        view = memoryview(data).cast("B")
        size = len(view)
        self.size += size
        while len(self._rest) + len(view) >= PART_SIZE:
            room = PART_SIZE - len(self._rest)
            self._rest += view[:room]
            view = view[room:]
            self._hand_over(bytes(self._rest))
            self._rest.clear()
        self._rest += view
        return size

    def finish(self) -> None:
        """Let the parts become an object.

        Raises:
            MetasnapshotError: what `send` raised.
        """
        if self._rest:
            self._hand_over(bytes(self._rest))
            self._rest.clear()
        self._hand_over(None)
        if self._thread is not None:
            self._thread.join()
        self._raise()

    def abandon(self) -> None:
        """Drop what is not an object yet."""
        self._is_abandoned.set()
        if self._thread is not None:
            self._thread.join()

    def _hand_over(self, part: bytes | None) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        while True:
            self._raise()
            try:
                self._parts.put(part, timeout=0.1)
            except queue.Full:
                if not self._thread.is_alive():
                    raise StorageError("the upload ended before its parts did") from None
                continue
            return

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._send(self._sent())
        except BaseException as error:  # noqa: BLE001 - raised where the file is written
            self._error = error
            if self._is_abandoned.is_set():
                self._error = StorageError("the upload was abandoned")

    def _sent(self) -> Iterator[bytes]:
        while True:
            if self._is_abandoned.is_set():
                raise _Abandoned
            try:
                part = self._parts.get(timeout=0.1)
            except queue.Empty:
                continue
            if part is None:
                return
            yield part
