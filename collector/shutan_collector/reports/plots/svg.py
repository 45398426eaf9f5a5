"""A small SVG writer: shapes and text in the order they are drawn, coordinates to a hundredth, so that bytes repeat.

Floats are at home here and in the other plots only: a drawing rounds, a figure does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["INK", "PAPER", "RULE", "SOFT", "Drawing", "nice_steps", "text_width"]

INK: Final = "#1d2a33"
SOFT: Final = "#5b6b76"
RULE: Final = "#c9d2d8"
PAPER: Final = "#ffffff"
_WIDE: Final = 0x2E80  # first code point of the CJK blocks, whose signs are as wide as high
_LATIN_EM: Final = 0.56


def text_width(text: str, size: float) -> float:
    """Estimated width of a text in the same unit as its size: a CJK sign is one em, a Latin letter about half."""
    return size * sum(1.0 if ord(sign) >= _WIDE else _LATIN_EM for sign in text)


def nice_steps(top: float, count: int = 5) -> list[float]:
    """Round axis values from 0 to at least `top`, about `count` of them."""
    if top <= 0:
        return [0.0, 1.0]
    rough = top / count
    power = 10.0 ** (len(str(int(rough))) - 1 if rough >= 1 else -_leading_zeros(rough) - 1)
    step = next(power * multiple for multiple in (1, 2, 2.5, 5, 10) if power * multiple >= rough * 0.999)
    steps = [0.0]
    while steps[-1] < top * 0.999:
        steps.append(steps[-1] + step)
    return steps


def _leading_zeros(value: float) -> int:
    zeros = 0
    while value < 0.1:
        value, zeros = value * 10, zeros + 1
    return zeros


class Drawing:
    """An SVG picture of a given size in points, filled from back to front."""

    def __init__(self, width: float, height: float, family: str) -> None:
        self.width = width
        self.height = height
        self._parts: list[str] = []
        self._definitions: list[str] = []
        self._family = family

    def rect(self, box: tuple[float, float, float, float], fill: str, *, stroke: str = "", opacity: float = 1) -> None:
        """A rectangle; box: x, y, width, height."""
        x, y, width, height = (_n(value) for value in box)
        line = f' stroke="{stroke}" stroke-width="0.6"' if stroke else ""
        line += f' fill-opacity="{_n(opacity)}"' if opacity < 1 else ""
        self._parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}"{line}/>')

    def line(
        self, start: tuple[float, float], end: tuple[float, float], stroke: str = RULE, *, width: float = 0.6,
        dash: str = "",
    ) -> None:  # fmt: skip
        """A straight line."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        ends = f'x1="{_n(start[0])}" y1="{_n(start[1])}" x2="{_n(end[0])}" y2="{_n(end[1])}"'
        self._parts.append(f'<line {ends} stroke="{stroke}" stroke-width="{_n(width)}"{dashes}/>')

    def polyline(
        self, points: Sequence[tuple[float, float]], stroke: str, *, width: float = 1.6, dash: str = ""
    ) -> None:
        """A line through points."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        places = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        self._parts.append(
            f'<polyline points="{places}" fill="none" stroke="{stroke}" stroke-width="{_n(width)}" '
            f'stroke-linejoin="round"{dashes}/>'
        )

    def polygon(self, points: Sequence[tuple[float, float]], fill: str, *, opacity: float = 1.0) -> None:
        """A filled polygon."""
        places = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        self._parts.append(f'<polygon points="{places}" fill="{fill}" fill-opacity="{_n(opacity)}"/>')

    def circle(self, centre: tuple[float, float], radius: float, fill: str) -> None:
        """A dot."""
        self._parts.append(f'<circle cx="{_n(centre[0])}" cy="{_n(centre[1])}" r="{_n(radius)}" fill="{fill}"/>')

    def ribbon(
        self, left: tuple[float, float], right: tuple[float, float], thickness: float, fill: str, *, title: str = ""
    ) -> None:
        """A band of constant thickness from the top-left corner of one side to the other, bent like an S."""
        (x0, y0), (x1, y1) = left, right
        bend = (x0 + x1) / 2
        path = (
            f"M{_n(x0)},{_n(y0)} C{_n(bend)},{_n(y0)} {_n(bend)},{_n(y1)} {_n(x1)},{_n(y1)} "
            f"L{_n(x1)},{_n(y1 + thickness)} C{_n(bend)},{_n(y1 + thickness)} {_n(bend)},{_n(y0 + thickness)} "
            f"{_n(x0)},{_n(y0 + thickness)} Z"
        )
        self._shape(f'path d="{path}" fill="{fill}" fill-opacity="0.5"', title)

    def hatch(self, name: str, stroke: str, back: str) -> str:
        """Define a diagonal hatch once; returns the fill that uses it."""
        self._definitions.append(
            f'<pattern id="{name}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
            f'<rect width="5" height="5" fill="{back}"/><line x1="0" y1="0" x2="0" y2="5" stroke="{stroke}" '
            'stroke-width="1.6"/></pattern>'
        )
        return f"url(#{name})"

    def text(
        self, at: tuple[float, float], text: str, *, size: float = 8, fill: str = INK, anchor: str = "start",
        bold: bool = False, halo: bool = False,
    ) -> None:  # fmt: skip
        """A line of text on its base line; anchor: start, middle or end; `halo` keeps it readable on colours."""
        outline = f' stroke="{PAPER}" stroke-opacity="0.75" stroke-width="2" paint-order="stroke"' if halo else ""
        weight = ' font-weight="700"' if bold else ""
        self._parts.append(
            f'<text x="{_n(at[0])}" y="{_n(at[1])}" font-size="{_n(size)}" fill="{fill}" '
            f'text-anchor="{anchor}"{weight}{outline}>{escape(text)}</text>'
        )

    def to_svg(self) -> str:
        """The whole picture."""
        size = f'width="{_n(self.width)}" height="{_n(self.height)}" viewBox="0 0 {_n(self.width)} {_n(self.height)}"'
        definitions = f"<defs>{''.join(self._definitions)}</defs>" if self._definitions else ""
        family = quoteattr(f"{self._family}, sans-serif")
        body = "\n".join(self._parts)
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family={family}>\n{definitions}{body}\n</svg>\n'

    def _shape(self, element: str, title: str) -> None:
        self._parts.append(
            f"<{element}><title>{escape(title)}</title></{element.split(maxsplit=1)[0]}>" if title else f"<{element}/>"
        )


def _n(value: float) -> str:
    """A coordinate to a hundredth, without trailing zeros and without a negative zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
