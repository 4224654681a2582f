"""A meta node's backup service over loopback, as far as its clients can tell: one job at a time, at
most about a hundred snapshots, the latest job remembered and forgotten with the process.
Source: src/meta/src/backup_restore/backup_manager.rs at v3.0.3.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc

from metasnapshot.format.messages import NEWEST, message_class

_grpc: Any = grpc
METHODS = {
    "BackupMeta": "backup_meta",
    "GetBackupJobStatus": "job_status",
    "DeleteMetaSnapshot": "delete_snapshots",
    "GetMetaSnapshotManifest": "manifest",
}
"""What of the service each method is."""
RUNNING, SUCCEEDED, NOT_FOUND, FAILED = 1, 2, 3, 4
SNAPSHOTS_MAX = 100


def message(name: str, **fields: Any) -> Any:
    return message_class(f"backup_service.{name}", NEWEST)(**fields)


class JobFailed(Exception):
    """Why a job made no snapshot."""


class BackupService(ABC):
    """The service's rules. What snapshots are, and where, a subclass says.

    A job ends when its status was asked for `polls_to_go` times: a test does between as it likes.
    `absences` says for each time whether the node is unavailable; `calls` is all that it heard.
    `tells` is what it answers to questions of other services, by their names; it knows no others.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.latest: tuple[int, int, str] | None = None
        self.remarks: str | None = None
        self.polls_to_go = 1
        self.absences: Iterator[bool] = iter(())
        self.calls: list[str] = []
        self.tells: dict[str, bytes] = {}

    @abstractmethod
    def begin(self) -> int:
        """Start a job; gives its id."""

    @abstractmethod
    def make(self, job: int) -> None:
        """Make the job's snapshot, or fail.

        Raises:
            JobFailed: it did.
        """

    @abstractmethod
    def entries(self) -> tuple[int, list[Any]]:
        """The manifest in memory: its id, and MetaSnapshotMetadata messages."""

    @abstractmethod
    def remove(self, ids: Iterable[int]) -> None:
        """Delete snapshots; unknown ids are no error."""

    def restart(self) -> None:
        """Jobs are forgotten, the manifest is not."""
        self.latest = None

    def backup_meta(self, request: Any, context: Any) -> Any:
        with self.lock:
            if self.latest is not None and self.latest[1] == RUNNING:
                self._refuse(
                    context,
                    f"concurrent backup job is not supported: existent job {self.latest[0]}",
                )
            if len(self.entries()[1]) > SNAPSHOTS_MAX:
                text = f"too many existent meta snapshots, expect at most {SNAPSHOTS_MAX}"
                self._refuse(context, text)
            job = self.begin()
            self.latest = (job, RUNNING, "")
            self.remarks = request.remarks if request.HasField("remarks") else None
            return message("BackupMetaResponse", job_id=job)

    def job_status(self, request: Any, context: Any) -> Any:
        with self.lock:
            if next(self.absences, False):
                context.abort(_grpc.StatusCode.UNAVAILABLE, "the node restarts")
            if self.latest is None or self.latest[0] != request.job_id:
                return message(
                    "GetBackupJobStatusResponse", job_id=request.job_id, job_status=NOT_FOUND
                )
            job, status, text = self.latest
            if status == RUNNING:
                self.polls_to_go -= 1
                if self.polls_to_go <= 0:
                    status, text = self._end(job)
            return message(
                "GetBackupJobStatusResponse", job_id=job, job_status=status, message=text
            )

    def delete_snapshots(self, request: Any, context: Any) -> Any:
        del context
        with self.lock:
            self.remove(request.snapshot_ids)
            return message("DeleteMetaSnapshotResponse")

    def manifest(self, request: Any, context: Any) -> Any:
        del request, context
        manifest_id, entries = self.entries()
        found = message("MetaSnapshotManifest", manifest_id=manifest_id, snapshot_metadata=entries)
        return message("GetMetaSnapshotManifestResponse", manifest=found)

    def _end(self, job: int) -> tuple[int, str]:
        try:
            self.make(job)
        except JobFailed as error:
            self.latest = (job, FAILED, f"failed backup job {job}: {error}")
        else:
            self.latest = (job, SUCCEEDED, "")
        return self.latest[1:]

    def _refuse(self, context: Any, text: str) -> None:
        context.abort(_grpc.StatusCode.UNKNOWN, text)


class FakeMetaNode(BackupService):
    """One whose snapshots are only entries of a manifest in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.sequence = 1
        self.manifest_id = 0
        self.snapshots: list[Any] = []
        self.failure = ""

    def begin(self) -> int:
        self.sequence += 1
        return self.sequence - 1

    def make(self, job: int) -> None:
        if self.failure:
            raise JobFailed(self.failure)
        made = message("MetaSnapshotMetadata", id=job, hummock_version_id=job + 100)
        made.format_version, made.rw_version = 2, "3.0.3"
        if self.remarks is not None:
            made.remarks = self.remarks
        self.snapshots.append(made)
        self.manifest_id += 1

    def entries(self) -> tuple[int, list[Any]]:
        return self.manifest_id, self.snapshots

    def remove(self, ids: Iterable[int]) -> None:
        gone = set(ids)
        self.snapshots = [item for item in self.snapshots if item.id not in gone]
        self.manifest_id += 1


@contextmanager
def serve(node: BackupService, address: str = "127.0.0.1:0") -> Generator[str]:
    """Serve a node on loopback; gives its URL."""
    server = _grpc.server(futures.ThreadPoolExecutor(4))
    handlers = {name: _handler(name, node, getattr(node, own)) for name, own in METHODS.items()}
    service = _grpc.method_handlers_generic_handler("backup_service.BackupService", handlers)
    server.add_generic_rpc_handlers((service, _Others(node)))
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


class _Others(_grpc.GenericRpcHandler):
    """The node's other services."""

    def __init__(self, node: BackupService) -> None:
        self._node = node

    def service(self, handler_call_details: Any) -> Any:
        name = str(handler_call_details.method).rpartition("/")[2]
        if name not in self._node.tells:
            return None
        return _grpc.unary_unary_rpc_method_handler(lambda *_: self._node.tells[name])


def _handler(name: str, node: BackupService, call: Callable[[Any, Any], Any]) -> Any:
    def heard(request: Any, context: Any) -> Any:
        node.calls.append(name)
        return call(request, context)

    request = message_class(f"backup_service.{name}Request", NEWEST)
    answer = message_class(f"backup_service.{name}Response", NEWEST)
    return _grpc.unary_unary_rpc_method_handler(
        heard,
        request_deserializer=request.FromString,
        response_serializer=answer.SerializeToString,
    )
