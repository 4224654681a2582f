"""Set up: make the empty tables of a release."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

import metasnapshot
from metasnapshot import SchemaResult, release_named, release_of, schema_script, shown_url
from metasnapshot.cli.meta_store import MetaStoreAt
from metasnapshot.cli.options import ANYWHERE, Json, OptionalDirectory
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.text import Document, say, say_json, say_page
from metasnapshot.errors import UsageError


def create_schema(
    *,
    release: Annotated[str | None, Parameter(help="The tables of this release.")] = None,
    for_snapshot: Annotated[
        str | None, Parameter(help="The tables of this snapshot's release: id, latest or oldest.")
    ] = None,
    store: Annotated[MetaStoreAt, FLAT],
    directory: Annotated[OptionalDirectory, FLAT] = ANYWHERE,
    only_print: Annotated[
        bool, Parameter("--print", help="Print the SQL; connect to nothing.")
    ] = False,
    json: Json = False,
) -> int:
    """Make the empty tables of a release, as its own meta node would.

    A restore with --create-schema does the same and fills them in one go.

    $ metasnapshot create-schema --release 2.8.0 --meta-store sqlite:///new.db
    """
    found = _release(release, for_snapshot, directory)
    if only_print:
        engine = store.place().engine
        text = schema_script(found, engine)
        if json:
            say_json({"release": found, "engine": engine, "script": text})
        else:
            say_page(text.rstrip())
        return 0
    current().outcome.to.append(shown_url(store.meta_store))
    result = metasnapshot.create_schema(store.place(), found)
    if json:
        say_json(document(result))
    elif result.tables:
        say(
            f"made {len(result.tables)} tables of {found}, with its {result.migrations} migrations "
            f"marked as applied"
        )
    else:
        say(f"the tables of {found} are there already, empty")
    return 0


def _release(release: str | None, snapshot: str | None, directory: OptionalDirectory) -> str:
    """The release that the options name.

    Raises:
        UsageError: they name none, or two, or a snapshot of nowhere.
    """
    if (release is None) == (snapshot is None):
        raise UsageError("which tables?", hint="give either --release or --for-snapshot")
    if release is not None:
        return release_named(release)
    if directory.backup_storage_url is None or snapshot is None:
        raise UsageError("--for-snapshot needs --backup-storage-url", hint="where is the snapshot?")
    found = directory.open()
    with found.open(snapshot) as reader:
        return release_of(reader)


def document(result: SchemaResult) -> Document:
    """What --json prints."""
    return {
        "release": result.release,
        "engine": result.engine,
        "tables": list(result.tables),
        "migrations": result.migrations,
    }
