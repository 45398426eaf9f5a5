"""The pin-out drawing of a board: the module with its pads in their order, what is on each, and what is free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_gateway.hardware.svg import INK, PAPER, SOFT, Picture

if TYPE_CHECKING:
    from shutan_gateway.hardware.board import Board, Pin

__all__ = ["pinout"]

_ROW: Final = 22
_TOP: Final = 78
_MODULE: Final = (430, 200)  # left edge, width
_WIDTH: Final = 1060
_ARROWS: Final = {"out": "→", "in": "←", "bidir": "↔", "analog": "← analog", "pulse": "← pulses"}
_COLOURS: Final = {
    "used": ("#cfe8d5", "in use", "已用"),
    "boot": ("#fde3b5", "strapping", "启动配置"),
    "port": ("#d5e1f5", "USB, console", "USB、控制台"),
    "memory": ("#e3c9c9", "flash, PSRAM", "存储器"),
    "free": ("#f3f5f6", "free", "空闲"),
    "power": ("#dcdcdc", "supply", "电源"),
}


def _kind(board: Board, pad: int | str, pin: Pin | None) -> str:
    if isinstance(pad, str):
        return "power"
    chip = board.chip
    if pad in chip.flash | board.module_data.taken:
        return "memory"
    if pad in chip.usb | chip.console:
        return "port"
    if chip.strapping_of(pad) is not None:
        return "boot"
    return "used" if pin is not None else "free"


def _words(board: Board, pad: int | str, pin: Pin | None) -> str:
    """What stands beside a pad."""
    if pin is not None:
        pull = {"up": ", pull-up", "down": ", pull-down", "": ""}[pin.pull]
        return f"{pin.signal} {_ARROWS[pin.direction]} {pin.to.removeprefix('~')}{pull}"
    if isinstance(pad, str):
        return {"EN": "reset, 10 k pull-up, 1 uF"}.get(pad, "")
    chip = board.chip
    strap = chip.strapping_of(pad)
    reasons = (
        (pad in chip.flash | board.module_data.taken, "memory of the module: leave open"),
        (pad in chip.console, "leave free: boot messages"),
        (pad in chip.usb, "leave free: USB"),
        (strap is not None and strap.never != "", f"leave open: never {strap.never if strap else ''} at reset"),
        (pad in chip.input_only, "free, input only"),
    )
    return next((words for applies, words in reasons if applies), "free")


def _pad(picture: Picture, board: Board, number: int, row: int, *, left: bool) -> None:
    pad = board.module_data.pads[number - 1]
    pin = next((one for one in board.pin if one.gpio == pad), None)
    y = _TOP + row * _ROW
    edge = _MODULE[0] if left else _MODULE[0] + _MODULE[1]
    fill = _COLOURS[_kind(board, pad, pin)][0]
    x = edge - 74 if left else edge + 2
    picture.box((x, y), (72, _ROW - 4), fill)
    picture.text((x + 36, y + 13), f"IO{pad}" if isinstance(pad, int) else pad, anchor="middle", bold=pin is not None)
    inner = (edge + 6, "start") if left else (edge - 6, "end")
    picture.text((inner[0], y + 13), str(number), 9, fill=SOFT, anchor=inner[1])
    outer = (x - 8, "end") if left else (x + 80, "start")
    colour = INK if pin is not None else SOFT
    picture.text((outer[0], y + 13), _words(board, pad, pin), anchor=outer[1], fill=colour)


def pinout(board: Board) -> str:
    """The drawing as SVG. Pads run down the left side and up the right one, as on the module; not to scale."""
    count = len(board.module_data.pads)
    half = (count + 1) // 2
    height = _TOP + half * _ROW + 46
    picture = Picture(_WIDTH, height, f"{board.name}: pin-out")
    picture.text((20, 28), f"{board.name}: {board.title}", 16, bold=True)
    picture.text(
        (20, 50), f"{board.title_zh} · {board.module} · pads in their order, top view, not to scale", 11, fill=SOFT
    )
    picture.box((_MODULE[0], _TOP - 8), (_MODULE[1], half * _ROW + 12), PAPER, INK)
    picture.text((_MODULE[0] + _MODULE[1] // 2, _TOP + half * _ROW // 2), board.module, 11, anchor="middle", bold=True)
    for number in range(1, count + 1):
        left = number <= half
        _pad(picture, board, number, number - 1 if left else count - number, left=left)
    x = 20
    for fill, english, chinese in _COLOURS.values():
        picture.box((x, height - 28), (14, 14), fill)
        picture.text((x + 20, height - 17), f"{english} {chinese}", 10)
        x += 172
    return picture.to_svg()
