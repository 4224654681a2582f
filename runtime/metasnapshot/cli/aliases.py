"""risectl's names: commands and options of RisingWave's own backup tools, translated into ours, so
that scripts go on working. One table of commands, one of options, and the --sql-* family, which
comes to one URL (sql_family.py).

Source: src/ctl/src/lib.rs and src/meta/src/backup_restore/restore.rs of 0.1.15 to 3.0.3.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

COMMANDS = {
    "backup-meta": "backup",
    "restore-meta": "restore",
    "delete-meta-snapshots": "delete",
    "create-meta-store-schema": "create-schema",
}
LIVE = ("backup-meta", "delete-meta-snapshots")
"""Commands that risectl has a meta node do, by its address in the environment."""
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
    address = os.environ.get(META_ADDRESS, "") if words and words[0] in LIVE else ""
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
        elif name in SAID_BY_SILENCE:
            continue
        elif name in POSITIONAL:
            translated += (value if equals else next(pairs, "")).split(",")
        elif name in SQL:
            sql[name] = value if equals else next(pairs, "")
        else:
            translated.append(word)
    if sql:
        from metasnapshot.cli.sql_family import url_of  # noqa: PLC0415 - loads SQLAlchemy

        translated += ["--meta-store", url_of(sql)]
    if address and not any(word.startswith(OURS) for word in translated):
        translated += ["--via-meta", address]
    return translated


def _without_prefix(arguments: Sequence[str]) -> Iterator[str]:
    words = list(arguments)
    while len(words) > 1 and words[0] in PREFIXES and words[1] in (*PREFIXES, *COMMANDS):
        words.pop(0)
    yield from words
