"""An S3 server over loopback: moto's, whose conditional puts are real. It holds its objects in
memory, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from typing import Any

import boto3  # pyright: ignore[reportMissingTypeStubs]
from servers import STOP_S, free_port, wait_for_port

KEYS = "key:s/e+c ret"
_numbers = count()


class S3Server:
    """A running server: makes buckets, and looks at them without the store under test."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._client = self.client("s3")

    def client(self, service: str) -> Any:
        """AWS's own client of one of the services that the server knows."""
        key, _, secret = KEYS.partition(":")
        return boto3.client(
            service,  # pyright: ignore[reportArgumentType]
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name="us-east-1",
        )

    def bucket(self) -> str:
        """A new bucket."""
        name = f"bucket-{os.getpid()}-{next(_numbers)}"
        self._client.create_bucket(Bucket=name)
        return name

    def minio(self, bucket: str, keys: str = KEYS) -> str:
        """A bucket's URL as RisingWave writes it."""
        return f"minio://{keys}@127.0.0.1:{self.port}/{bucket}"

    def write(self, bucket: str, path: str, data: bytes) -> None:
        """Put an object there."""
        self._client.put_object(Bucket=bucket, Key=path, Body=data)

    def read(self, bucket: str, path: str) -> bytes:
        """An object's bytes."""
        return bytes(self._client.get_object(Bucket=bucket, Key=path)["Body"].read())

    def uploads(self, bucket: str) -> list[Any]:
        """Uploads that have parts and no end."""
        return list(self._client.list_multipart_uploads(Bucket=bucket).get("Uploads", []))


@contextmanager
def s3_server(**environment: str) -> Generator[S3Server]:
    """A server for the block."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | environment,
    )
    try:
        wait_for_port(port, process)
        yield S3Server(port)
    finally:
        process.terminate()
        process.wait(STOP_S)
