"""Burn-down of the carbon budget (碳预算燃尽图): what is left, what an even year would leave, where it is heading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shutan_collector.reports.plots.svg import INK, RULE, SOFT, Drawing, nice_steps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

__all__ = ["Forecast", "draw_burndown"]

_SIZE: Final = (720.0, 240.0)
_LEFT: Final = 52.0
_TOP: Final = 28.0
_BOTTOM: Final = 26.0
_REAL: Final = "#2b6c8f"
_OVER: Final = "#a9453a"


@dataclass(frozen=True, slots=True)
class Forecast:
    """Emission of the whole year as expected, with the interval it is given with."""

    expected: Fraction
    low: Fraction
    high: Fraction


def draw_burndown(  # noqa: PLR0917 a drawing takes what is drawn, in the order of reading
    labels: Sequence[str], used: Sequence[Fraction | None], budget: Fraction, forecast: Forecast | None, unit: str,
    family: str,
) -> str:  # fmt: skip
    """The picture as SVG; `used` holds each period's emission, None from the first period without a figure on."""
    left_over = _left_over(used, budget)
    ends = [float(budget - forecast.high), float(budget - forecast.low)] if forecast else []
    lowest = min(0.0, *left_over, *ends)
    bottom = -lowest * 1.15 if lowest < 0 else 0.0
    steps = nice_steps(max(float(budget), bottom))
    up = steps[: next(at for at, step in enumerate(steps, start=1) if step >= float(budget) * 0.999)]
    below = [-step for step in steps[1:] if step <= bottom]
    drawing = Drawing(*_SIZE, family)
    room = _SIZE[1] - _TOP - _BOTTOM
    scale = room / (up[-1] + bottom)
    zero = _TOP + up[-1] * scale
    pitch = (_SIZE[0] - _LEFT - 60) / len(labels)

    def at(number: int, value: float) -> tuple[float, float]:
        return _LEFT + pitch * number, zero - value * scale

    for step in (*below, *up):
        drawing.line(at(0, step), (_SIZE[0] - 60, zero - step * scale), INK if step == 0 else RULE, width=0.4)
        drawing.text((_LEFT - 5, zero - step * scale + 2.5), f"{step:,.10g}", size=7, fill=SOFT, anchor="end")
    drawing.text((_LEFT - 5, _TOP - 10), unit, size=7, fill=SOFT, anchor="end")
    for number, label in enumerate(labels, start=1):
        drawing.text((at(number, 0)[0] - pitch / 2, _SIZE[1] - 8), label, size=7.5, anchor="middle")
    drawing.polyline([at(0, float(budget)), at(len(labels), 0)], SOFT, width=1, dash="4 3")
    last = len(left_over) - 1
    if forecast is not None and last < len(labels):
        corner = at(last, left_over[-1])
        drawing.polygon([corner, at(len(labels), ends[1]), at(len(labels), ends[0])], _REAL, opacity=0.18)
        drawing.polyline([corner, at(len(labels), float(budget - forecast.expected))], _REAL, width=1.2, dash="2 2")
        _end_label(drawing, at(len(labels), float(budget - forecast.expected)), float(budget - forecast.expected))
    if last == len(labels):
        _end_label(drawing, at(last, left_over[-1]), left_over[-1])
    drawing.polyline([at(number, value) for number, value in enumerate(left_over)], _REAL, width=2)
    for number, value in enumerate(left_over):
        drawing.circle(at(number, value), 2.4, _OVER if value < 0 else _REAL)
    _legend(drawing, with_forecast=forecast is not None)
    return drawing.to_svg()


def _left_over(used: Sequence[Fraction | None], budget: Fraction) -> list[float]:
    left = [budget]
    for value in used:
        if value is None:
            break
        left.append(left[-1] - value)
    return [float(value) for value in left]


def _end_label(drawing: Drawing, at: tuple[float, float], value: float) -> None:
    drawing.text((at[0] + 5, at[1] + 2.5), f"{value:+,.1f}", size=7, fill=_OVER if value < 0 else _REAL, bold=True)


def _legend(drawing: Drawing, *, with_forecast: bool) -> None:
    x, y = _LEFT, 8.0
    entries = [("剩余预算 budget left", _REAL, 2.0, ""), ("均匀使用 even use", SOFT, 1.0, "4 3")]
    if with_forecast:
        entries.append(("预测与区间 forecast and interval", _REAL, 1.2, "2 2"))
    for text, colour, width, dash in entries:
        drawing.polyline([(x, y), (x + 18, y)], colour, width=width, dash=dash)
        drawing.text((x + 22, y + 2.5), text, size=7.5)
        x += 150
