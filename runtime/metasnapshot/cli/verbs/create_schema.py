"""Set up: make the empty tables of a release."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli.meta_store import MetaStoreAt
from metasnapshot.cli.options import ANYWHERE, Json, OptionalDirectory
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.snapshots import snapshot_id
from metasnapshot.cli.text import Document, say, say_json, say_page
from metasnapshot.errors import UsageError
from metasnapshot.metastore.url import parse_url
from metasnapshot.operations import create_schema as operation


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
        engine = parse_url(store.meta_store).get_backend_name()
        text = operation.script(found, engine)
        if json:
            say_json({"release": found, "engine": engine, "script": text})
        else:
            say_page(text.rstrip())
        return 0
    with store.open(may_create=True) as meta_store:
        result = operation.create_schema(meta_store, found)
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
        return operation.release_named(release)
    if directory.backup_storage_url is None or snapshot is None:
        raise UsageError("--for-snapshot needs --backup-storage-url", hint="where is the snapshot?")
    found = directory.open()
    with found.open(snapshot_id(snapshot, found)) as reader:
        return operation.release_of(reader)


def document(result: operation.SchemaResult) -> Document:
    """What --json prints."""
    return {
        "release": result.release,
        "engine": result.engine,
        "tables": list(result.tables),
        "migrations": result.migrations,
    }
