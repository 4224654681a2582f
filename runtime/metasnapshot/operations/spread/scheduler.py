"""Which Dask scheduler is trusted to spread work. What speaks to a scheduler runs code on its
workers, and what speaks for one runs code here: its messages are pickles. So the line is TLS,
with certificates on both sides, or it does not leave this machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from metasnapshot.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ADDRESS = r"(?P<scheme>[a-z]+)://(?P<host>\[[0-9a-fA-F:.]+\]|[\w.-]+):(?P<port>\d{1,5})/?"
FORM = "tls://HOST:8786"
PORT_MAX = 65_535


@dataclass(frozen=True)
class Scheduler:
    """A Dask scheduler.

    Attributes:
        address: as tls://host:8786; tcp:// of this machine.
        is_insecure: a line without TLS may leave this machine.
        ca_file: who signed its certificate (PEM); "" for what Dask's own configuration says.
        cert_file: our certificate; "" for the same.
        key_file: its key; "" for the same.

    Raises:
        UsageError: it is no address, or the line would not be safe.
    """

    address: str
    is_insecure: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def __post_init__(self) -> None:
        found = re.fullmatch(_ADDRESS, self.address, re.ASCII)
        if found is None or found["scheme"] not in {"tls", "tcp"} or not self._has_port(found):
            raise UsageError("not the address of a Dask scheduler", hint=f"as {FORM}")
        if self.is_tls:
            return
        files = (self.ca_file, self.cert_file, self.key_file)
        if any(files):
            raise UsageError(f"{self.address}: tcp:// has no TLS", hint=f"as {FORM}")
        if found["host"] not in LOOPBACK and not self.is_insecure:
            raise UsageError(
                f"{self.address}: without TLS anybody on the way can run code here and on the "
                "workers",
                hint=f"{FORM}; or --insecure-scheduler, on a line that is yours alone",
            )

    @staticmethod
    def _has_port(found: re.Match[str]) -> bool:
        return 0 < int(found["port"]) <= PORT_MAX

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.address.partition("://")[2].rstrip("/").rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def is_tls(self) -> bool:
        """Whether the line is TLS."""
        return self.address.startswith("tls://")


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The workers of a Dask scheduler, or none.

    Attributes:
        scheduler: Dask scheduler whose workers do it, as tls://host:8786; by default this machine
            does.
        scheduler_ca_file: who signed its certificate; by default as Dask's configuration says.
        scheduler_cert_file: certificate to show it; by default the same.
        scheduler_key_file: key of that certificate; by default the same.
        insecure_scheduler: speak to it without TLS, also on another machine.

    Raises:
        UsageError: the scheduler is not to be trusted, or options are of none.
    """

    scheduler: str | None = None
    scheduler_ca_file: str | None = None
    scheduler_cert_file: str | None = None
    scheduler_key_file: str | None = None
    insecure_scheduler: bool = False

    def __post_init__(self) -> None:
        if self.dask is not None:
            return
        for item in fields(Workers):
            if getattr(self, item.name) != item.default:
                option = f"--{item.name.replace('_', '-')}"
                raise UsageError(f"{option} means nothing without --scheduler", hint=f"as {FORM}")

    @property
    def dask(self) -> Scheduler | None:
        """The scheduler; None for this machine."""
        if self.scheduler is None:
            return None
        files = (self.scheduler_ca_file, self.scheduler_cert_file, self.scheduler_key_file)
        return Scheduler(self.scheduler, self.insecure_scheduler, *(file or "" for file in files))


HERE = Workers()
"""This machine alone."""
