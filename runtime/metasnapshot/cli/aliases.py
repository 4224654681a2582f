"""risectl's names: commands and options of RisingWave's own backup tools, translated into ours, so
that scripts go on working. One table of commands, one of options, and the --sql-* family, which
comes to one URL.

Source: src/ctl/src/lib.rs and src/meta/src/backup_restore/restore.rs of 0.1.15 to 3.0.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from metasnapshot.errors import UsageError
from metasnapshot.metastore.url import DRIVERS

COMMANDS = {
    "backup-meta": "backup",
    "restore-meta": "restore",
    "delete-meta-snapshots": "delete",
    "create-meta-store-schema": "create-schema",
}
PREFIXES = ("ctl", "meta")
"""Words that stand before a command of risectl's."""
OPTIONS = {
    "--storage-url": "--backup-storage-url",
    "--storage-directory": "--backup-storage-directory",
    "--hummock-storage-dir": "--hummock-storage-directory",
    "--read-retry-attempts": "--storage-retries",
}
"""Former names, of releases up to 0.18 and up to 1.2; and one that others have here."""
MILLISECONDS = {"--read-attempt-timeout-ms": "--storage-timeout"}
"""Options whose values are milliseconds."""
POSITIONAL = ("--meta-snapshot-id", "--snapshot-ids")
"""Options whose values are our ids; several stand with commas between them."""
SQL = (
    "--meta-store-type",
    "--sql-endpoint",
    "--sql-username",
    "--sql-password",
    "--sql-database",
    "--sql-url-params",
)


def translate(arguments: Sequence[str]) -> list[str]:
    """The same command line in our words; one that is in our words already stays as it is.

    Raises:
        UsageError: the --sql-* options do not come to a URL.
    """
    words = list(_without_prefix(arguments))
    if words and words[0] in COMMANDS:
        words[0] = COMMANDS[words[0]]
    translated: list[str] = []
    sql: dict[str, str] = {}
    pairs = iter(words)
    for word in pairs:
        name, equals, value = word.partition("=")
        if name in OPTIONS:
            translated.append(f"{OPTIONS[name]}{equals}{value}")
        elif name in MILLISECONDS:
            translated.append(f"{MILLISECONDS[name]}={value if equals else next(pairs, '')}ms")
        elif name in POSITIONAL:
            translated += (value if equals else next(pairs, "")).split(",")
        elif name in SQL:
            sql[name] = value if equals else next(pairs, "")
        else:
            translated.append(word)
    return [*translated, "--meta-store", _url(sql)] if sql else translated


def _without_prefix(arguments: Sequence[str]) -> Iterator[str]:
    words = list(arguments)
    while len(words) > 1 and words[0] in PREFIXES and words[1] in (*PREFIXES, *COMMANDS):
        words.pop(0)
    yield from words


def _url(sql: dict[str, str]) -> str:
    """One URL, with user and password percent-encoded, which upstream forgets."""
    engine = sql.get("--meta-store-type", "")
    endpoint = sql.get("--sql-endpoint", "")
    if engine == "sql":
        return endpoint
    if engine not in DRIVERS:
        raise UsageError(
            f"--meta-store-type {engine or 'is missing'}: not a meta store that outlives a process",
            hint="sqlite, postgres, mysql, or sql with a URL as --sql-endpoint",
        )
    if engine == "sqlite":
        return f"sqlite:///{endpoint}"
    host, _, port = endpoint.rpartition(":") if ":" in endpoint else (endpoint, "", "")
    if port and not port.isdecimal():
        raise UsageError(f"--sql-endpoint {endpoint!r:.60} is no host:port")
    url = sa.URL.create(
        engine,
        username=sql.get("--sql-username") or None,
        password=sql.get("--sql-password") or None,
        host=host,
        port=int(port) if port else None,
        database=sql.get("--sql-database") or None,
    ).render_as_string(hide_password=False)
    parameters = sql.get("--sql-url-params", "")
    return f"{url}?{parameters}" if parameters else url
