"""Plain words of counts, times and subjects."""

from __future__ import annotations

import pytest

from metasnapshot.spans import about


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("it is damaged", "snapshot 6: it is damaged"),
        ("snapshot 6: it is damaged", "snapshot 6: it is damaged"),
        ("snapshot 6 (backup/6.snapshot): cut", "snapshot 6 (backup/6.snapshot): cut"),
        ("snapshot 6, section tables: cut", "snapshot 6, section tables: cut"),
        ("snapshot 60: it is damaged", "snapshot 6: snapshot 60: it is damaged"),
        ("checksum mismatch in snapshot 6", "snapshot 6: checksum mismatch in snapshot 6"),
        ("", "snapshot 6: "),
    ],
)
def test_a_subject_is_said_once_at_the_beginning(text: str, said: str) -> None:
    """Another snapshot's number that begins in the same way is no subject."""
    assert about("snapshot 6", text) == said
