"""Energy flow (能流图): purchase, conversion, distribution, end use, and what nobody measured as a band of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shutan_collector.reports.plots.svg import INK, SOFT, Drawing, text_width
from shutan_collector.reports.table import grouped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from shutan_collector.reports.table import Both

__all__ = ["COLOURS", "Band", "Node", "draw_sankey"]

_WIDTH: Final = 720.0
_TOP: Final = 34.0
_NODE_WIDTH: Final = 9.0
_GAP: Final = 17.5  # room for a label of two lines beside a thin node
_LEFT: Final = 8.0
_RIGHT: Final = 138.0  # room for the labels of the last column
_HEIGHT: Final = 430.0  # of the columns: with its title, the picture fits on a page under a table
_LEAST: Final = 150.0  # left for the nodes themselves where there are many
_THIN: Final = 0.8
_LOST: Final = "lost"
COLOURS: Final = {
    "electricity": "#2b6c8f", "pv": "#e0a526", "natural_gas": "#8a6bb1", "steam": "#c4663f", "heat": "#b5485d",
    "water": "#4aa3b5", "compressed_air": "#7f97a3", "diesel": "#6b5b45", "coal": "#3d4449", _LOST: "#a9453a",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Node:
    """A place energy passes: stage 0 purchase, 1 conversion, 2 distribution, 3 end use (or loss)."""

    id: str
    name: Both
    stage: int
    kind: str


@dataclass(frozen=True, slots=True)
class Band:
    """What flows from one node to another; `kind` is a carrier, or "lost" for what is unaccounted or lost."""

    source: str
    target: str
    amount: Fraction
    kind: str


@dataclass(slots=True)
class _Box:
    """A node with its place, or a way station: room that a band keeps free in a stage it only passes."""

    stage: int
    amount: float
    node: Node | None = None
    x: float = 0.0
    y: float = 0.0
    height: float = 0.0
    used_in: float = 0.0
    used_out: float = 0.0


@dataclass(frozen=True, slots=True)
class _Leg:
    """Part of a band from one stage to the next."""

    source: _Box
    target: _Box
    band: Band


def draw_sankey(nodes: Sequence[Node], bands: Sequence[Band], unit: str, stages: Sequence[Both], family: str) -> str:
    """The picture as SVG; bands without a positive amount are left out, nodes without a band too."""
    boxes = _boxes(nodes, [band for band in bands if band.amount > 0])
    way_stations, legs = _legs(boxes, [band for band in bands if band.amount > 0])
    everything = [*boxes.values(), *way_stations]
    columns = [[box for box in everything if box.stage == stage] for stage in range(len(stages))]
    scale = _scale(columns)
    height = max(_column_height(column, scale) for column in columns)
    for at, column in enumerate(columns):
        ordered = column if at == 0 else sorted(column, key=lambda box: round(_pull(box, legs), 1))
        _place(ordered, _stage_x(at, len(stages)), scale, height)
    drawing = Drawing(_WIDTH, height + _TOP + 10, family)
    fill_lost = drawing.hatch("lost", COLOURS[_LOST], "#f0d5d0")
    for at, stage in enumerate(stages):
        if columns[at]:
            drawing.text((_stage_x(at, len(stages)), 10), stage.zh, size=9, bold=True)
            drawing.text((_stage_x(at, len(stages)), 20), stage.en, size=7, fill=SOFT)
    names = {node.id: str(node.name) for node in nodes}
    for leg in sorted(legs, key=lambda leg: (leg.source.x, leg.target.y, leg.source.y)):
        title = f"{names[leg.band.source]} → {names[leg.band.target]}: {grouped(leg.band.amount, 3)} {unit}"
        _ribbon(drawing, leg, scale, title)
    for box in everything:
        if box.node is None:
            drawing.rect((box.x, box.y, _NODE_WIDTH, box.height), _passing(box, legs), opacity=0.5)
    for box in boxes.values():
        _node(drawing, box, unit, fill_lost)
    return drawing.to_svg()


def _boxes(nodes: Sequence[Node], bands: Sequence[Band]) -> dict[str, _Box]:
    """Every node that a band touches, with the larger of what enters and what leaves."""
    entering: dict[str, float] = {}
    leaving: dict[str, float] = {}
    for band in bands:
        entering[band.target] = entering.get(band.target, 0.0) + float(band.amount)
        leaving[band.source] = leaving.get(band.source, 0.0) + float(band.amount)
    return {
        node.id: _Box(node.stage, max(entering.get(node.id, 0.0), leaving.get(node.id, 0.0)), node)
        for node in nodes
        if node.id in entering or node.id in leaving
    }


def _legs(boxes: dict[str, _Box], bands: Sequence[Band]) -> tuple[list[_Box], list[_Leg]]:
    """Bands cut at every stage, so that none runs through a node it has nothing to do with."""
    way_stations: list[_Box] = []
    legs: list[_Leg] = []
    for band in bands:
        at, target = boxes[band.source], boxes[band.target]
        for stage in range(at.stage + 1, target.stage):
            station = _Box(stage, float(band.amount))
            way_stations.append(station)
            legs.append(_Leg(at, station, band))
            at = station
        legs.append(_Leg(at, target, band))
    return way_stations, legs


def _pull(box: _Box, legs: Sequence[_Leg]) -> float:
    """Mean height of what flows into a box: the order that crosses least. What is lost sinks below its neighbours."""
    into = [leg for leg in legs if leg.target is box]
    weight = sum(float(leg.band.amount) for leg in into) or 1.0
    middle = sum(float(leg.band.amount) * (leg.source.y + leg.source.height / 2) for leg in into) / weight
    lost = all(leg.band.kind == _LOST for leg in into)
    return middle + (max(leg.source.height for leg in into) / 2 if lost and into else 0.0)


def _passing(box: _Box, legs: Sequence[_Leg]) -> str:
    kind = next(leg.band.kind for leg in legs if leg.target is box)
    return COLOURS.get(kind, SOFT)


def _scale(columns: Sequence[Sequence[_Box]]) -> float:
    """Points per unit, so that the fullest column has the height of the picture, gaps included."""
    gaps = _GAP * max((len(column) - 1 for column in columns), default=0)
    height = max(_HEIGHT, gaps + _LEAST)
    fits = [
        (height - _GAP * (len(column) - 1)) / total
        for column in columns
        if (total := sum(box.amount for box in column)) > 0
    ]
    return min(fits, default=1.0)


def _column_height(column: Sequence[_Box], scale: float) -> float:
    return sum(max(box.amount * scale, _THIN) for box in column) + _GAP * max(len(column) - 1, 0)


def _stage_x(stage: int, stages: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT - _NODE_WIDTH) * stage / max(stages - 1, 1)


def _place(column: Sequence[_Box], x: float, scale: float, height: float) -> None:
    """A column from top to bottom, spread over the height."""
    spare = (height - _column_height(column, scale)) / max(len(column), 1)
    y = _TOP + spare / 2
    for box in column:
        box.x, box.y, box.height = x, y, max(box.amount * scale, _THIN)
        y += box.height + _GAP + spare


def _ribbon(drawing: Drawing, leg: _Leg, scale: float, title: str) -> None:
    source, target = leg.source, leg.target
    thickness = max(float(leg.band.amount) * scale, _THIN)
    start = (source.x + _NODE_WIDTH, source.y + source.used_out)
    end = (target.x, target.y + target.used_in)
    drawing.ribbon(start, end, thickness, COLOURS.get(leg.band.kind, SOFT), title=title)
    source.used_out += thickness
    target.used_in += thickness


def _node(drawing: Drawing, box: _Box, unit: str, fill_lost: str) -> None:
    if box.node is None:
        return
    lost = box.node.kind == _LOST
    fill = fill_lost if lost else COLOURS.get(box.node.kind, SOFT)
    drawing.rect((box.x, box.y, _NODE_WIDTH, box.height), fill)
    middle = box.y + box.height / 2
    name = box.node.name.zh or box.node.name.en
    amount = f"{box.amount:,.1f} {unit}" if box.amount >= 0.1 else f"{box.amount:.3f} {unit}"
    under = box.node.name.en if box.node.name.zh else ""
    x = box.x + _NODE_WIDTH + 4
    ink, soft = (COLOURS[_LOST], COLOURS[_LOST]) if lost else (INK, "#3d4a54")
    drawing.text((x, middle - 1), name, size=8, fill=ink, bold=True, halo=True)
    drawing.text((x + text_width(name, 8) + 4, middle - 1), under, size=6, fill=soft, halo=True)
    drawing.text((x, middle + 7), amount, size=6.5, fill=soft, halo=True)
