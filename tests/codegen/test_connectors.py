"""Mistakes in connectors.yaml are named where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from metasnapshot_codegen import connectors
from metasnapshot_codegen.source import SchemaError

SOUND = """common:
  - type
connectors:
  kafka:
    - topic
    - group
  none: []
"""


def test_keys_by_connector(tmp_path: Path) -> None:
    """In order of the alphabet, whatever their order in the file; no file is no keys."""
    path = tmp_path / "connectors.yaml"
    assert connectors.read(path) is None
    path.write_text(SOUND)
    found = connectors.read(path)
    assert found == connectors.Connectors(("type",), {"kafka": ("group", "topic"), "none": ()})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    - group", "    - topic", "connectors.yaml:6: found `topic` twice"),
        ("    - topic", "    - Topic", "connectors.yaml:5: found `Topic`, expected it in lower"),
        ("    - topic", "    - [a]", "connectors.yaml:5: found a list, expected a text"),
        ("    - topic", "    - a b", "connectors.yaml:5: found `a b`, expected a word"),
        ("  none: []", "  none: {}", "connectors.yaml:7: found a mapping, expected a list"),
        ("  none:", "  kafka:", "found `kafka` twice"),
        ("common:", "commons:", "unknown key `commons`"),
        ("  - type", "  - type\n  - type", "connectors.yaml:3: found `type` twice"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, said: str, tmp_path: Path) -> None:
    """File, line, what was found and what was expected."""
    path = tmp_path / "connectors.yaml"
    path.write_text(SOUND.replace(old, new, 1))
    with pytest.raises(SchemaError) as caught:
        connectors.read(path)
    assert said in "\n".join(map(str, caught.value.problems))
