"""Whose certificates are trusted besides the system's authorities."""

from __future__ import annotations

from pathlib import Path

from metasnapshot.errors import UsageError


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
        hint = "give a file of certificates in PEM"
        raise UsageError(f"{origin}: {path} has no certificate: {error}", hint=hint) from error
    return data
