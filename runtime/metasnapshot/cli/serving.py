"""The options of a verb that serves its metrics by HTTP."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from metasnapshot.cli.run import current
from metasnapshot.errors import UsageError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class MetricsPort:
    """Where metrics are served.

    Attributes:
        metrics_port: serve the metrics at this port too, as /metrics by HTTP.
        metrics_address: address of this host to serve them at; by default 127.0.0.1, which only
            this host reaches.
    """

    metrics_port: int | None = None
    metrics_address: str | None = None

    @contextmanager
    def served(self) -> Generator[None]:
        """Serve them while the block runs, if a port is given.

        Raises:
            UsageError: nobody can listen there, or there is an address alone.
            StorageError: the metrics file cannot be read.
        """
        if self.metrics_port is None:
            if self.metrics_address is not None:
                raise UsageError("--metrics-address means nothing without --metrics-port")
            yield
            return
        from metasnapshot.cli.metrics_port import served  # noqa: PLC0415 - loads asyncio

        metrics = current().metrics
        metrics.serve()
        with served(self.metrics_address or LOOPBACK, self.metrics_port, lambda: metrics.page):
            yield


UNSERVED = MetricsPort()
"""Nobody is served."""
