"""Every golden chain: after each delta the version that RisingWave's own code has, field for field,
and an error where it panics.
"""

from __future__ import annotations

from pathlib import Path

import chains
import pytest
from exhaustive import thin

from metasnapshot.errors import DeltaError
from metasnapshot.hummock.replay.apply import apply_delta
from metasnapshot.hummock.replay.rules import rules_of
from metasnapshot.hummock.replay.version import Working


def name(chain: Path) -> str:
    return f"{chain.parent.name}/{chain.name}"


def test_there_are_chains() -> None:
    """Without them the next test would prove nothing."""
    assert chains.CHAINS


@pytest.mark.parametrize("chain", thin(chains.CHAINS), ids=name)
def test_chain(chain: Path) -> None:
    """Field for field after each delta, in one run without looking back."""
    rules = rules_of(chains.release(chain))
    head, *lines = chains.expected(chain)
    version = Working(chains.base(chain), rules)
    assert chains.canonical(version.message()) == head["version"]
    good = version.message()
    for number, (delta, line) in enumerate(zip(chains.deltas(chain), lines, strict=True)):
        where = f"delta {number}, {line['op']}"
        if line.get("skipped") or "panic" in line:
            with pytest.raises(DeltaError):
                apply_delta(version, delta)
                pytest.fail(f"{where}: {line.get('panic')}")
            version = Working(good, rules)
            continue
        apply_delta(version, delta)
        good = version.message()
        if "version" in line:
            assert chains.canonical(good) == line["version"], where
        assert chains.digest(good) == line["version_xxh64"], where
