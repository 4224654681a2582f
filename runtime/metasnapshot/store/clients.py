"""Clients of S3 and its kin, GCS and Azure, with the environment variables that RisingWave reads.

What its documentation does not name, the service's own variables (AWS_*, GOOGLE_*, AZURE_*), files
and instance metadata say, as its client has it. Facts: build_remote_object_store and the engines of
src/object_store/src/object/opendal_engine.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from obstore.store import AzureStore, GCSStore, S3Store

from metasnapshot.errors import UsageError
from metasnapshot.store.aws import aws_settings
from metasnapshot.store.pages import BLOB_PAGES, S3_PAGES, Dialect
from metasnapshot.store.questions import (
    azure_question,
    fetch,
    google_question,
    listed,
    s3_options,
    signed_headers,
)
from metasnapshot.store.services import Location, find_service, load
from metasnapshot.store.trust import read_authorities

CONNECT_TIMEOUT_S = 10.0
MINIO_REGION = "custom"
CHECKSUM = "SHA256"
CHECKSUM_HEADER = "x-amz-sdk-checksum-algorithm"


@dataclass(frozen=True)
class Connector:
    """Makes clients of the bucket of a location.

    Attributes:
        place: where it is.
        make: obstore's class.
        options: its configuration.
        more: its arguments besides, such as who gives credentials.
        authorities: certificates in PEM that are trusted besides the system's.
        dialect: how its lists are asked for and read.
    """

    place: Location
    make: Any
    options: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict[str, Any])
    authorities: bytes | None = None
    dialect: Dialect = S3_PAGES

    @property
    def endpoint(self) -> str:
        """The address of its service, or of the bucket; "" where the library knows it."""
        return str(self.options.get("endpoint") or self.options.get("base_url") or "")

    def beside(self, source: object) -> tuple[Connector, str] | None:
        """What makes clients that copy from another bucket into this one, and what stands before
        a key of this one then; None if both are not within the reach of one client.

        A client has one bucket. One of the source's that is given the address of this bucket names
        the source in a header, and sends it here.
        """
        if not isinstance(source, Connector) or self._reach() != source._reach():  # noqa: SLF001
            return None
        if not _speaks_s3(self.place):
            return (self, "") if self.place.bucket == source.place.bucket else None
        is_host = _is_host(self.options)
        options = {
            **self.options,
            "endpoint": _bucket_endpoint(self.place, self.options),
            "virtual_hosted_style_request": True,
        }
        if not is_host:
            options["endpoint"] = str(options["endpoint"]).removesuffix(f"/{self.place.bucket}")
        found = replace(self, place=self.place._replace(bucket=source.place.bucket))
        prefix = "" if is_host else f"{self.place.bucket}/"
        return replace(found, options=options), prefix

    def _reach(self) -> tuple[object, ...]:
        """What is the same for buckets that one client may copy between."""
        place, options = self.place, dict(self.options)
        endpoint = str(options.pop("endpoint", "")).replace(f"://{place.bucket}.", "://", 1)
        return place.service, place.account, endpoint, sorted(options.items(), key=str)

    def __call__(self, timeout_s: float, retry: Any, checksums: int = 0) -> Any:
        """A client.

        Args:
            timeout_s: what a request may take.
            retry: options of retries.
            checksums: 1 for objects that are sent with one, 2 for ones that say so beforehand.

        Raises:
            UsageError: the library takes no such options.
        """
        return self._client(dict(self.options), timeout_s, retry, checksums)

    def answer(self, query: str, timeout_s: float, retry: Any) -> bytes:
        """What the bucket answers to a query, without the library's reading of it.

        Raises:
            MetasnapshotError: nothing, or the credentials do not do for asking.
        """
        if _speaks_s3(self.place):
            asking = s3_options(self.place, self.options, query)
            return listed(self._client(asking, timeout_s, retry), self.place.url)
        asked = (
            azure_question(self.place, self.options, query)
            if self.make is AzureStore
            else google_question(self.place, self.make, self.options, query)
        )
        return fetch(asked, self.place.url, timeout_s, self.authorities)

    def headers(self, key: str, timeout_s: float) -> dict[str, str] | None:
        """What a HEAD of an object says, by names in small letters, for the library reads only some
        of it; nothing where the credentials do not do for asking, None if there is none.
        """
        return signed_headers(
            self._client(dict(self.options), timeout_s, None), key, timeout_s, self.authorities
        )

    def _client(
        self, config: dict[str, Any], timeout_s: float, retry: Any, checksums: int = 0
    ) -> Any:
        client: dict[str, Any] = {
            "timeout": timedelta(seconds=timeout_s),
            "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
            "allow_http": self.endpoint.startswith("http://"),
        }
        if self.authorities is not None:
            client["root_certificate"] = self.authorities
        if checksums and _speaks_s3(self.place):
            config["checksum_algorithm"] = CHECKSUM
            if checksums > 1:
                client["default_headers"] = {CHECKSUM_HEADER: CHECKSUM}
        try:
            return self.make(
                self.place.bucket,
                config=config,
                client_options=client,
                retry_config=retry,
                **self.more,
            )
        except Exception as error:  # obstore's own kinds have no common base here
            text = _VALUE.sub(r"\1, expected", str(error))
            text = " ".join(text.partition("\n")[0].split())
            raise UsageError(f"{self.place.url}: {text}", hint=_HINT) from error


def connector(place: Location, ca_file: str = "") -> Connector:
    """What connects to the bucket of a location.

    Args:
        place: where it is.
        ca_file: file of authorities to trust besides the system's; "" for none.

    Raises:
        UsageError: the environment lacks a variable that the service needs.
    """
    row = find_service(place.service)
    if row is None or not row.connects:
        raise UsageError(f"{place.url} is no bucket")
    found: Connector = load(row.connects)(place)
    trusted = read_authorities(ca_file, "--storage-ca-file")
    return found if trusted is None else replace(found, authorities=trusted)


def _speaks_s3(place: Location) -> bool:
    row = find_service(place.service)
    return row is not None and row.speaks_s3


def _bucket_endpoint(place: Location, options: dict[str, Any]) -> str:
    """The address of a bucket of S3's protocol."""
    endpoint = str(options.get("endpoint") or f"https://s3.{options['region']}.amazonaws.com")
    return endpoint if _is_host(options) else f"{endpoint.rstrip('/')}/{place.bucket}"


def _is_host(options: dict[str, Any]) -> bool:
    """Whether a bucket of S3's protocol is a host of its own."""
    return str(options.get("virtual_hosted_style_request", False)).lower() == "true"


_HINT = "check the URL and the environment (docs/object-stores.md)"
_VALUE = re.compile(r"(?s)\b(string|variant) .*, expected")
"""What stands in a key file where it should not, in a message of the library's; it may be a key."""
_S3 = {"disable_bulk_delete": True}
"""One object is deleted at a time, which every service offers, and refuses in plain words."""
_NOBODY = '{"private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": true}'
"""Writing takes a token even where nothing is signed; without this it is the machine's own."""


def s3(place: Location) -> Connector:
    """AWS, or what speaks its protocol at RW_S3_ENDPOINT."""
    settings = aws_settings()
    options: dict[str, Any] = {**_S3, "region": settings.region}
    if endpoint := os.environ.get("RW_S3_ENDPOINT"):
        options |= _addressed(place.bucket, endpoint)
    elif settings.endpoint:
        options["endpoint"] = settings.endpoint
    if metadata := os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        options["metadata_endpoint"] = metadata.rstrip("/")
    more = {} if settings.provider is None else {"credential_provider": settings.provider}
    trusted = read_authorities(settings.ca_file, "AWS_CA_BUNDLE")
    return Connector(place, S3Store, options, more, trusted)


def minio(place: Location) -> Connector:
    """MinIO, with address and keys in the URL."""
    key, _, secret = place.credentials.partition(":")
    options = {
        **_S3,
        "endpoint": place.endpoint,
        "access_key_id": key,
        "secret_access_key": secret,
        "region": MINIO_REGION,
        "virtual_hosted_style_request": False,
    }
    return Connector(place, S3Store, options)


def gcs(place: Location) -> Connector:
    """Google's, by key or as the machine."""
    options: dict[str, Any] = {}
    if credentials := os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        options = _google_credentials(credentials)
    if emulator := os.environ.get("STORAGE_EMULATOR_HOST"):
        options = {"base_url": emulator, "skip_signature": True, "service_account_key": _NOBODY}
    return Connector(place, GCSStore, options)


def _google_credentials(value: str) -> dict[str, Any]:
    """A file's path; or what is in such a file, plainly or as base64, as RisingWave's client has
    it. Messages do not show it: it may be a key.
    """
    if os.path.isfile(value):  # noqa: PTH113 - Path's raises where a key is too long for a name
        return {"application_credentials": value}
    with suppress(ValueError):
        value = b64decode(value, validate=True).decode()
    if not value.lstrip().startswith("{"):
        raise UsageError(
            "GOOGLE_APPLICATION_CREDENTIALS is neither a file nor the key of a service account",
            hint="give the path of its JSON file, or its content as base64",
        )
    return {"service_account_key": value}


def azblob(place: Location) -> Connector:
    """Azure's."""
    found = _environment(
        endpoint="AZBLOB_ENDPOINT",
        account_name="AZBLOB_ACCOUNT_NAME",
        account_key="AZBLOB_ACCOUNT_KEY",
    )
    if place.account:
        found["account_name"] = place.account
    elif "endpoint" not in found and "AZURE_STORAGE_ACCOUNT_NAME" not in os.environ:
        raise UsageError("azblob:// needs AZBLOB_ENDPOINT", hint=_HINT)
    if "endpoint" in found:
        found["endpoint"] = str(found["endpoint"]).rstrip("/")
    return Connector(place, AzureStore, found, dialect=BLOB_PAGES)


def oss(place: Location) -> Connector:
    """Alibaba's, by S3's protocol."""
    return _s3_kin(place, "OSS_ENDPOINT", "OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET")


def obs(place: Location) -> Connector:
    """Huawei's, by S3's protocol."""
    return _s3_kin(place, "OBS_ENDPOINT", "OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY")


def _s3_kin(place: Location, endpoint: str, key: str, secret: str) -> Connector:
    """A service that speaks S3's protocol too."""
    found = _environment(endpoint=endpoint, access_key_id=key, secret_access_key=secret)
    if missing := [
        name
        for name, option in ((endpoint, "endpoint"), (key, "access_key_id"))
        if option not in found
    ]:
        raise UsageError(f"{', '.join(missing)} is not set", hint=_HINT)
    options = {**_S3, **found, "region": MINIO_REGION}
    return Connector(place, S3Store, options | _addressed(place.bucket, found["endpoint"]))


def _addressed(bucket: str, endpoint: str) -> dict[str, Any]:
    """An endpoint of S3's protocol: buckets are hosts of it, unless it is an address or
    RW_IS_FORCE_PATH_STYLE says otherwise.
    """
    scheme, _, host = endpoint.rstrip("/").rpartition("://")
    in_host = not _is_path_style() and not _is_address(host)
    return {
        "endpoint": f"{scheme or 'https'}://{f'{bucket}.' if in_host else ''}{host}",
        "virtual_hosted_style_request": in_host,
    }


def _is_address(host: str) -> bool:
    """Whether a host has no hosts below it: an address, or this machine."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ip_address(name)
    except ValueError:
        return name == "localhost"
    return True


def _is_path_style() -> bool:
    return os.environ.get("RW_IS_FORCE_PATH_STYLE", "").lower() not in ("", "false")


def _environment(**names: str) -> dict[str, Any]:
    """Options by the variables that are set."""
    values: Mapping[str, str] = os.environ
    return {option: values[name] for option, name in names.items() if values.get(name)}
