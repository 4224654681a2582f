from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from metasnapshot.errors import MetasnapshotError, SstMismatch


def every(kind: type[MetasnapshotError] = MetasnapshotError) -> Iterator[type[MetasnapshotError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from every(child)


@pytest.mark.parametrize("kind", list(dict.fromkeys(every())))
def test_errors_go_to_other_processes(kind: type[MetasnapshotError]) -> None:
    """An error of any kind arrives in another process with its words, its hint and its facts,
    whatever its constructor takes."""
    error = kind.__new__(kind, "what and where")
    error.hint = "what next"
    error.__dict__["fact"] = 7
    found = pickle.loads(pickle.dumps(error))  # noqa: S301 - of this test
    assert (type(found), str(found), found.__dict__) == (kind, str(error), error.__dict__)


def test_facts_survive_the_way() -> None:
    """A mismatch keeps its place and both hashes."""
    error = SstMismatch("a block", stored=1, computed=2, name="o", block=3, offset=4)
    found = pickle.loads(pickle.dumps(error))  # noqa: S301 - of this test
    assert (found.stored, found.computed, found.block, str(found)) == (1, 2, 3, str(error))
