"""From a checkpoint to the version in memory: which deltas count, where releases disagree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import chains
import pytest

from metasnapshot.errors import DeltaError, InconsistentStore, VersionError
from metasnapshot.hummock.replay.rules import rules_of
from metasnapshot.hummock.replay.stream import Replayed, replay

GAPS = [chain for chain in chains.CHAINS if chain.name == "gap-at-end"]
PANICS = [chain for chain in chains.CHAINS if chain.name == "panics"]


def rows(chain: Path) -> Iterator[tuple[int, bytes]]:
    """The deltas that apply, as the table has them."""
    lines = chains.expected(chain)[1:]
    for delta, line in zip(chains.deltas(chain), lines, strict=True):
        if "panic" not in line:
            yield delta.id, delta.SerializeToString()


def run(chain: Path, *releases: str) -> Replayed:
    names = releases or (chains.release(chain),)
    return replay(chains.base(chain), rows(chain), [rules_of(name) for name in names])


@pytest.mark.parametrize("chain", GAPS, ids=lambda chain: chain.parent.name)
def test_a_last_delta_that_does_not_follow(chain: Path) -> None:
    """Is upstream's own error, with both ids."""
    last = [delta.id for delta in chains.deltas(chain)][-1]
    with pytest.raises(InconsistentStore, match=rf"expected {last}, actual \d+"):
        run(chain)


@pytest.mark.parametrize("chain", PANICS, ids=lambda chain: chain.parent.name)
def test_deltas_that_do_not_follow_are_passed_over(chain: Path) -> None:
    """As upstream's builder does, as long as the last one leads to the version."""
    found = run(chain)
    good = [line for line in chains.expected(chain)[1:] if not {"panic", "skipped"} & line.keys()]
    assert found.applied == len(good)
    assert chains.digest(found.version) == good[-1]["version_xxh64"]
    assert found.doubt == ""


def chain_of(tag: str, name: str) -> Path:
    found = [chain for chain in chains.CHAINS if (chain.parent.name, chain.name) == (tag, name)]
    if not found:
        pytest.skip("this chain is not shipped")
    return found[0]


def test_a_doubt_about_sizes_is_told() -> None:
    """2.8.0 leaves SSTs without tables and their sizes, 2.8.1 does not: the newest is taken. Where
    both come to the same there is no doubt.
    """
    chain = chain_of("v2.8.0", "drop-truncate")
    rules = [rules_of(name) for name in ("2.8.0", "2.8.1")]
    deltas = list(rows(chain))
    doubts = [replay(chains.base(chain), deltas[:length], rules).doubt for length in range(40)]
    assert any("--rw-version" in text for text in doubts)
    assert "" in doubts


def test_a_release_that_would_have_panicked_is_not_the_clusters() -> None:
    """As long as there is another; alone it is an error that names delta, group and rule."""
    chain = chain_of("v2.1.0", "expired-compaction")
    assert run(chain, "1.10.0", "2.1.0").version == run(chain, "2.1.0").version
    with pytest.raises(DeltaError, match=r"version delta \d+, compaction group \d+"):
        run(chain, "1.10.0")


def test_a_delta_that_is_none() -> None:
    """Is named by the id of its row."""
    chain = GAPS[0] if GAPS else chains.CHAINS[0]
    with pytest.raises(VersionError, match="version delta 2: "):
        replay(chains.base(chain), [(2, b"\xff\xff")], [rules_of(chains.release(chain))])
