"""Where the state of the restored cluster is: as the options say, or as the snapshot does; and are
all objects there?
"""

from __future__ import annotations

from metasnapshot.contents.findings import Findings
from metasnapshot.contents.object_findings import find_by_name, look_for
from metasnapshot.contents.ownership import DATA_DIRECTORY, STATE_STORE, parameter
from metasnapshot.errors import AuthenticationError, UsageError
from metasnapshot.hummock.objects import needed_by
from metasnapshot.operations.restore.plan import NotChecked, RestoreOptions, StatePlace
from metasnapshot.operations.restore.source import PARAMETERS_SECTION, Source
from metasnapshot.store.location import HUMMOCK_PREFIX
from metasnapshot.store.port import Store
from metasnapshot.store.shown_url import shown_url

ONE_BY_ONE_MAX = 1000
"""Up to so many objects are asked for one by one; of more, the data directory is listed."""
UNSEEN = (
    "the objects were not looked for: `metasnapshot verify ID --level objects` says what is lost"
)


def state_place(options: RestoreOptions, source: Source) -> StatePlace:
    """The state store that the options name; what they do not name is as the snapshot says.

    Raises:
        UsageError: neither says it.
    """
    said = {row.name: row.value for row in source.keep(PARAMETERS_SECTION)}
    url, directory = options.hummock_storage_url, options.hummock_storage_directory
    return StatePlace(
        (parameter(said, STATE_STORE) if url is None else url).removeprefix(HUMMOCK_PREFIX),
        parameter(said, DATA_DIRECTORY) if directory is None else directory,
    )


def require_said(options: RestoreOptions, place: StatePlace) -> None:
    """What is written into stands on the command line or in the settings.

    Raises:
        UsageError: it was taken from the snapshot.
    """
    if options.hummock_storage_url is None:
        raise UsageError(
            "a restore that writes needs --hummock-storage-url (or "
            "METASNAPSHOT_HUMMOCK_STORAGE_URL)",
            hint=f"the snapshot says --hummock-storage-url {shown_url(place.url)} "
            f"--hummock-storage-directory {place.directory}; --plan goes by that and writes "
            "nothing",
        )


def look_for_objects(
    store: Store, place: StatePlace, source: Source, options: RestoreOptions
) -> str:
    """Whether every object that the snapshot needs is in the state store; says so in words.

    Raises:
        ObjectMissing: some are not there.
        DamageError: some are of another size.
        AuthenticationError: the key may not look, and the options insist on the check.
    """
    if options.no_object_check:
        return NotChecked("--no-object-check")
    reader = source.reader
    needed = needed_by(reader)
    look = find_by_name if len(needed) < ONE_BY_ONE_MAX else look_for
    findings = Findings()
    try:
        findings.add(look(store, place.url, place.directory, reader, needed))
    except AuthenticationError as error:
        if options.validate_integrity:
            raise
        return NotChecked(f"the state store forbids it: {error}")
    error = findings.error(f"snapshot {reader.id}")
    if error is not None:
        error.hint = f"{error.hint}; --no-object-check restores without looking"
        raise error
    return f"all {len(needed)} are there, {needed.size} bytes"
