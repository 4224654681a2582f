"""What AWS's own files and variables say, read as boto3 reads them: credentials, region, endpoint
and authorities of a profile.

The library knows variables, web identity, containers (pod identity) and the machine's role. It
knows no files. So where there are any, or a profile is named, botocore is asked, which knows all:
keys, roles to assume, processes, SSO. Keys in the environment come first, as there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from metasnapshot.errors import AuthenticationError, UsageError

INSTALL = "pip install 'metasnapshot[objects]'"
PROFILE = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
FILES = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
}
REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
ENDPOINT = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
DEFAULT_REGION = "us-east-1"
LIFE = timedelta(minutes=5)
"""How long credentials are used before botocore is asked again, which renews them long before."""
Provider = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class AwsSettings:
    """What a client of S3 needs to know.

    Attributes:
        region: of the bucket.
        endpoint: instead of AWS's own; "" for that.
        provider: gives credentials; None leaves it to the library.
        ca_file: authorities to trust besides; "" for none.
    """

    region: str = DEFAULT_REGION
    endpoint: str = ""
    provider: Provider | None = field(default=None, compare=False)
    ca_file: str = ""


def aws_settings() -> AwsSettings:
    """What the environment says, and the profile that it names.

    Raises:
        UsageError: the profile is not there, a file cannot be read, botocore is not installed.
        AuthenticationError: the profile gives no credentials, as after the end of an SSO session.
    """
    environment: Mapping[str, str] = os.environ
    region = _first(environment, REGION)
    endpoint = _first(environment, ENDPOINT)
    ca_file = environment.get("AWS_CA_BUNDLE", "")
    profile = _first(environment, PROFILE)
    if not profile and not any(map(_is_there, FILES)):
        return AwsSettings(region or DEFAULT_REGION, endpoint, None, ca_file)
    session = _session(profile)
    try:
        region = region or session.get_config_variable("region") or DEFAULT_REGION
        session.set_config_variable("region", region)  # of STS too
        found = AwsSettings(
            region,
            endpoint or _configured_endpoint(session),
            None if _has_keys(environment) else _provider(session, profile),
            ca_file or session.get_config_variable("ca_bundle") or "",
        )
    except (UsageError, AuthenticationError):
        raise
    except Exception as error:  # botocore's own kinds have a base, what it reads with has not
        raise _translated(error, profile) from error
    return found


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")


def _is_there(variable: str) -> bool:
    path = os.environ.get(variable) or FILES[variable]
    return Path(path).expanduser().is_file()


def _has_keys(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"))


def _session(profile: str) -> Any:
    try:
        botocore: Any = import_module("botocore.session")  # slow, and most have no profile
    except ImportError as error:
        what = f"profile {profile}" if profile else "~/.aws"
        raise UsageError(f"{what} is read by botocore: {error}", hint=INSTALL) from error
    logging.getLogger("botocore").addHandler(logging.NullHandler())  # we say what is wrong
    return botocore.Session(profile=profile or None)


def _configured_endpoint(session: Any) -> str:
    providers: Any = import_module("botocore.configprovider")
    scoped = session.get_scoped_config()
    asked = providers.ConfiguredEndpointProvider(session.full_config, scoped, "s3")
    return str(asked.provide() or "")


def _provider(session: Any, profile: str) -> Provider | None:
    """What gives the credentials of a profile; None where the library finds what there is."""
    credentials = session.get_credentials()
    if credentials is None:
        if profile:
            raise AuthenticationError(
                f"profile {profile} gives no credentials", hint=_hint(profile, is_sso=False)
            )
        return None

    def give() -> dict[str, Any]:
        try:
            frozen = credentials.get_frozen_credentials()
        except Exception as error:
            raise _translated(error, profile) from error
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + LIFE,
        }

    give()  # what is wrong with it is said now
    return give


def _translated(error: Exception, profile: str) -> UsageError | AuthenticationError:
    """The error of ours that stands for one of botocore's."""
    name, text = type(error).__name__, " ".join(str(error).split())
    if name in {"ProfileNotFound", "ConfigParseError", "InvalidConfigError", "ConfigNotFound"}:
        return UsageError(text, hint=f"check {', '.join(PROFILE[:1])} and {', '.join(FILES)}")
    is_sso = "SSO" in name or "Token" in name or "sso" in text.lower()
    what = f"profile {profile or 'default'} gives no credentials"
    return AuthenticationError(f"{what}: {text}", hint=_hint(profile, is_sso=is_sso))


def _hint(profile: str, *, is_sso: bool) -> str:
    option = f" --profile {profile}" if profile else ""
    return f"aws sso login{option}" if is_sso else f"aws sts get-caller-identity{option} says more"
