"""A small SVG writer: shapes and text in the order they are drawn, whole numbers only, so that the bytes repeat."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

__all__ = ["FONT", "INK", "PAPER", "SOFT", "Picture", "width_of"]

INK: Final = "#1d2a33"
SOFT: Final = "#5b6b76"
PAPER: Final = "#ffffff"
FONT: Final = "DejaVu Sans, Noto Sans CJK SC, Microsoft YaHei, sans-serif"
_WIDE: Final = 0x2E80  # first code point of the CJK blocks, whose signs are as wide as high


def width_of(text: str, size: int) -> int:
    """Estimated width of a text: a CJK sign is one em, a Latin letter about 0.62."""
    return sum(100 if ord(sign) >= _WIDE else 62 for sign in text) * size // 100


class Picture:
    """An SVG picture, filled from back to front."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="{FONT}">\n<title>{escape(title)}</title>\n'
            f'<rect width="{width}" height="{height}" fill="{PAPER}"/>\n'
        )
        self._parts: list[str] = []

    def box(self, at: tuple[int, int], size: tuple[int, int], fill: str, stroke: str = SOFT) -> None:
        """A rectangle with rounded corners."""
        place = f'x="{at[0]}" y="{at[1]}" width="{size[0]}" height="{size[1]}"'
        self._parts.append(f'<rect {place} rx="3" fill="{fill}" stroke="{stroke}"/>')

    def line(self, start: tuple[int, int], end: tuple[int, int], stroke: str = INK) -> None:
        """A straight line."""
        place = f'x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}"'
        self._parts.append(f'<line {place} stroke="{stroke}"/>')

    def text(
        self, at: tuple[int, int], text: str, size: int = 11, *,
        fill: str = INK, anchor: str = "start", bold: bool = False,
    ) -> None:  # fmt: skip
        """One line of text on its base line; anchor: start, middle or end."""
        weight = ' font-weight="700"' if bold else ""
        style = f'font-size="{size}" fill="{fill}" text-anchor="{anchor}"{weight}'
        self._parts.append(f'<text x="{at[0]}" y="{at[1]}" {style}>{escape(text)}</text>')

    def to_svg(self) -> str:
        """The whole picture."""
        return self._head + "\n".join(self._parts) + "\n</svg>\n"
