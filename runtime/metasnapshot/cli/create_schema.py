"""metasnapshot create-schema"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli import documents
from metasnapshot.cli.options import (
    BackupDirectory,
    Json,
    MetaStoreUrl,
    PasswordFile,
    meta_store_password,
    repository,
    snapshot_id,
)
from metasnapshot.cli.settings import BACKUP_DIRECTORY, setting
from metasnapshot.cli.text import say, say_json, say_page
from metasnapshot.errors import UsageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.url import parse_url
from metasnapshot.operations import create_schema as operation


def create_schema(
    *,
    release: Annotated[str | None, Parameter(help="The tables of this release.")] = None,
    for_snapshot: Annotated[
        str | None, Parameter(help="The tables of this snapshot's release: id, latest or oldest.")
    ] = None,
    meta_store: MetaStoreUrl,
    backup_storage_url: Annotated[
        str | None, setting("--backup-storage-url", "Where the snapshot is; with --for-snapshot.")
    ] = None,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    only_print: Annotated[
        bool, Parameter("--print", negative="", help="Print the SQL; connect to nothing.")
    ] = False,
    meta_store_password_file: PasswordFile = None,
    json: Json = False,
) -> int:
    """Make the empty tables of a release, as its own meta node would.

    A restore with --create-schema does the same and fills them in one go.

    Example: metasnapshot create-schema --release 2.8.0 --meta-store sqlite:///new.db
    """
    found = _release(release, for_snapshot, backup_storage_url, backup_storage_directory)
    if only_print:
        engine = parse_url(meta_store).get_backend_name()
        text = operation.script(found, engine)
        if json:
            say_json({"release": found, "engine": engine, "script": text})
        else:
            say_page(text.rstrip())
        return 0
    password = meta_store_password(meta_store_password_file)
    with open_meta_store(meta_store, password, may_create=True) as store:
        result = operation.create_schema(store, found)
    if json:
        say_json(documents.schema(result))
    elif result.tables:
        say(
            f"made {len(result.tables)} tables of {found}, with its {result.migrations} migrations "
            f"marked as applied"
        )
    else:
        say(f"the tables of {found} are there already, empty")
    return 0


def _release(release: str | None, snapshot: str | None, url: str | None, directory: str) -> str:
    """The release that the options name.

    Raises:
        UsageError: they name none, or two, or a snapshot of nowhere.
    """
    if (release is None) == (snapshot is None):
        raise UsageError("which tables?", hint="give either --release or --for-snapshot")
    if release is not None:
        return operation.release_named(release)
    if url is None or snapshot is None:
        raise UsageError("--for-snapshot needs --backup-storage-url", hint="where is the snapshot?")
    found = repository(url, directory)
    with found.open(snapshot_id(snapshot, found)) as reader:
        return operation.release_of(reader)
