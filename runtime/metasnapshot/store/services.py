"""Clients of S3 and its kin, GCS and Azure, with the environment variables that RisingWave reads.

What its documentation does not name, the service's own variables (AWS_*, GOOGLE_*, AZURE_*), files
and instance metadata say, as its client has it. Facts: build_remote_object_store and the engines of
src/object_store/src/object/opendal_engine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from obstore.store import AzureStore, GCSStore, S3Store

from metasnapshot.errors import UsageError
from metasnapshot.store.location import Location
from metasnapshot.store.remote import Connect

CONNECT_TIMEOUT_S = 10.0
DEFAULT_REGION = "us-east-1"
MINIO_REGION = "custom"


def connector(place: Location) -> Connect:
    """What connects to the bucket of a location, with a timeout and options of retries.

    Raises:
        UsageError: the environment lacks a variable that the service needs.
    """
    make, options = _KINDS[place.service](place)
    endpoint = str(options.get("endpoint") or options.get("base_url") or "")

    def connect(timeout_s: float, retry: Any) -> Any:
        client: dict[str, Any] = {
            "timeout": timedelta(seconds=timeout_s),
            "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
            "allow_http": endpoint.startswith("http://"),
        }
        try:
            return make(place.bucket, config=options, client_options=client, retry_config=retry)
        except Exception as error:  # obstore's own kinds have no common base here
            text = " ".join(str(error).partition("\n")[0].split())
            raise UsageError(f"{place.url}: {text}", hint=_HINT) from error

    return connect


_HINT = "check the URL and the environment (docs/guide.md, object stores)"
_NOBODY = '{"private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": true}'
"""Writing takes a token even where nothing is signed; without this it is the machine's own."""


def _s3(_: Location) -> tuple[Any, dict[str, Any]]:
    options: dict[str, Any] = {}
    if endpoint := os.environ.get("RW_S3_ENDPOINT"):
        options["endpoint"] = endpoint
    if _is_path_style():
        options["virtual_hosted_style_request"] = False
    if not {"AWS_REGION", "AWS_DEFAULT_REGION"} & os.environ.keys():
        options["region"] = DEFAULT_REGION
    return S3Store, options


def _minio(place: Location) -> tuple[Any, dict[str, Any]]:
    key, _, secret = place.credentials.partition(":")
    return S3Store, {
        "endpoint": place.endpoint,
        "access_key_id": key,
        "secret_access_key": secret,
        "region": MINIO_REGION,
        "virtual_hosted_style_request": False,
    }


def _gcs(_: Location) -> tuple[Any, dict[str, Any]]:
    options: dict[str, Any] = {}
    if credentials := os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        options["application_credentials"] = credentials
    if emulator := os.environ.get("STORAGE_EMULATOR_HOST"):
        options = {"base_url": emulator, "skip_signature": True, "service_account_key": _NOBODY}
    return GCSStore, options


def _azblob(place: Location) -> tuple[Any, dict[str, Any]]:
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
    return AzureStore, found


def _oss(place: Location) -> tuple[Any, dict[str, Any]]:
    return _s3_kin(place, "OSS_ENDPOINT", "OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET")


def _obs(place: Location) -> tuple[Any, dict[str, Any]]:
    return _s3_kin(place, "OBS_ENDPOINT", "OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY")


def _s3_kin(place: Location, endpoint: str, key: str, secret: str) -> tuple[Any, dict[str, Any]]:
    """A service that speaks S3's protocol too; buckets are hosts of its endpoint, unless that is an
    address.
    """
    found = _environment(endpoint=endpoint, access_key_id=key, secret_access_key=secret)
    if missing := [
        name
        for name, option in ((endpoint, "endpoint"), (key, "access_key_id"))
        if option not in found
    ]:
        raise UsageError(f"{', '.join(missing)} is not set", hint=_HINT)
    address = str(found["endpoint"]).rstrip("/")
    scheme, _, host = address.rpartition("://")
    in_host = not _is_path_style() and not _is_address(host)
    found["endpoint"] = f"{scheme or 'https'}://{f'{place.bucket}.' if in_host else ''}{host}"
    return S3Store, {
        **found,
        "region": MINIO_REGION,
        "virtual_hosted_style_request": in_host,
    }


def _is_address(host: str) -> bool:
    try:
        ip_address(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
    return True


def _is_path_style() -> bool:
    return os.environ.get("RW_IS_FORCE_PATH_STYLE", "").lower() not in ("", "false")


def _environment(**names: str) -> dict[str, Any]:
    """Options by the variables that are set."""
    values: Mapping[str, str] = os.environ
    return {option: values[name] for option, name in names.items() if values.get(name)}


_KINDS = {
    "s3": _s3,
    "minio": _minio,
    "gcs": _gcs,
    "azblob": _azblob,
    "oss": _oss,
    "obs": _obs,
}
