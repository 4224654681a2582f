"""Batches by the workers of a Dask cluster. Only this file imports Dask.

A task is a batch and a few words: names and counts, never bytes of objects, and no credentials.
Batches are few at a time: as many as keep all workers busy, and where there is a limit of bytes, no
more than share it.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

import distributed
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from metasnapshot.errors import (
    MetasnapshotError,
    ObjectMissing,
    SchedulerUnavailable,
    StorageError,
    UsageError,
)
from metasnapshot.operations.spread.errand import Errand, Here, require_same, sight
from metasnapshot.operations.spread.scheduler import Scheduler

CONNECT_S = 10.0
"""How long a scheduler is waited for, and its first worker."""
LOST_S = 60.0
"""How long work waits for a new worker when all are gone."""
ANSWER_S = 120.0
"""How long workers may take to answer a question."""
POLL_S = 1.0
RETRIES = 3
"""How often a batch is begun again after an error that may pass."""
AHEAD = 2
"""Batches for each thread of the workers: one is worked on, one waits."""
LOGGERS = ("distributed", "distributed.client", "distributed.core", "distributed.comm")
STAYS = "what was done stays, and is not done twice"
_dask: Any = distributed
"""It has no types."""
B = TypeVar("B")
R = TypeVar("R")


@dataclass(frozen=True)
class Report(Generic[R]):
    """What a worker says of a batch: what became of it, or an error that no second try mends."""

    worker: str
    result: R | MetasnapshotError


@contextmanager
def connected(scheduler: Scheduler) -> Generator[Any]:
    """A client of a scheduler, for the block.

    Raises:
        SchedulerUnavailable: it cannot be reached, or goes away.
        UsageError: TLS is not set up as it must be.
    """
    with _quiet():
        client = _client(scheduler)
        try:
            yield client
        except (CancelledError, TimeoutError, CommClosedError) as error:
            raise SchedulerUnavailable(
                f"the scheduler at {scheduler.address} went away: {_words(error)}",
                hint=f"{STAYS}: run the command again when the scheduler is back",
            ) from error
        finally:
            with suppress(OSError, TimeoutError, CancelledError):
                client.close(timeout=POLL_S)


def require_workers(scheduler: Scheduler) -> None:
    """See that a scheduler answers and has a worker.

    Raises:
        SchedulerUnavailable: it does not, or has none.
        UsageError: TLS is not set up as it must be.
    """
    with connected(scheduler) as client:
        Fleet(client).wait_for_workers()


class Fleet:
    """The workers of a cluster, which come and go."""

    def __init__(self, client: Any, limit: int | None = None) -> None:
        """Look at nothing yet.

        Args:
            client: of the cluster.
            limit: bytes a second that they may read, all together.
        """
        self._client, self._limit = client, limit
        self._threads, self._looked = 0, 0.0
        self._rates: dict[int, int] = {}
        self._done = SimpleQueue[int]()

    def wait_for_workers(self) -> None:
        """Wait until there is a worker.

        Raises:
            SchedulerUnavailable: there is none for long.
        """
        until = time.monotonic() + CONNECT_S
        while not self._workers():
            if time.monotonic() > until:
                address = self._client.scheduler.address
                raise SchedulerUnavailable(
                    f"the scheduler at {address} has no workers", hint=f"dask worker {address}"
                )
            time.sleep(POLL_S / 5)

    def require_same(self, errand: Errand) -> None:
        """See that every worker sees what the sender of an errand sees.

        Raises:
            UsageError: one does not, or has another metasnapshot.
            SchedulerUnavailable: one does not answer.
        """
        self.wait_for_workers()
        run = self._client._run  # noqa: SLF001 - the public one waits for ever
        found: dict[str, Any] = self._client.sync(
            run, sight, errand, on_error="return", callback_timeout=ANSWER_S
        )
        for worker, answer in sorted(found.items()):
            if isinstance(answer, (ImportError, AttributeError)):
                raise UsageError(
                    f"worker {worker} has not this metasnapshot: {_words(answer)}",
                    hint="install one version everywhere",
                ) from answer
            if isinstance(answer, BaseException):
                raise SchedulerUnavailable(
                    f"worker {worker} does not answer: {_words(answer)}",
                    hint="see its log; or take it away from the cluster",
                ) from answer
            require_same(errand, answer, worker)

    def work(
        self,
        act: Callable[..., R],
        words: tuple[Any, ...],
        batches: Iterable[Any],
        token: str,
    ) -> Iterator[tuple[str, R]]:
        """Have an act done with every batch, each by the next worker that is free.

        Args:
            act: takes where it is done, the words, and a batch.
            words: the same for all batches.
            batches: one after the other.
            token: of the run.

        Yields:
            Which worker did it, and what came of it.
        """
        todo, number = iter(batches), 0
        futures: dict[int, Any] = {}
        try:
            while True:
                while (rate := self._rate(len(futures))) is not None:
                    batch = next(todo, None)
                    if batch is None:
                        break
                    self._rates[number] = rate
                    futures[number] = self._submit(act, words, batch, number, token)
                    number += 1
                if not futures:
                    return
                ended = self._wait()
                del self._rates[ended]
                report = _report(futures.pop(ended))
                if isinstance(report.result, MetasnapshotError):
                    raise report.result
                yield report.worker, report.result
        finally:
            if futures and self._client.status == "running":
                self._client.cancel(list(futures.values()))

    def _submit(
        self, act: Callable[..., Any], words: tuple[Any, ...], batch: Any, number: int, token: str
    ) -> Any:
        future = self._client.submit(
            _on_worker,
            *(act, words, batch, self._rates[number]),
            key=f"metasnapshot-{token}-{number}",
            retries=RETRIES,
            pure=False,
        )
        future.add_done_callback(partial(self._end, number))
        return future

    def _end(self, number: int, _: Any) -> None:
        self._done.put(number)

    def _rate(self, count: int) -> int | None:
        """Bytes a second for one more batch, 0 for any number; None if there is to be none now. The
        shares of those under way are never more than the limit.
        """
        threads = max(self._thread_count(), 1)
        if self._limit is None:
            return 0 if count < AHEAD * threads else None
        share = max(self._limit // threads, 1)
        left = self._limit - sum(self._rates.values())
        if count and (count >= threads or left < share):
            return None
        return min(share, max(left, 1))

    def _thread_count(self) -> int:
        if time.monotonic() - self._looked > POLL_S or not self._threads:
            self._looked = time.monotonic()
            self._threads = sum(item["nthreads"] for item in self._workers().values())
        return self._threads

    def _workers(self) -> dict[str, Any]:
        return self._client.scheduler_info()["workers"]

    def _wait(self) -> int:
        """The number of a batch that has ended.

        Raises:
            SchedulerUnavailable: nobody works any more.
        """
        alone_since: float | None = None
        while True:
            with suppress(Empty):
                return self._done.get(timeout=POLL_S)
            if self._client.status != "running":
                raise CancelledError(f"the client is {self._client.status}")
            if self._workers():
                alone_since = None
                continue
            alone_since = alone_since or time.monotonic()
            if time.monotonic() - alone_since > LOST_S:
                raise SchedulerUnavailable(
                    "no worker is left", hint=f"{STAYS}: start workers, and run the command again"
                )


def _on_worker(act: Callable[..., R], words: tuple[Any, ...], batch: Any, rate: int) -> Report[R]:
    """What a worker does. An error that may pass is raised, so that the batch is begun again."""
    worker = _dask.get_worker()
    here = Here(worker.address, max(worker.state.nthreads, 1), rate)
    try:
        return Report(here.worker, act(here, *words, batch))
    except MetasnapshotError as error:
        if isinstance(error, StorageError) and not isinstance(error, ObjectMissing):
            raise
        return Report(here.worker, error)


def _report(future: Any) -> Report[Any]:
    try:
        return future.result()
    except KilledWorker as error:
        raise SchedulerUnavailable(
            f"workers died of one batch, again and again; the last was {error.last_worker.address}",
            hint=f"they may lack memory: less --memory, fewer --jobs; {STAYS}",
        ) from error
    except (MetasnapshotError, CancelledError, CommClosedError):
        raise
    except Exception as error:
        raise SchedulerUnavailable(
            f"a worker failed: {_words(error)}", hint=f"see its log; {STAYS}"
        ) from error


def _client(scheduler: Scheduler) -> Any:
    try:
        with socket.create_connection(scheduler.place, CONNECT_S):
            pass
        security = _security(scheduler)
        return _dask.Client(
            scheduler.address,
            security=security,
            timeout=CONNECT_S,
            set_as_default=False,
            name="metasnapshot",
        )
    except (ValueError, TypeError, FileNotFoundError) as error:
        raise UsageError(
            f"TLS to {scheduler.address}: {_words(error)}",
            hint="--scheduler-ca-file, --scheduler-cert-file and --scheduler-key-file, or Dask's "
            "own configuration (distributed.comm.tls)",
        ) from error
    except (OSError, TimeoutError) as error:
        raise SchedulerUnavailable(
            f"the scheduler at {scheduler.address} cannot be reached: {_words(error)}",
            hint="is one running there, and does it speak what the address says? dask scheduler",
        ) from error


def _security(scheduler: Scheduler) -> Any:
    """By options, and what they do not say by Dask's own configuration."""
    given = {
        "tls_ca_file": scheduler.ca_file,
        "tls_client_cert": scheduler.cert_file,
        "tls_client_key": scheduler.key_file,
    }
    said = {name: path for name, path in given.items() if path}
    return _dask.Security(require_encryption=scheduler.is_tls, **said)


def _words(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


@contextmanager
def _quiet() -> Generator[None]:
    """Errors are told once, by us."""
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    try:
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
