"""What a run came to: ids, error and place, whether it prints text or JSON, well or not."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from shell import BACKUPS, STATE, STORE, TARGET, UNLOOKED, Shell

from metasnapshot.cli import app
from metasnapshot.cli.outcome import Outcome
from metasnapshot.cli.run import Run, begun

Ran = Callable[..., Outcome]


@pytest.fixture
def outcome(backed_up: Shell, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Runs the command; returns what it came to."""
    found: list[Outcome] = []

    @contextmanager
    def watched() -> Generator[Run]:
        with begun() as run:
            found.append(run.outcome)
            yield run

    monkeypatch.setattr(app, "begun", watched)

    def run(*words: str) -> Outcome:
        code = backed_up.run(*words).code
        found[-1].code = code
        return found[-1]

    return run


def test_each_verb_says_what_it_did(outcome: Ran) -> None:
    """Ids by deed, and those that it set out to work on; a look changes nothing."""
    did: list[tuple[tuple[str, ...], dict[str, list[int]], list[int]]] = [
        (("backup", *STORE), {"made": [10]}, [10]),
        (("backup", *STORE, "--dry-run"), {}, []),
        (("keep", "10"), {"kept": [10]}, [10]),
        (("keep", "10", "--release"), {}, [10]),
        (("copy", "--to", "fs://safe"), {"copied": [9, 10]}, [9, 10]),
        (("verify", "latest"), {}, [10]),
        (("expire", "--keep-last", "1"), {}, [9]),
        (("restore", "latest", *TARGET, *STATE, UNLOOKED, "--plan"), {}, [10]),
        (("restore", "latest", *TARGET, *STATE, UNLOOKED), {"restored": [10]}, [10]),
        (("drill", "9"), {}, [9]),
        (("expire", "--keep-last", "1", "--commit"), {"deleted": [9]}, [9]),
        (("delete", "latest", "--yes"), {"deleted": [10]}, [10]),
    ]
    for words, deeds, ids in did:
        found = outcome(*words, *BACKUPS)
        assert (found.code, found.error, found.verb) == (0, None, words[0])
        assert (found.deeds, found.ids) == (deeds, ids)
        assert found.directory == "fs://backups/backup"


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("show", "77", *BACKUPS), 12, "snapshot id 77 not found"),
        (("verify", "9", *BACKUPS), 4, "checksum mismatch"),
        (("check", *BACKUPS), 5, "snapshot 9 ("),
        (("copy", "--to", "fs://safe", *BACKUPS), 3, "checksum mismatch"),
        (("drill", "9", *BACKUPS), 4, "checksum mismatch"),
        (("rebuild-manifest", *BACKUPS), 3, "snapshot 9 gets no entry"),
        (("report", "9", "--to", "it.html", *BACKUPS), 4, "checksum mismatch"),
        (("list", "--colour", "x", *BACKUPS), 2, "--colour"),
        (("restore", "9", *TARGET, *STATE, "--plan", *BACKUPS), 4, "checksum mismatch"),
    ],
    ids=lambda it: it[0] if isinstance(it, tuple) else "",
)
def test_what_failed_says_why(
    outcome: Ran, words: tuple[str, ...], code: int, says: str, form: tuple[str, ...]
) -> None:
    """Also where the verb goes on after it, and where it says so only in its document."""
    snapshot = Path("backups/backup/9.snapshot")
    snapshot.write_bytes(b"x" + snapshot.read_bytes()[1:])
    found = outcome(*words, *form)
    assert found.code == code
    assert says in str(found.error)


def test_places_have_no_password(outcome: Ran) -> None:
    """Where a restore would have written is said as it may be shown."""
    target = "postgresql://meta:hush@127.0.0.1:1/db"
    found = outcome("restore", "9", "--meta-store", target, *STATE, *BACKUPS, UNLOOKED)
    assert found.code == 18
    assert found.to == ["postgresql://****@127.0.0.1:1/db", "fs://state"]
    assert (found.deeds, found.ids) == ({}, [9])


def test_a_run_knows_nothing_of_another() -> None:
    """Each has its own, though both are in one process."""
    with begun() as first:
        first.outcome.did("made", [1])
        with begun() as second:
            assert second.outcome.ids == []
    assert first.outcome.ids == [1]
