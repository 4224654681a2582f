"""What is remembered of drills: the last one of each snapshot, beside its other facts."""

from __future__ import annotations

import logging

import msgspec

from metasnapshot.catalogue.facts import EPOCH, DrillNote, Facts, facts_in, record_facts
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.notes import FAILURES
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository

logger = logging.getLogger(__name__)


def note_drill(repository: Repository, entry: ManifestEntry, drill: DrillNote) -> bool:
    """Note the drill of a snapshot; returns whether it is noted. A directory that takes no note is
    told, and the drill proved no less.
    """
    try:
        facts = msgspec.structs.replace(known_facts(repository, entry), drill=drill)
        record_facts(repository.store, repository.directory, entry.id, facts)
    except FAILURES as error:
        logger.warning("the drill of snapshot %d is not noted: %s", entry.id, error)
        return False
    return True


def known_facts(repository: Repository, entry: ManifestEntry) -> Facts:
    """What is recorded of this very snapshot, or else what its file and entry say."""
    records = Records(repository)
    known = records.facts(entry)
    if known is not None:
        return known
    taken = records.taken(entry)
    with repository.open(entry.id) as reader:
        if taken is None or taken.by == EPOCH:  # no time of ours: the entry says it again
            return facts_in(reader)
        return facts_in(reader, taken.time, taken.by)
