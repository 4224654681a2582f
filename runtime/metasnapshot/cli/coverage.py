"""metasnapshot coverage"""

from __future__ import annotations

from metasnapshot.cli import documents
from metasnapshot.cli.options import Json, MetaStoreUrl
from metasnapshot.cli.text import complain, releases, say, say_json
from metasnapshot.errors import UnknownFormat
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.coverage import Coverage, cover


def coverage(*, meta_store: MetaStoreUrl, json: Json = False) -> int:
    """Compare a live meta store's tables and columns with the registry. Exit 14 if one of them
    lacks something.

    Example: metasnapshot coverage --meta-store sqlite:///meta.db
    """
    with open_meta_store(meta_store) as store, store.read_transaction() as connection:
        result = cover(connection)
    if json:
        say_json(documents.coverage(result))
    else:
        _print(result)
    return UnknownFormat.exit_code if result.unknown or result.missing else 0


def _print(result: Coverage) -> None:
    found = result.candidates
    say(f"layout {result.layout} (RisingWave {releases(found.releases)})")
    if found.unknown:
        say(f"migrations beyond it: {', '.join(found.unknown)}")
    say(
        f"covered: {len(result.covered)} columns of "
        f"{len({item.table for item in result.covered})} tables"
    )
    for reason in dict.fromkeys(item.reason for item in result.excluded):
        names = [item.name for item in result.excluded if item.reason == reason]
        say(f"excluded, {reason}: {', '.join(names)}")
    for item in result.unknown:
        complain(f"unknown: {item.name}: a snapshot would leave it out")
    for item in result.missing:
        complain(f"missing: {item.name}: the registry expects it")
    if result.scaffold:
        say("\nlines for schema/models.yaml, NEW being the new layout:\n")
        for line in result.scaffold:
            say(line)
