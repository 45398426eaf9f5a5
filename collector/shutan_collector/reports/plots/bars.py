"""Monthly stacked bars (逐月堆积柱): what each source adds to each month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shutan_collector.reports.plots.svg import INK, PAPER, RULE, SOFT, Drawing, nice_steps, text_width

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from shutan_collector.reports.table import Both

__all__ = ["PALETTE", "Layer", "draw_bars"]

_SIZE: Final = (720.0, 250.0)
_LEFT: Final = 52.0
_TOP: Final = 30.0
_BOTTOM: Final = 26.0
# Distinct in hue and lightness, also for readers who do not tell red from green.
PALETTE: Final = (
    "#2b6c8f", "#e0a526", "#8a6bb1", "#c4663f", "#4aa3b5", "#6f8f3f", "#b5485d", "#7f97a3", "#3d4449", "#d7b98a",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layer:
    """One colour: a value for each bar, None where there is none; colour "" = the next of the palette."""

    name: Both
    values: tuple[Fraction | None, ...]
    colour: str = ""


def draw_bars(labels: Sequence[str], layers: Sequence[Layer], unit: str, family: str) -> str:
    """The picture as SVG, the legend in one row or more above the bars."""
    tops = [sum(float(layer.values[at] or 0) for layer in layers) for at in range(len(labels))]
    steps = nice_steps(max(tops, default=0.0))
    rows = _legend_rows(layers)
    top = _TOP + 12 * (rows - 1)
    drawing = Drawing(_SIZE[0], _SIZE[1] + 12 * (rows - 1), family)
    room = drawing.height - top - _BOTTOM
    scale = room / steps[-1]
    for step in steps:
        y = top + room - step * scale
        drawing.line((_LEFT, y), (_SIZE[0] - 8, y), RULE, width=0.4)
        drawing.text((_LEFT - 5, y + 2.5), f"{step:,.10g}", size=7, fill=SOFT, anchor="end")
    drawing.text((_LEFT - 5, top - 8), unit, size=7, fill=SOFT, anchor="end")
    pitch = (_SIZE[0] - _LEFT - 8) / max(len(labels), 1)
    for at, label in enumerate(labels):
        x, y = _LEFT + pitch * at + pitch * 0.17, top + room
        for number, layer in enumerate(layers):
            height = float(layer.values[at] or 0) * scale
            if height > 0:
                y -= height
                drawing.rect((x, y, pitch * 0.66, height), _colour(layer, number), stroke=PAPER)
        drawing.text((x + pitch * 0.33, top + room + 11), label, size=7.5, fill=INK, anchor="middle")
        if tops[at] > 0:
            drawing.text((x + pitch * 0.33, y - 3), f"{tops[at]:,.1f}", size=6.5, fill=SOFT, anchor="middle", halo=True)
        elif all(layer.values[at] is None for layer in layers):
            drawing.text((x + pitch * 0.33, top + room - 4), "无", size=7, fill=SOFT, anchor="middle")
    _legend(drawing, layers)
    return drawing.to_svg()


def _colour(layer: Layer, number: int) -> str:
    return layer.colour or PALETTE[number % len(PALETTE)]


def _entries(layers: Sequence[Layer]) -> list[tuple[float, int, str]]:
    """x, row and text of each legend entry, wrapped at the right edge."""
    found: list[tuple[float, int, str]] = []
    x, row = _LEFT, 0
    for layer in layers:
        text = str(layer.name)
        width = 14 + text_width(text, 7.5) + 14
        if x + width > _SIZE[0] and x > _LEFT:
            x, row = _LEFT, row + 1
        found.append((x, row, text))
        x += width
    return found


def _legend_rows(layers: Sequence[Layer]) -> int:
    return max((row for _, row, _ in _entries(layers)), default=0) + 1


def _legend(drawing: Drawing, layers: Sequence[Layer]) -> None:
    for number, (x, row, text) in enumerate(_entries(layers)):
        y = 3 + 12 * row
        drawing.rect((x, y, 9, 9), _colour(layers[number], number))
        drawing.text((x + 13, y + 7.5), text, size=7.5)
