"""A cluster's own backups, made and deleted by its meta node: the only ones that it pins at once.

What a meta node says is text: its known refusals become errors of ours. It remembers only its
latest job, and forgets that when it restarts. Source: proto/backup_service.proto,
src/meta/src/backup_restore/backup_manager.rs, src/rpc_client/src/meta_client.rs.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import BytesValue, StringValue

from metasnapshot.errors import (
    AuthenticationError,
    ConflictError,
    MetaNodeError,
    MetaNodeUnavailable,
    UsageError,
)
from metasnapshot.format.messages import NEWEST, message_class
from metasnapshot.store.shown_url import shown_url

SERVICE = "backup_service.BackupService"
RUNNING, SUCCEEDED, NOT_FOUND, FAILED = 1, 2, 3, 4
CALL_TIMEOUT_S = 30.0
DELETE_TIMEOUT_S = 300.0
POLL_S = 1.0
"""As risectl polls."""
SILENCE_MAX_S = 60.0
"""How long a node that runs a job may not answer."""
PROBE_TIMEOUT_S = 5.0
_grpc: Any = grpc


@dataclass(frozen=True)
class MetaSnapshot:
    """A snapshot as the meta node tells of it, by its manifest in memory."""

    id: int
    hummock_version_id: int
    format_version: int
    state_tables: int
    rw_version: str | None
    remarks: str | None


class MetaNode:
    """A meta node's backup service. `url` is where it is."""

    def __init__(self, url: str, channel: Any) -> None:
        self.url = shown_url(url)
        self._channel = channel

    def backup(self, remarks: str | None, wait_s: float) -> int:
        """Have a snapshot made, and wait for it; returns its id, which is the job's.

        Args:
            remarks: a note (taken since 1.6).
            wait_s: how long to wait.

        Raises:
            ConflictError: another job runs.
            MetaNodeError: the job failed, was forgotten, or takes longer.
            MetaNodeUnavailable: the node does not answer, for longer than a restart takes.
        """
        job = self.start(remarks)
        self.wait(job, wait_s)
        return job

    def start(self, remarks: str | None) -> int:
        """Have a snapshot made; returns the id of the job, and of the snapshot.

        Args:
            remarks: a note (taken since 1.6).

        Raises:
            ConflictError: another job runs.
            MetaNodeError: there are too many snapshots.
            MetaNodeUnavailable: the node did not answer; it may have begun all the same.
        """
        request = {"remarks": remarks} if remarks is not None else {}
        return int(self._call("BackupMeta", request).job_id)

    def runs(self, job: int) -> bool:
        """Whether a job is still at work."""
        return bool(self._call("GetBackupJobStatus", {"job_id": job}).job_status == RUNNING)

    def wait(self, job: int, wait_s: float) -> None:
        """Wait for a job that makes a snapshot.

        Args:
            job: its id.
            wait_s: how long to wait.

        Raises:
            MetaNodeError: the job failed, was forgotten, or takes longer.
            MetaNodeUnavailable: the node does not answer, for longer than a restart takes.
        """
        deadline = time.monotonic() + wait_s
        while True:
            found = self._status(job)
            if found.job_status == SUCCEEDED:
                return
            if found.job_status == FAILED:
                raise MetaNodeError(f"backup job {job} failed: {found.message}")
            if found.job_status != RUNNING:
                raise MetaNodeError(
                    f"the meta node knows nothing of backup job {job}",
                    hint="it restarted, or ended another job since; `list --via-meta` says whether "
                    "the snapshot is there",
                )
            if time.monotonic() > deadline:
                raise MetaNodeError(
                    f"backup job {job} still runs after {wait_s:g} s",
                    hint="the job goes on; `list --via-meta` says when its snapshot is there",
                )
            time.sleep(POLL_S)

    def _status(self, job: int) -> Any:
        """The status of a job; a node that does not answer may just restart."""
        deadline = time.monotonic() + SILENCE_MAX_S
        while True:
            try:
                return self._call("GetBackupJobStatus", {"job_id": job})
            except MetaNodeUnavailable as error:
                if time.monotonic() > deadline:
                    error.hint = (
                        f"backup job {job} may go on; `list --via-meta` says whether its snapshot "
                        "is there"
                    )
                    raise
            time.sleep(POLL_S)

    def delete(self, ids: Sequence[int]) -> None:
        """Have snapshots deleted; like the meta node, take no notice of unknown ids."""
        self._call("DeleteMetaSnapshot", {"snapshot_ids": list(ids)}, DELETE_TIMEOUT_S)

    def manifest(self) -> tuple[int, list[MetaSnapshot]]:
        """The manifest in its memory: id and snapshots."""
        found = self._call("GetMetaSnapshotManifest", {}).manifest
        return int(found.manifest_id), [
            MetaSnapshot(
                item.id,
                item.hummock_version_id,
                item.format_version,
                len(item.state_table_info),
                item.rw_version if item.HasField("rw_version") else None,
                item.remarks if item.HasField("remarks") else None,
            )
            for item in found.snapshot_metadata
        ]

    def cluster_id(self) -> str | None:
        """Its cluster, which it says as its tracking id; None if it says none."""
        said = self._tell("meta.TelemetryInfoService/GetTelemetryInfo", StringValue)
        return None if said is None else said.value or None

    def parameters(self) -> dict[str, str] | None:
        """Its system parameters that are texts; None if it does not say them."""
        said = self._tell("meta.SystemParamsService/GetSystemParams", BytesValue)
        if said is None:
            return None
        try:
            found = message_class("meta.SystemParams", NEWEST).FromString(said.value)
        except DecodeError:
            return None
        pairs = ((field.name, value) for field, value in found.ListFields())
        return {name: value for name, value in pairs if isinstance(value, str)}

    def _tell(self, method: str, answer: Any) -> Any:
        """An answer whose first field alone is read; None from a node that knows no such question
        or does not answer this one.

        Raises:
            MetaNodeUnavailable: nobody is there.
        """
        call = self._channel.unary_unary(
            f"/{method}", request_serializer=bytes, response_deserializer=answer.FromString
        )
        try:
            return call(b"", timeout=CALL_TIMEOUT_S)
        except _grpc.RpcError as error:
            translated = self._translate(error)
            if isinstance(translated, MetaNodeUnavailable):
                raise translated from error
            return None

    def _call(self, method: str, fields: dict[str, Any], timeout_s: float = CALL_TIMEOUT_S) -> Any:
        package = SERVICE.partition(".")[0]
        question = message_class(f"{package}.{method}Request", NEWEST)
        answer = message_class(f"{package}.{method}Response", NEWEST)
        call = self._channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=question.SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            return call(question(**fields), timeout=timeout_s)
        except _grpc.RpcError as error:
            raise self._translate(error) from error

    def _translate(self, error: Any) -> MetaNodeError | ConflictError | AuthenticationError:
        text = f"{self.url}: {error.details()}"
        code = error.code()
        if "concurrent backup job" in text:
            return ConflictError(text, hint="wait until that job has ended")
        if "too many existent meta snapshots" in text:
            return MetaNodeError(text, hint="`metasnapshot delete --via-meta` deletes old ones")
        if code in (_grpc.StatusCode.UNAUTHENTICATED, _grpc.StatusCode.PERMISSION_DENIED):
            return AuthenticationError(text)
        if code in (_grpc.StatusCode.UNAVAILABLE, _grpc.StatusCode.DEADLINE_EXCEEDED):
            return MetaNodeUnavailable(text, hint="is the meta node up, and is its address right?")
        return MetaNodeError(text)


@contextmanager
def open_meta_node(url: str) -> Generator[MetaNode]:
    """Reach a meta node.

    Args:
        url: `http://host:5690`, as RW_META_ADDR has it; of several with commas between them the
            first that answers.

    Raises:
        UsageError: it is not valid.
    """
    *others, last = [(address, _channel(address)) for address in url.split(",")]
    try:
        address, channel = next((each for each in others if _answers(each[1])), last)
        yield MetaNode(address, channel)
    finally:
        for _, channel in (*others, last):
            channel.close()


def _answers(channel: Any) -> bool:
    """Whether somebody answers there soon."""
    try:
        _grpc.channel_ready_future(channel).result(timeout=PROBE_TIMEOUT_S)
    except _grpc.FutureTimeoutError:
        return False
    return True


def _channel(url: str) -> Any:
    scheme, separator, address = url.partition("://")
    address = address.rstrip("/")
    if (
        not separator
        or scheme not in ("http", "https")
        or set("/@?#%") & set(address)
        or not address
    ):
        raise UsageError("not the address of a meta node", hint="http://host:5690")
    if scheme == "http":
        return _grpc.insecure_channel(address)
    return _grpc.secure_channel(address, _grpc.ssl_channel_credentials())
