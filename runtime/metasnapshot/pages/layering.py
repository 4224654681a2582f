"""A picture of who reads whom: objects in layers, each right of all that it reads.

Longest paths make the layers; an edge that closes a circle, as a sink into a table it comes from
may, makes none and is drawn backwards. In a layer objects stand where their neighbours are on
average, found by a few sweeps, so that few lines cross.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metasnapshot.operations.report.model import Node

BOX_WIDTH, BOX_HEIGHT = 190, 36
LAYER_STEP, ROW_STEP = 240, 48
MARGIN = 12
SWEEPS = 6
LABEL_MAX = 25
"""Characters of a name that fit into a box."""

Edges = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Box:
    """An object in the picture: where its corner is, and what is written in it."""

    node: Node
    x: int
    y: int
    label: str


@dataclass(frozen=True)
class Picture:
    """Boxes, and lines as paths of SVG."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[str, ...]


def picture_of(nodes: Sequence[Node], edges: Edges) -> Picture:
    """Lay out a graph.

    Args:
        nodes: what is drawn.
        edges: ids of what is read and of who reads it, all of them drawn.
    """
    layers = _layers([node.id for node in nodes], edges)
    columns = _ordered(layers, edges)
    tallest = max((len(column) for column in columns), default=0)
    by_id = {node.id: node for node in nodes}
    boxes: dict[int, Box] = {}
    for place, column in enumerate(columns):
        free = (tallest - len(column)) * ROW_STEP // 2
        for row, number in enumerate(column):
            x, y = MARGIN + place * LAYER_STEP, MARGIN + free + row * ROW_STEP
            boxes[number] = Box(by_id[number], x, y, _label(by_id[number].name))
    return Picture(
        width=2 * MARGIN + max(len(columns) - 1, 0) * LAYER_STEP + BOX_WIDTH,
        height=2 * MARGIN + max(tallest - 1, 0) * ROW_STEP + BOX_HEIGHT,
        boxes=tuple(boxes.values()),
        lines=tuple(_line(boxes[one], boxes[other]) for one, other in edges),
    )


def _label(name: str) -> str:
    """The end of a full name, which tells it from others."""
    last = name.rsplit(".", 1)[-1] or name
    return last if len(last) <= LABEL_MAX else f"{last[: LABEL_MAX - 1]}…"


def _line(one: Box, other: Box) -> str:
    """From the right side of what is read to the left side of who reads it."""
    x, y = one.x + BOX_WIDTH, one.y + BOX_HEIGHT // 2
    to_x, to_y = other.x, other.y + BOX_HEIGHT // 2
    bend = max((to_x - x) // 2, 40)
    return f"M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"


def _layers(ids: Sequence[int], edges: Edges) -> dict[int, int]:
    """The layer of each: one beyond the last of those that it reads. Each is taken once all that it
    reads are; where only circles are left, the first of them is taken as it is.
    """
    readers, waits = defaultdict[int, list[int]](list), dict.fromkeys(ids, 0)
    for one, other in edges:
        readers[one].append(other)
        waits[other] += 1
    layers = dict.fromkeys(ids, 0)
    ready = [number for number in ids if not waits[number]]
    left = dict.fromkeys(ids)
    while left:
        number = ready.pop() if ready else next(iter(left))
        if number not in left:
            continue
        del left[number]
        for other in readers[number]:
            if other in left:
                layers[other] = max(layers[other], layers[number] + 1)
                waits[other] -= 1
                if not waits[other]:
                    ready.append(other)
    return layers


def _ordered(layers: Mapping[int, int], edges: Edges) -> list[list[int]]:
    """The columns, each in an order in which few lines cross."""
    columns: list[list[int]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for number, layer in layers.items():
        columns[layer].append(number)
    near = defaultdict[int, list[int]](list)
    for one, other in edges:
        near[one].append(other)
        near[other].append(one)
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            heights = _heights(columns)
            column.sort(key=lambda number: _mean(number, near[number], heights))
    return columns


def _heights(columns: Sequence[Sequence[int]]) -> dict[int, float]:
    """Where each stands, with short columns in the middle of tall ones."""
    return {
        number: row - len(column) / 2 for column in columns for row, number in enumerate(column)
    }


def _mean(number: int, near: Sequence[int], heights: Mapping[int, float]) -> float:
    if not near:
        return heights[number]
    return sum(heights[other] for other in near) / len(near)
