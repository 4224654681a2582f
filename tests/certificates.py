"""Certificates for tests: an authority, and a server's certificate that it signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificate(NamedTuple):
    """A certificate and its key."""

    signed: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def pem(signed: x509.Certificate) -> bytes:
    return signed.public_bytes(serialization.Encoding.PEM)


@cache
def make_authority(name: str) -> Certificate:
    return _make(name, None, None)


def authority() -> bytes:
    """An authority's certificate."""
    return pem(make_authority("tests").signed)


def write_server(directory: Path, name: str, address: str | None) -> None:
    """ca.pem, server.pem and server.key of a server of this name and address."""
    issuer = make_authority("tests")
    made = _make(name, issuer, address)
    (directory / "ca.pem").write_bytes(authority())
    (directory / "server.pem").write_bytes(pem(made.signed))
    form = serialization.PrivateFormat.PKCS8
    nothing = serialization.NoEncryption()
    key = made.key.private_bytes(serialization.Encoding.PEM, form, nothing)
    (directory / "server.key").write_bytes(key)


def _make(name: str, issuer: Certificate | None, address: str | None) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.signed.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if address is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return Certificate(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)
