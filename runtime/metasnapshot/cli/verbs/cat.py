"""Look inside: print the rows of a section, a line of JSON each."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot import export_rows
from metasnapshot.cli.moments import At, choose, without_id
from metasnapshot.cli.options import Directory, OptionalId, WithSecrets
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.text import say_json
from metasnapshot.errors import UsageError


def cat(
    id: OptionalId = None,  # noqa: A002 - the word in --help
    section: Annotated[str | None, Parameter(help="A section; `show` lists them.")] = None,
    /,
    *,
    directory: Annotated[Directory, FLAT],
    at: At = None,
    with_secrets: WithSecrets = False,
    messages: Annotated[
        bool, Parameter(help="Show blobs as protobuf messages, not base64.")
    ] = False,
) -> int:
    """Print the rows of a section, a line of JSON each.

    $ metasnapshot cat latest sources --backup-storage-url fs:///srv/backups
    """
    id, section = without_id(id, section, at)  # noqa: A001 - the word in --help
    if section is None:
        raise UsageError("cat needs SECTION", hint="`metasnapshot show` lists the sections")
    found = directory.open()
    with found.open(choose(found, "cat", id, at).id) as reader:
        rows = export_rows(reader, section, with_secrets=with_secrets, messages=messages)
        for row in rows:
            say_json(row)
    return 0
