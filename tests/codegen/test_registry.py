from __future__ import annotations

import pytest

from metasnapshot_codegen.registry import Registry, Span


def test_both_ends_belong_to_a_lifespan() -> None:
    """What lives from the second to the third layout lives in both and in no other."""
    assert [index for index in range(5) if index in Span(1, 2)] == [1, 2]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Span(0, 1), False),
        (Span(0, 2), True),
        (Span(2, 4), True),
        (Span(3, 3), True),
        (Span(0, 9), True),
        (Span(4, 5), True),
        (Span(5, 6), False),
    ],
)
def test_lifespans_overlap_in_a_layout_of_both(
    other: Span,
    expected: bool,  # noqa: FBT001
) -> None:
    """One common layout is an overlap, neighbours are none, whichever is asked."""
    assert expected is Span(2, 4).overlaps(other)
    assert expected is other.overlaps(Span(2, 4))


def test_releases_are_those_of_all_layouts(registry: Registry) -> None:
    """Releases come in the order of their layouts."""
    assert registry.releases == ["1.0.0", "1.0.1", "1.1.0", "2.0.0"]
