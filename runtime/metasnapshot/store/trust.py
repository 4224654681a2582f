"""Whose certificates are trusted besides the system's authorities."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from metasnapshot.errors import UsageError

_file = ""


def set_ca_file(path: str) -> None:
    """The file of authorities for the stores that are opened from now on in this process."""
    global _file  # noqa: PLW0603 - one setting for all verbs, made before any of them runs
    _file = path


@contextmanager
def ca_file_kept() -> Generator[None]:
    """After the block the file is the one of before, whatever was set in it."""
    before = ca_file()
    try:
        yield
    finally:
        set_ca_file(before)


def ca_file() -> str:
    """That file; "" for none."""
    return _file


def read_authorities(path: str, origin: str) -> bytes | None:
    """The authorities in a file, as PEM; None for no file.

    Args:
        path: of the file; "" for none.
        origin: which option or variable names it.

    Raises:
        UsageError: it cannot be read, or has no certificate.
    """
    if not path:
        return None
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise UsageError(f"{origin}: {path}: {error.strerror}", hint="check the path") from error
    import ssl  # noqa: PLC0415 - most have no such file

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=data.decode())
    except (ssl.SSLError, ValueError) as error:
        hint = "a file of certificates in PEM is wanted"
        raise UsageError(f"{origin}: {path} has no certificate: {error}", hint=hint) from error
    return data
