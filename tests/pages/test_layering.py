"""The picture of the lineage: layers, order, circles, and that it is made in time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metasnapshot.operations.report.model import Node
from metasnapshot.pages.layering import BOX_HEIGHT, BOX_WIDTH, Picture, picture_of


def drawn(count: int, edges: Sequence[tuple[int, int]]) -> Picture:
    nodes = [Node(number, "tables", f"dev.public.t{number}", 0, 0) for number in range(count)]
    return picture_of(nodes, edges)


@pytest.mark.parametrize(
    ("edges", "layers"),
    [
        ([], [0, 0, 0, 0]),
        ([(0, 1), (1, 2), (2, 3)], [0, 1, 2, 3]),
        ([(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)], [0, 1, 1, 2]),
        ([(3, 0)], [1, 0, 0, 0]),
        ([(0, 1), (1, 0)], [0, 1, 0, 0]),
        ([(0, 1), (1, 2), (2, 0), (2, 3)], [0, 1, 2, 3]),
        ([(2, 2)], [0, 0, 0, 0]),
        ([(0, 3), (1, 3), (2, 3)], [0, 0, 0, 1]),
    ],
)
def test_layers(edges: list[tuple[int, int]], layers: list[int]) -> None:
    """Each stands right of all that it reads; a circle is cut where it starts."""
    places = {box.node.id: box.x for box in drawn(4, edges).boxes}
    columns = sorted(set(places.values()))
    assert [columns.index(places[number]) for number in range(4)] == layers


def test_lines_do_not_cross_where_they_need_not() -> None:
    """Two chains whose ids are crossed stand side by side."""
    picture = drawn(4, [(0, 3), (1, 2)])
    rows = {box.node.id: box.y for box in picture.boxes}
    assert (rows[0] < rows[1]) == (rows[3] < rows[2])


@given(
    st.integers(1, 25).flatmap(
        lambda count: st.tuples(
            st.just(count),
            st.lists(
                st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)),
                max_size=60,
                unique=True,
            ),
        )
    )
)
def test_boxes_never_overlap(graph: tuple[int, list[tuple[int, int]]]) -> None:
    """Whatever reads whatever, every box is inside the picture and alone in its place."""
    picture = drawn(*graph)
    assert len(picture.boxes) == graph[0]
    assert len(picture.lines) == len(graph[1])
    places = [(box.x, box.y) for box in picture.boxes]
    for one, (x, y) in enumerate(places):
        assert 0 <= x <= picture.width - BOX_WIDTH
        assert 0 <= y <= picture.height - BOX_HEIGHT
        for other_x, other_y in places[one + 1 :]:
            assert abs(x - other_x) >= BOX_WIDTH or abs(y - other_y) >= BOX_HEIGHT


def test_a_label_is_the_last_part_of_a_name() -> None:
    """The whole name is the title; in the box stands as much as fits."""
    node = Node(1, "tables", "dev.public." + "x" * 80, 0, 0)
    (box,) = picture_of([node], []).boxes
    assert box.label == "x" * 24 + "…"
