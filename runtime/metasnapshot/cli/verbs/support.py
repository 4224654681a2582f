"""Look inside: write a bundle for those who help from afar."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import metasnapshot
from metasnapshot import Backups, PartMade, SupportPart
from metasnapshot.cli.meta_store import NOWHERE, OptionalMetaStore, meta_store_password
from metasnapshot.cli.options import Directory, Json
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import bad, good
from metasnapshot.cli.settings import is_our_own, resolve
from metasnapshot.cli.snapshots import snapshot_document
from metasnapshot.cli.text import Document, note, say, say_json, shown_text, spelt_size
from metasnapshot.cli.verbs.check import document as check_document
from metasnapshot.cli.verbs.config import document as config_document
from metasnapshot.cli.verbs.coverage import document as coverage_document
from metasnapshot.cli.verbs.list import document as list_document
from metasnapshot.cli.verbs.restore import plan_document
from metasnapshot.cli.verbs.storage import document as storage_document
from metasnapshot.errors import SOME_FAILED, MetasnapshotError

LINES_MAX = 2000
"""Lines of the metrics file that are taken."""


def support(
    *,
    directory: Annotated[Directory, FLAT],
    store: Annotated[OptionalMetaStore, FLAT] = NOWHERE,
    to: Annotated[Path, Parameter(help="A new ZIP file.")],
    json: Json = False,
) -> int:
    r"""Write a bundle for those who help from afar: versions, settings and where they come from,
    manifest, notes, a test of the store, coverage of the meta store, a plan of a restore, times and
    errors. No secret and no row of data is in it. Exit 3 if a part could not be made.

    $ metasnapshot support --to bundle.zip --backup-storage-url fs:///srv/backups
    """
    parts = Parts(directory, store)
    made = metasnapshot.write_bundle(parts.all(), to, parts.variables())
    if json:
        say_json(document(made, to))
    else:
        for item in made:
            if item.error is None:
                say(good("ok"), f"  {item.name}")
            else:
                say(bad("failed"), f"  {item.name}: {shown_text(str(item.error))}")
        say(f"{to}: {spelt_size(to.stat().st_size)}")
        note("names of tables, hosts and buckets are in it: look through it before you send it")
    errors = [item.error for item in made if item.error is not None]
    for error in errors:
        current().outcome.fail(error)
    return SOME_FAILED if errors else 0


@dataclass(frozen=True)
class Parts:
    """The parts of a bundle, each of which is made when it is asked for.

    Attributes:
        directory: of the backups.
        store: the meta store, if one is given.
    """

    directory: Directory
    store: OptionalMetaStore

    def all(self) -> Iterator[SupportPart]:
        """In the order in which they are made: what asks a server comes last."""
        yield SupportPart("versions", metasnapshot.versions)
        yield SupportPart("settings", self._settings)
        yield SupportPart("metrics", self._metrics)
        yield SupportPart("manifest", self._manifest)
        yield SupportPart("notes", lambda: metasnapshot.notes_of(self._backups()))
        yield SupportPart("list", lambda: list_document(self._backups().list()))
        yield SupportPart("check", lambda: check_document(self._backups().check()))
        yield SupportPart(
            "plan", lambda: plan_document(metasnapshot.rehearsed_plan(self._backups()))
        )
        yield SupportPart("storage", self._storage)
        if self.store.meta_store is not None:
            yield SupportPart(
                "coverage", lambda: coverage_document(metasnapshot.coverage(self.store.place()))
            )

    def variables(self) -> dict[str, str]:
        """Whatever may hold a secret: the environment, settings, options, and the password."""
        found = dict(os.environ)
        for setting, value in resolve(current().configuration.values).items():
            found[f"setting {setting.option}"] = value.text or ""
        found["option --meta-store"] = self.store.meta_store or ""
        found["option --backup-storage-url"] = self.directory.backup_storage_url
        try:
            password = meta_store_password(self.store.meta_store_password_file)
        except MetasnapshotError:  # the part that needs it says so
            password = None
        return found | {"password in use": password or ""}

    def _backups(self) -> Backups:
        return self.directory.backups()

    def _settings(self) -> Document:
        """Every setting; and which variables of ours, of Kubernetes and of clouds there are."""
        named = ("KUBERNETES_",)
        names = sorted(name for name in os.environ if is_our_own(name) or name.startswith(named))
        return config_document(resolve(current().configuration.values)) | {"variables": names}

    def _metrics(self) -> Document:
        """What earlier runs left in the metrics file, if one is given."""
        path = current().metrics.path
        if path is None:
            return {"lines": []}
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {"lines": []}
        except (OSError, UnicodeDecodeError) as error:
            raise MetasnapshotError(f"cannot read {path}: {error}") from error
        return {"lines": text.splitlines()[:LINES_MAX]}

    def _manifest(self) -> Document:
        found = self._backups().manifest()
        return {
            "manifest_id": found.manifest_id,
            "snapshots": [snapshot_document(entry) for entry in found.entries],
        }

    def _storage(self) -> Document:
        place = self.directory
        return storage_document(
            metasnapshot.try_storage(
                place.backup_storage_url, place.backup_storage_directory, current().context
            )
        )


def document(made: tuple[PartMade, ...], to: Path) -> Document:
    """What --json prints."""
    return {
        "path": str(to),
        "bytes": to.stat().st_size,
        "parts": [
            {
                "name": item.name,
                "ok": item.error is None,
                "seconds": round(item.seconds, 3),
                "reason": "" if item.error is None else shown_text(str(item.error)),
            }
            for item in made
        ],
    }
