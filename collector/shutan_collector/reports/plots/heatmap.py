"""Load heat map (负荷热力图): a cell per hour of the day and day of the month; an hour without a value is hatched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_collector.reports.plots.svg import INK, SOFT, Drawing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["draw_heatmap"]

_LEFT: Final = 30.0
_TOP: Final = 14.0
_CELL: Final = (21.4, 9.0)
_HOURS: Final = 24
# Light to dark in equal steps of lightness (as viridis reversed, cut at both ends), readable without colour.
_RAMP: Final = ("#eef6e6", "#cfe8c3", "#a3d6b4", "#72bfae", "#4aa3a8", "#2f849c", "#2a658a", "#2b4773", "#272b57")


def draw_heatmap(
    days: Sequence[str], values: Mapping[tuple[int, int], int | None], unit: str, family: str, shown: int = 1
) -> str:
    """The picture as SVG.

    days     label of each column
    values   (column, hour) -> value, None or absent where there is none
    shown    divisor from the value to `unit` in the legend
    """
    width = _LEFT + _CELL[0] * len(days) + 8
    top_value = max((value for value in values.values() if value is not None), default=0)
    drawing = Drawing(width, _TOP + _CELL[1] * _HOURS + 24, family)
    missing = drawing.hatch("missing", "#a9453a", "#f7e6e3")
    any_missing = False
    for column, label in enumerate(days):
        x = _LEFT + _CELL[0] * column
        drawing.text((x + _CELL[0] / 2, _TOP - 4), label, size=6.5, fill=SOFT, anchor="middle")
        for hour in range(_HOURS):
            value = values.get((column, hour))
            any_missing = any_missing or value is None
            fill = missing if value is None else _shade(value, top_value)
            drawing.rect((x, _TOP + _CELL[1] * hour, _CELL[0] - 0.6, _CELL[1] - 0.6), fill)
    for hour in range(0, _HOURS, 3):
        drawing.text((_LEFT - 4, _TOP + _CELL[1] * hour + 7), f"{hour:02}:00", size=6.5, fill=SOFT, anchor="end")
    _legend(drawing, top_value // shown, unit, missing if any_missing else "")
    return drawing.to_svg()


def _shade(value: int, top: int) -> str:
    if top <= 0 or value <= 0:
        return _RAMP[0]
    return _RAMP[min(value * len(_RAMP) // top, len(_RAMP) - 1)]


def _legend(drawing: Drawing, top: int, unit: str, missing: str) -> None:
    y = _TOP + _CELL[1] * _HOURS + 10
    drawing.text((_LEFT, y + 7), "0", size=6.5, fill=SOFT, anchor="end")
    for at, colour in enumerate(_RAMP):
        drawing.rect((_LEFT + 4 + 20 * at, y, 20, 8), colour)
    x = _LEFT + 8 + 20 * len(_RAMP)
    drawing.text((x, y + 7), f"{top:,} {unit}", size=6.5, fill=INK)
    if missing:
        drawing.rect((x + 120, y, 20, 8), missing)
        drawing.text((x + 144, y + 7), "缺数 no reading", size=6.5, fill=INK)
