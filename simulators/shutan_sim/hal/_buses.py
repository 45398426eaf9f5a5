"""I2C, SPI and 1-Wire of a simulated board, with the chips that `chips.json` in the node's folder solders to them.

    {"i2c0": {"0x44": {"chip": "air.Sht3x", "set": {"temperature_c": 30.5}}}, "spi1": {"5": {...}}, "onewire4": [{...}]}

Keys are the bus with its number (1-Wire: its pin); places are addresses or chip select pins. `chip` is module and class
in shutan_sim.chips. The file is read again when it changed: `set` is applied to the chips that are there, so whoever
plays the plant can heat a room, kill a sensor (`dead`) or let it babble.
"""
# ruff: noqa: INP001 - modules of a board lie in a folder that is a search path, not a package

import json

import machine
from utime import ticks_diff, ticks_ms

_FILE = "chips.json"
_LOOK_MS = 100
_chips: "dict[str, object]" = {}
_seen = [0, b""]
_selected: "list[int]" = []


def _now_ms() -> int:
    return ticks_diff(ticks_ms(), machine.BORN) * machine.RATE


def _make(spec: object) -> object:
    module, name = spec["chip"].split(".")
    return getattr(__import__("shutan_sim.chips." + module, None, None, (name,)), name)(_now_ms)


def chip(bus: str, place: str) -> object:
    """The chip at a place of a bus; None if nothing is soldered there."""
    if not _seen[1] or ticks_diff(ticks_ms(), _seen[0]) > _LOOK_MS:
        _seen[0] = ticks_ms()
        try:
            with open(_FILE, "rb") as file:  # noqa: PTH123 - MicroPython
                text = file.read()
        except OSError:
            text = b"{}"
        if text != _seen[1]:
            _seen[1] = text
            _apply(json.loads(text))
    return _chips.get(bus + "/" + place)


def _apply(board: object) -> None:
    for bus, places in board.items():
        for place, spec in places.items():
            key = bus + "/" + place
            if key not in _chips:
                _chips[key] = _make(spec)
            for name, value in spec.get("set", {}).items():
                setattr(_chips[key], name, value)


class I2C:
    """The part of `machine.I2C` that a node uses."""

    def __init__(self, number: int, **settings: object) -> None:
        self._bus = "i2c" + str(number)
        self.freq = settings.get("freq", 400000)

    def _chip(self, address: int) -> object:
        found = chip(self._bus, f"0x{address:02x}")
        if found is None:
            raise OSError(19)
        return found

    def writeto(self, address: int, data: bytes) -> int:
        """Write; the count of acknowledged bytes."""
        self._chip(address).write(bytes(data))
        return len(data)

    def readfrom(self, address: int, count: int) -> bytes:
        """Read."""
        return self._chip(address).read(count)

    def scan(self) -> "list[int]":
        """Addresses that answer."""
        return [place for place in range(8, 0x78) if chip(self._bus, f"0x{place:02x}") is not None]


class SPI:
    """The part of `machine.SPI` that a node uses; whichever select pin is low has the bus."""

    def __init__(self, number: int, **settings: object) -> None:
        self._bus = "spi" + str(number)
        self.init(**settings)

    def init(self, **settings: object) -> None:
        """Take speed and mode."""
        self.settings = settings

    def write_readinto(self, out: bytes, data: bytearray) -> None:
        """Exchange bytes with the selected chip; without one the line floats high."""
        selected = [pin for pin, low in machine.Pin.low.items() if low and chip(self._bus, str(pin)) is not None]
        if len(selected) == 1:
            data[:] = chip(self._bus, str(selected[0])).transfer(bytes(out))
        else:
            for at in range(len(data)):
                data[at] = 255
