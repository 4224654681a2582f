"""A bundle for those who help from afar: documents of JSON in one ZIP file, without secrets and
without a row of data. A part that fails is in it as an error, and the others are made.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from metasnapshot.contents.scrubbing import Scrubber, secrets_in
from metasnapshot.errors import MetasnapshotError
from metasnapshot.library.backups import Backups
from metasnapshot.library.meta_stores import MetaStore
from metasnapshot.operations.export import new_path
from metasnapshot.version import VERSION

Document = Mapping[str, Any]
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class SupportPart:
    """A document to be: its name, and what makes it."""

    name: str
    make: Callable[[], Document]


@dataclass(frozen=True)
class PartMade:
    """What became of a part: seconds by the clock and of the processor, and why it failed."""

    name: str
    seconds: float
    cpu_seconds: float
    error: MetasnapshotError | None


def write_bundle(
    parts: Iterable[SupportPart],
    to: Path,
    variables: Mapping[str, str],
    errors: Iterable[Document] = (),
) -> tuple[PartMade, ...]:
    """Make the parts one after the other, and write them.

    Args:
        parts: what is to be in it.
        to: a path where nothing is yet, which appears complete or not at all.
        variables: environment and settings by name, whose secrets stand nowhere in it.
        errors: of earlier runs.

    Raises:
        ConflictError: there is something at the path.
        MetasnapshotError: it cannot be written.
    """
    scrubber = Scrubber(secrets_in(variables))
    made: list[PartMade] = []
    with new_path(to) as path, zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as bundle:

        def put(name: str, found: Document) -> None:
            text = json.dumps(scrubber.document(found), indent=1, ensure_ascii=True)
            entry = zipfile.ZipInfo(f"support/{name}.json", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(entry, text)

        for part in parts:
            start, cpu = time.monotonic(), time.process_time()
            error: MetasnapshotError | None = None
            try:
                put(part.name, part.make())
            except MetasnapshotError as found:
                error = found
            spent = time.monotonic() - start, time.process_time() - cpu
            made.append(PartMade(part.name, *spent, error))
        put("timings", {"parts": [_timing(each) for each in made]})
        put(
            "errors",
            {"parts": [_failure(each) for each in made if each.error], "earlier": [*errors]},
        )
    return tuple(made)


def versions() -> Document:
    """This release, Python, the system, and every package that metasnapshot may use."""
    return {
        "metasnapshot": VERSION,
        "python": sys.version,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": {name: _version(name) for name in _packages()},
    }


def notes_of(backups: Backups) -> Document:
    """What is noted in a directory beside the manifest: marks, verifications, times, drills."""
    from metasnapshot.catalogue.facts import read_facts
    from metasnapshot.catalogue.ledger import read_ledger

    store, directory = backups.repository.store, backups.repository.directory
    facts = {str(key): item for key, item in read_facts(store, directory).items()}
    ledger = msgspec.to_builtins(read_ledger(store, directory), str_keys=True)
    return {"ledger": ledger, "facts": msgspec.to_builtins(facts)}


def rehearsed_plan(backups: Backups) -> Any:
    """The plan of a restore of the newest snapshot into an empty scratch database; the meta store
    is not asked, and of the state store only whose data directory it is.

    Raises:
        MetasnapshotError: there is none, or it cannot be read.
    """
    from metasnapshot.library.making import plan_restore
    from metasnapshot.operations.restore.plan import RestoreOptions
    from metasnapshot.store.scratch import scratch_directory

    with scratch_directory("support") as scratch:
        target = MetaStore(f"sqlite:///{scratch / 'meta.db'}")
        with target.connect(may_create=True):
            pass
        options = RestoreOptions(create_schema=True, no_object_check=True)
        return plan_restore(backups, "latest", target, options)


def _packages() -> list[str]:
    """Names of what metasnapshot requires, extras included."""
    try:
        required = metadata.requires("metasnapshot") or []
    except metadata.PackageNotFoundError:
        required = []
    names = {found[0] for line in required if (found := _NAME.match(line))}
    return sorted(names)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _timing(made: PartMade) -> Document:
    return {
        "name": made.name,
        "seconds": round(made.seconds, 3),
        "cpu_seconds": round(made.cpu_seconds, 3),
    }


def _failure(made: PartMade) -> Document:
    error = made.error
    return {
        "name": made.name,
        "kind": type(error).__name__,
        "message": str(error),
        "hint": error.hint if error else "",
        "exit_code": error.exit_code if error else 0,
    }
