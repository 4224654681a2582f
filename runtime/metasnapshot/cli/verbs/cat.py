"""Look inside: print the rows of a section, a line of JSON each."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot import export_rows
from metasnapshot.cli.options import Directory, SnapshotId, WithSecrets
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.text import say_json


def cat(
    id: SnapshotId,  # noqa: A002 - the word in --help
    section: Annotated[str, Parameter(help="A section; `show` lists them.")],
    /,
    *,
    directory: Annotated[Directory, FLAT],
    with_secrets: WithSecrets = False,
    messages: Annotated[
        bool, Parameter(help="Show blobs as protobuf messages, not base64.")
    ] = False,
) -> int:
    """Print the rows of a section, a line of JSON each.

    $ metasnapshot cat latest sources --backup-storage-url fs:///srv/backups
    """
    found = directory.open()
    with found.open(id) as reader:
        rows = export_rows(reader, section, with_secrets=with_secrets, messages=messages)
        for row in rows:
            say_json(row)
    return 0
