"""Set up: look at an object store."""

from __future__ import annotations

from typing import Annotated

import cyclopts

from metasnapshot.cli.options import Json, WholeDirectory
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import bad, good
from metasnapshot.cli.text import say, say_json
from metasnapshot.errors import StorageError
from metasnapshot.store.lease import LeasedStore
from metasnapshot.store.trial import is_reliable, needs_lease, try_store
from metasnapshot.store.url import open_plain

storage = cyclopts.App(name="storage", help="Look at an object store.")


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
    store = open_plain(directory.backup_storage_url, current().context)
    found = try_store(store, directory.backup_storage_directory)
    reliable = is_reliable(found)
    leased = isinstance(store, LeasedStore) or (reliable and needs_lease(found))
    if json:
        say_json(
            {
                "url": store.url,
                "promises": [
                    {"name": item.name, "held": item.held, "found": item.found} for item in found
                ],
                "lease": leased,
            }
        )
    else:
        for item in found:
            if item.held:
                say(good("ok"), f"  {item.name}")
            else:
                say(bad("failed"), f"  {item.name}: {item.found}")
        if leased:
            say("its conditional writes are made under a lease")
    return 0 if reliable else StorageError.exit_code
