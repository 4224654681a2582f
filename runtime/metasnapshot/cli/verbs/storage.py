"""Set up: test an object store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import cyclopts

import metasnapshot
from metasnapshot import StorageTrial
from metasnapshot.cli.options import Json, WholeDirectory
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import bad, good
from metasnapshot.cli.text import Document, say, say_json
from metasnapshot.errors import StorageError

if TYPE_CHECKING:
    from metasnapshot import StorageTrial

storage = cyclopts.App(name="storage", help="Test an object store.")


@storage.command(name="test")
def try_storage(
    *,
    directory: Annotated[WholeDirectory, FLAT],
    json: Json = False,
) -> int:
    """Try what backups rest on, on an object of its own: create-only, swap, lists, ranged reads,
    delete. Exit 17 if the store cannot be relied on.

    $ metasnapshot storage test --backup-storage-url s3://bucket
    """
    found = metasnapshot.try_storage(
        directory.backup_storage_url, directory.backup_storage_directory, current().context
    )
    if json:
        say_json(document(found))
    else:
        for item in found.promises:
            if item.held:
                say(good("ok"), f"  {item.name}")
            else:
                say(bad("failed"), f"  {item.name}: {item.found}")
        if found.is_leased:
            say("its conditional writes are made under a lease")
        for line in _of_bucket(found):
            say(line)
    if found.is_reliable:
        return 0
    broken = ", ".join(item.name for item in found.promises if not item.held)
    error = StorageError(f"{found.url} cannot be relied on: {broken}")
    current().outcome.fail(error)
    return error.exit_code


def document(found: StorageTrial) -> Document:
    """What --json prints."""
    return {
        "url": found.url,
        "promises": [
            {"name": item.name, "held": item.held, "found": item.found} for item in found.promises
        ],
        "lease": found.is_leased,
        "versioned": found.versioned,
        "lock_mode": found.lock_mode,
        "locked_until": found.locked_until,
        "checksum_wanted": found.checksum_wanted,
        "unknown": list(found.unknown),
    }


def _of_bucket(found: StorageTrial) -> Iterator[str]:
    """What the bucket does with what is written and deleted, as far as it says so."""
    if found.versioned is not None:
        kept = "yes: what is deleted stays as an old version, until a lifecycle rule ends it"
        yield f"versioned: {kept if found.versioned else 'no'}"
    if found.locked_until is not None:
        until = f"what is written now is locked until {found.locked_until} ({found.lock_mode})"
        yield until if found.locked_until else "locked: no default retention"
    if found.checksum_wanted is not None:
        yield f"checksum wanted: {'yes, and sent' if found.checksum_wanted else 'no'}"
    for text in found.unknown:
        yield f"not known: {text}"
