"""The wiring drawing of a board: each circuit from the module's pins to its terminals, with the barriers it crosses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_gateway.hardware.svg import INK, SOFT, Picture, width_of

if TYPE_CHECKING:
    from shutan_gateway.hardware.board import Board, Circuit, Part, Rail

__all__ = ["wiring"]

_LEFT: Final = 20
_MODULE_WIDTH: Final = 230
_BOX: Final = (170, 62)
_STEP: Final = 196
_LINE: Final = 16
_FILL: Final = {"logic": "#e8f1ea", "field": "#e6edf8", "mains": "#fbdcd6"}
_BARRIER: Final = "#c0392b"


def _wrap(text: str, width: int, size: int, rows: int) -> list[str]:
    """Words in lines that fit a width; what does not fit ends in an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if width_of(longer, size) <= width:
            lines[-1] = longer
        elif len(lines) < rows:
            lines.append(word)
        else:
            lines[-1] += " …"
            break
    return lines


def _part(picture: Picture, board: Board, part: Part, x: int, y: int) -> None:
    """One part: its circuits as halves of the box, the barrier between them as a dashed line with its rating."""
    kinds = {one.id: one.kind for one in board.domain}
    sides = [kinds[name] for name in part.domains]
    picture.box((x, y), _BOX, _FILL[_ordered(sides)[-1]])
    if len(sides) == 2:
        known = board.class_of(part)
        picture.box((x, y + _BOX[1] - 16), (_BOX[0], 16), _FILL[_ordered(sides)[0]], _BARRIER)
        rating = f"{known.insulation} {known.isolation_vrms} V"
        picture.text((x + _BOX[0] // 2, y + _BOX[1] - 4), rating, 9, fill=_BARRIER, anchor="middle", bold=True)
    title = board.class_of(part).title.split(",")[0]
    times = f" × {part.quantity}" if part.quantity > 1 else ""
    picture.text((x + 6, y + 14), f"{part.ref}{times}", 11, bold=True)
    for row, line in enumerate(_wrap(title, _BOX[0] - 12, 9, 2)):
        picture.text((x + 6, y + 28 + row * 12), line, 9)


def _ordered(sides: list[str]) -> list[str]:
    """The circuits of a part, the most dangerous first."""
    return sorted(sides, key=("mains", "field", "logic").index)


def _circuit(picture: Picture, board: Board, circuit: Circuit, y: int) -> int:
    """One row; returns the y of the next one."""
    parts = {part.ref: part for part in board.part}
    pins = {pin.signal: pin for pin in board.pin}
    high = max(len(circuit.signals) * _LINE + 12, len(circuit.terminals) * _LINE + 4, _BOX[1])
    picture.text((_LEFT, y + 12), f"{circuit.title} {circuit.title_zh}", 12, bold=True)
    y += 20
    x = _LEFT + _MODULE_WIDTH
    middle = y + high // 2
    if circuit.signals:
        picture.box((_LEFT, y), (_MODULE_WIDTH - 30, high), _FILL["logic"])
        for row, signal in enumerate(circuit.signals):
            words = f"IO{pins[signal].gpio}  {signal}"
            picture.text((_LEFT + 8, y + 18 + row * _LINE), words, 10)
        picture.line((x - 30, middle), (x, middle))
    for number, ref in enumerate(circuit.chain):
        left = x + number * _STEP
        if number:
            picture.line((left - _STEP + _BOX[0], middle), (left, middle))
        _part(picture, board, parts[ref], left, middle - _BOX[1] // 2)
    end = x + (len(circuit.chain) - 1) * _STEP + _BOX[0]
    first = middle - (len(circuit.terminals) - 1) * _LINE // 2
    for row, terminal in enumerate(circuit.terminals):
        picture.line((end, middle), (end + 14, first + row * _LINE))
        picture.text((end + 18, first + 4 + row * _LINE), terminal, 10)
    return y + high + 18


def _rail(board: Board, rail: Rail) -> str:
    part = next((one for one in board.part if one.ref == rail.regulator), None)
    if part is None:
        return f"{rail.name}: from outside, {rail.volts_mv / 1000:g} V, {rail.limit_ma} mA"
    return (
        f"{rail.name}: {rail.volts_mv / 1000:g} V from {rail.source} by {rail.regulator} ({board.class_of(part).title})"
    )


def wiring(board: Board) -> str:
    """The drawing as SVG."""
    rows = [max(len(one.signals) * _LINE + 12, len(one.terminals) * _LINE + 4, _BOX[1]) + 38 for one in board.circuit]
    longest = max((len(one.chain) for one in board.circuit), default=1)
    width = max(_LEFT + _MODULE_WIDTH + longest * _STEP + 190, 900)
    height = 92 + sum(rows) + 24 + len(board.rail) * _LINE + 40
    picture = Picture(width, height, f"{board.name}: wiring")
    picture.text((20, 28), f"{board.name}: wiring 接线", 16, bold=True)
    legend = "green: logic 逻辑 · blue: field, another earth 现场 · red: mains 市电 · red frame: barrier 隔离"
    picture.text((20, 48), legend, 11, fill=SOFT)
    y = 66
    if any(one.kind == "mains" for one in board.domain):
        warning = "DANGER: mains. Read hardware/SAFETY.md first.  危险：市电。先读 hardware/SAFETY.zh-CN.md。"
        picture.text((20, y), warning, 12, fill=_BARRIER, bold=True)
    y += 14
    for circuit in board.circuit:
        y = _circuit(picture, board, circuit, y)
    picture.line((20, y), (width - 20, y), SOFT)
    picture.text((20, y + 20), "supply 供电", 12, bold=True)
    for row, rail in enumerate(board.rail):
        picture.text((20, y + 38 + row * _LINE), _rail(board, rail), 10, fill=INK)
    return picture.to_svg()
