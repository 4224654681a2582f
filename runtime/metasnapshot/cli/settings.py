"""Settings: the options that need not be typed. The command line wins over the environment, that
over metasnapshot.toml, that over the default.

Only what says *where* things are, and how deep to look, can be set. What asks for consent (--yes,
--clean) or changes what a command does must stand on its command line. A key that nobody knows is
an error: a setting with a typing error would otherwise be none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from metasnapshot import RetryPolicy
from metasnapshot.errors import UsageError

DEFAULTS = RetryPolicy()
ENVIRONMENT_PREFIX = "METASNAPSHOT_"
CONFIG_VARIABLE = f"{ENVIRONMENT_PREFIX}CONFIG"
PASSWORD_VARIABLE = f"{ENVIRONMENT_PREFIX}META_STORE_PASSWORD"
"""Password of the meta store. It stands in no file of settings; config show does not know it."""
COPY_VARIABLE = f"{ENVIRONMENT_PREFIX}COPY_STORAGE_URL"
"""How a worker of a Dask scheduler reaches the target of a copy; the command itself has --to."""
FILE_NAME = "metasnapshot.toml"
BACKUP_DIRECTORY = "backup"
"""Upstream's default of --backup-storage-directory. A server's own default is
{data_directory}/backup since 1.7."""
META_STORE_LOCK_WAIT = "30s"
DEFAULT = "default"
"""Where a value comes from that nobody set."""
NOT_SET = "not set"
HIDDEN = "****"
OUR_OWN = (
    ENVIRONMENT_PREFIX,
    *("RW_", "PG", "MYSQL_", "AWS_", "AZURE_", "AZBLOB_", "GOOGLE_", "OSS_", "OBS_", "FSSPEC_"),
    "STORAGE_EMULATOR_HOST",
)
"""How variables begin that we, or the clients of stores, read: places, keys and passwords."""


def _spelt(seconds: float) -> str:
    """A span of time as the options take it, in the largest unit that is whole: minutes from two
    of them on.
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m" if minutes > 1 and not rest else f"{round(seconds)}s"


class Setting(NamedTuple):
    """A setting: its place in metasnapshot.toml, its option, and whether its value is a secret
    but for a host or the name of a command.
    """

    table: str
    key: str
    option: str
    default: str | None = None
    is_secret: bool = False

    @property
    def variable(self) -> str:
        """Its variable in the environment."""
        return ENVIRONMENT_PREFIX + self.option.removeprefix("--").replace("-", "_").upper()

    def shown(self, text: str) -> str:
        """A value of it, without secrets."""
        from metasnapshot import shown_url  # noqa: PLC0415 - only what is shown needs it

        plain = shown_url(text)
        if not self.is_secret:
            return plain
        end = re.match(r"\s*(?:[A-Za-z][\w+.-]*://[^/?#\s]*|\S*)", plain)
        kept = end[0] if end else ""
        return kept if kept == plain else f"{kept} {HIDDEN}"


SETTINGS = (
    Setting("meta_store", "url", "--meta-store"),
    Setting("meta_store", "password_file", "--meta-store-password-file"),
    Setting("meta_store", "lock_wait", "--meta-store-lock-wait", META_STORE_LOCK_WAIT),
    Setting("storage", "backup_storage_url", "--backup-storage-url"),
    Setting("storage", "backup_storage_directory", "--backup-storage-directory", BACKUP_DIRECTORY),
    Setting("storage", "hummock_storage_url", "--hummock-storage-url"),
    Setting("storage", "hummock_storage_directory", "--hummock-storage-directory"),
    Setting("storage", "retries", "--storage-retries", str(DEFAULTS.retries)),
    Setting("storage", "timeout", "--storage-timeout", _spelt(DEFAULTS.timeout_s)),
    Setting("storage", "list_timeout", "--storage-list-timeout", _spelt(DEFAULTS.list_timeout_s)),
    Setting("storage", "ca_file", "--storage-ca-file"),
    Setting("storage", "retry_lock", "--retry-lock", _spelt(DEFAULTS.lock_wait_s)),
    Setting("storage", "file_mode", "--file-mode", "0600"),
    Setting("backup", "rw_version", "--rw-version"),
    Setting("verify", "level", "--level", "rows"),
    Setting("verify", "if_older_than", "--if-older-than"),
    Setting("audit", "log", "--audit-log"),
    Setting("events", "on_failure", "--on-failure", is_secret=True),
    Setting("events", "on_success", "--on-success", is_secret=True),
    Setting("events", "webhook", "--webhook", is_secret=True),
    Setting("events", "webhook_on", "--webhook-on", "any"),
    Setting("events", "timeout", "--hook-timeout", "30s"),
)
LOCATIONS = (
    "--meta-store",
    "--meta-store-password-file",
    "--backup-storage-url",
    "--backup-storage-directory",
    "--hummock-storage-url",
    "--hummock-storage-directory",
)
"""Settings that say where what belongs to one cluster is; a password is no other's either."""
FOLLOWING = tuple(item.option for item in SETTINGS if item.table in ("audit", "events"))
"""Options that say who is told of a run."""
_SERVICE = (
    rf"{ENVIRONMENT_PREFIX}(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?"
    r"|PORT_\d+_(?:TCP|UDP|SCTP)_(?:PROTO|PORT|ADDR))"
)
_ADDRESS = (
    rf"{ENVIRONMENT_PREFIX}(?:[A-Z0-9_]+_)?PORT(?:_\d+_(?:TCP|UDP|SCTP))?=(?:tcp|udp|sctp)://.*"
)
"""Variables that Kubernetes makes of services; one that has an address, with its value."""
_BY_OPTION = {setting.option: setting for setting in SETTINGS}


class Value(NamedTuple):
    """A setting's value and where it comes from."""

    text: str | None
    origin: str


def setting_of(option: str) -> Setting | None:
    """The setting that an option is; None if it must be typed."""
    return _BY_OPTION.get(option)


class File(NamedTuple):
    """What a file sets.

    Attributes:
        place: its path, for messages.
        values: what it sets by option, outside of any cluster's table.
        clusters: what the table of each cluster sets.
    """

    place: str
    values: dict[str, Value]
    clusters: dict[str, dict[str, Value]]


def read_file(path: Path | None) -> File:
    """What a file sets.

    Args:
        path: the file; None for metasnapshot.toml in the working directory, if it is there.

    Raises:
        UsageError: it cannot be read, is no TOML, or has a key that is no setting.
    """
    found = Path(FILE_NAME) if path is None else path
    if path is None and not found.is_file():
        return File(str(found), {}, {})
    import tomllib  # noqa: PLC0415 - most runs have no file

    try:
        document = tomllib.loads(found.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {found}: {error}", hint="check --config") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{found} is not TOML: {error}") from error
    has_clusters = "cluster" in document
    tables = document.pop("cluster", None)
    values = parse_values(str(found), document)
    if not has_clusters:
        return File(str(found), values, {})
    from metasnapshot.cli.clusters.tables import parse_clusters  # noqa: PLC0415 - few have them

    return File(str(found), values, parse_clusters(str(found), tables, values))


def parse_values(file: str, tables: Mapping[str, Any], above: str = "") -> dict[str, Value]:
    """What tables of settings set, by option.

    Args:
        file: its path, for messages.
        tables: by name.
        above: the table that they are in, with a dot behind it.

    Raises:
        UsageError: a key is no setting, or its value is no text.
    """
    known = {(item.table, item.key): item.option for item in SETTINGS}
    values: dict[str, Value] = {}
    for table, content in tables.items():
        for key, value in _pairs(content):
            option = known.get((table, key))
            name = f"{table}.{key}" if key else table
            if option is None:
                raise unknown(f"{file}: unknown key {above}{name}", name, map(".".join, known))
            if not isinstance(value, str):
                raise UsageError(f"{file}: {above}{name} is not a text", hint="put it in quotes")
            if "\0" in value:
                raise UsageError(f"{file}: {above}{name} contains a zero byte (NUL)")
            values[option] = Value(value, f"{file}, {above}{name}")
    return values


def check_environment(environment: Mapping[str, str] | None = None) -> None:
    """Refuse METASNAPSHOT_ variables that set nothing.

    Raises:
        UsageError: there is one.
    """
    variables = os.environ if environment is None else environment
    known = [
        CONFIG_VARIABLE,
        PASSWORD_VARIABLE,
        COPY_VARIABLE,
        *(item.variable for item in SETTINGS),
    ]
    for name, value in variables.items():
        is_ours = name.startswith(ENVIRONMENT_PREFIX)
        if is_ours and name not in known and not _is_of_kubernetes(name, value):
            raise unknown(f"unknown environment variable {name}", name, known)


def is_our_own(name: str) -> bool:
    """Whether a variable of the environment is one that we, or a client of a store, read."""
    return name.startswith(OUR_OWN)


def _is_of_kubernetes(name: str, value: str) -> bool:
    """Whether a variable is one that Kubernetes gives every container of a namespace in which a
    service has our name, or one that begins with it.
    """
    return bool(re.fullmatch(_SERVICE, name) or re.fullmatch(_ADDRESS, f"{name}={value}"))


def require_text(words: Iterable[str]) -> None:
    """Refuse what no system call takes: a byte of zero, which ends a text for all of them.

    Raises:
        UsageError: there is one.
    """
    for word in words:
        if "\0" in word:
            place = word.partition("=")[0] if word.startswith("--") else "an argument"
            raise UsageError(f"{place.partition(chr(0))[0]} contains a zero byte (NUL)")


def resolve(values: Mapping[str, Value]) -> dict[Setting, Value]:
    """Every setting with its value and origin, the command line aside."""
    found: dict[Setting, Value] = {}
    for item in SETTINGS:
        if item.variable in os.environ:
            found[item] = Value(os.environ[item.variable], f"environment, {item.variable}")
        elif item.option in values:
            found[item] = values[item.option]
        else:
            found[item] = Value(item.default, DEFAULT if item.default else NOT_SET)
    return found


def is_followed(values: Mapping[str, Value], typed: Mapping[str, str | None]) -> bool:
    """Whether anybody is to be told of a run, by what is set or by what was typed."""
    known = resolve(values)
    followers = [item for item in known if item.option in FOLLOWING and not item.default]
    return any(known[item].text or typed.get(item.option) is not None for item in followers)


def _pairs(content: Any) -> list[tuple[str, Any]]:
    """The keys of a table; a key outside any table is a table's name with nothing in it."""
    if not isinstance(content, dict):
        return [("", content)]
    return list(cast("dict[str, Any]", content).items())


def unknown(text: str, name: str, known: Iterable[str], otherwise: str = "") -> UsageError:
    """The error of a name that nobody knows; its hint has the nearest one that is known.

    Args:
        text: what is wrong.
        name: the name.
        known: those that there are.
        otherwise: the hint if none is near; by default it names them all.
    """
    import difflib  # noqa: PLC0415 - only an error wants it

    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    rest = otherwise or f"known: {', '.join(names)}"
    return UsageError(text, hint=f"did you mean {near[0]}?" if near else rest)
