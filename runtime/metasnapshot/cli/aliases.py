"""risectl's names: commands and options of RisingWave's own backup tools, translated into ours, so
that scripts go on working. One table of commands, one of options, and the --sql-* family, which
comes to one URL (metastore/risectl_url.py).

Source: src/ctl/src/lib.rs and src/meta/src/backup_restore/restore.rs of 0.1.15 to 3.0.3.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from metasnapshot.errors import UsageError

COMMANDS = {
    "backup-meta": "backup",
    "restore-meta": "restore",
    "delete-meta-snapshots": "delete",
    "create-meta-store-schema": "create-schema",
}
LIVE = ("backup-meta", "delete-meta-snapshots")
"""Commands that risectl has a meta node do, by its address in the environment."""
UNASKED = ("delete-meta-snapshots",)
"""Of these, what our own verb asks about, and risectl does not."""
ETCD = "--etcd-"
"""How options of meta stores up to 2.0 begin."""
MAKES_SCHEMA = "create-meta-store-schema"
"""risectl makes the tables of its own release; we know many, and take the newest."""
WHICH_SCHEMA = ("--release", "--for-snapshot")
META_ADDRESS = "RW_META_ADDR"
OURS = ("--via-meta", "--meta-store", "--backup-storage-url")
"""Options that risectl does not know for them: who gives one does not mean its meta node."""
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
SAID_BY_SILENCE = ("--no-overwrite-hummock-storage-endpoint",)
"""Options of 0.1.0 that say what holds anyhow."""
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
    command = words[0] if words else ""
    if command in COMMANDS:
        words[0] = COMMANDS[command]
    sql: dict[str, str] = {}
    translated = list(_options(words, sql))
    if sql:
        from metasnapshot import url_of_options  # noqa: PLC0415 - loads SQLAlchemy

        if sql.get("--meta-store-type") == "etcd":
            raise _no_etcd("--meta-store-type etcd")
        translated += ["--meta-store", url_of_options(sql)]
    return translated + _unsaid(command, translated)


def _options(words: Sequence[str], sql: dict[str, str]) -> Iterator[str]:
    """The words with options in ours; those of the --sql-* family go into `sql`."""
    pairs = iter(words)
    for word in pairs:
        name, equals, value = word.partition("=")
        if name in OPTIONS:
            yield f"{OPTIONS[name]}{equals}{value}"
        elif name in MILLISECONDS:
            yield f"{MILLISECONDS[name]}={value if equals else next(pairs, '')}ms"
        elif name in SAID_BY_SILENCE:
            continue
        elif name in POSITIONAL:
            yield from (value if equals else next(pairs, "")).split(",")
        elif name.startswith(ETCD):
            raise _no_etcd(name)
        elif name in SQL:
            sql[name] = value if equals else next(pairs, "")
        else:
            yield word


def _unsaid(command: str, translated: Sequence[str]) -> list[str]:
    """What a command of risectl's takes for granted."""
    found: list[str] = []
    address = os.environ.get(META_ADDRESS, "") if command in LIVE else ""
    if address and not any(word.startswith(OURS) for word in translated):
        found += ["--via-meta", address]
        found += ["--yes"] * (command in UNASKED and "--yes" not in translated)
    if command == MAKES_SCHEMA and not any(word.startswith(WHICH_SCHEMA) for word in translated):
        from metasnapshot import newest_release  # noqa: PLC0415 - loads all releases

        found += ["--release", newest_release()]
    return found


def _no_etcd(word: str) -> UsageError:
    return UsageError(
        f"{word}: metasnapshot reads and writes no etcd itself",
        hint="`metasnapshot export ID --format etcd --to DIRECTORY` makes what loads a snapshot "
        "into an empty etcd (docs/guide.md, V1); `backup --via-meta ADDRESS` backs one up",
    )


def _without_prefix(arguments: Sequence[str]) -> Iterator[str]:
    words = list(arguments)
    while len(words) > 1 and words[0] in PREFIXES and words[1] in (*PREFIXES, *COMMANDS):
        words.pop(0)
    yield from words
