"""A meta node's backup service over loopback, as far as its clients can tell: one job at a time, at
most about a hundred snapshots, the latest job remembered and forgotten with the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
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


class FakeMetaNode:
    """Its state, and what a test may do to it. A job ends when `finish` says so."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sequence = 1
        self.manifest_id = 0
        self.snapshots: list[Any] = []
        self.latest: tuple[int, int, str] | None = None
        self.remarks: str | None = None
        self.polls_to_go = 1
        self.failure = ""

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
            if len(self.snapshots) > SNAPSHOTS_MAX:
                text = f"too many existent meta snapshots, expect at most {SNAPSHOTS_MAX}"
                self._refuse(context, text)
            job = self.sequence
            self.sequence += 1
            self.latest = (job, RUNNING, "")
            self.remarks = request.remarks if request.HasField("remarks") else None
            return message("BackupMetaResponse", job_id=job)

    def job_status(self, request: Any, context: Any) -> Any:
        del context
        with self.lock:
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
            gone = set(request.snapshot_ids)
            self.snapshots = [item for item in self.snapshots if item.id not in gone]
            self.manifest_id += 1
            return message("DeleteMetaSnapshotResponse")

    def manifest(self, request: Any, context: Any) -> Any:
        del request, context
        found = message(
            "MetaSnapshotManifest",
            manifest_id=self.manifest_id,
            snapshot_metadata=self.snapshots,
        )
        return message("GetMetaSnapshotManifestResponse", manifest=found)

    def _end(self, job: int) -> tuple[int, str]:
        if self.failure:
            self.latest = (job, FAILED, f"failed backup job {job}: {self.failure}")
            return self.latest[1:]
        made = message("MetaSnapshotMetadata", id=job, hummock_version_id=job + 100)
        made.format_version, made.rw_version = 2, "3.0.3"
        if self.remarks is not None:
            made.remarks = self.remarks
        self.snapshots.append(made)
        self.manifest_id += 1
        self.latest = (job, SUCCEEDED, "")
        return self.latest[1:]

    def _refuse(self, context: Any, text: str) -> None:
        context.abort(_grpc.StatusCode.UNKNOWN, text)


@contextmanager
def serve(node: FakeMetaNode) -> Generator[str]:
    """Serve a node on loopback; gives its URL."""
    server = _grpc.server(futures.ThreadPoolExecutor(4))
    handlers = {name: _handler(name, getattr(node, own)) for name, own in METHODS.items()}
    service = _grpc.method_handlers_generic_handler("backup_service.BackupService", handlers)
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def _handler(name: str, call: Callable[[Any, Any], Any]) -> Any:
    request = message_class(f"backup_service.{name}Request", NEWEST)
    answer = message_class(f"backup_service.{name}Response", NEWEST)
    return _grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=request.FromString,
        response_serializer=answer.SerializeToString,
    )
