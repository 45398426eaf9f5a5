"""`onewire` of an ESP32: the byte transfers that a node uses, with the chips of `chips.json` at the pin."""
# ruff: noqa: INP001 - modules of a board lie in a folder that is a search path, not a package

import _buses


class OneWire:
    """A line with at most one branch of chips (shutan_sim.chips.ds18b20.Line)."""

    def __init__(self, pin: object) -> None:
        self.pin = pin
        pin.watch = self._power
        self._bus = "onewire" + str(pin.number)

    def _line(self) -> object:
        return _buses.chip(self._bus, "line")

    def _power(self, on: bool) -> None:
        line = self._line()
        if line is not None:
            line.power(on)

    def reset(self, required: bool = False) -> bool:
        """Whether somebody answered."""
        line = self._line()
        found = line is not None and line.reset()
        if required and not found:
            raise OSError(19)
        return found

    def write(self, data: bytes) -> None:
        """Send bytes."""
        line = self._line()
        for byte in data:
            if line is not None:
                line.write_byte(byte)

    def readinto(self, data: bytearray) -> None:
        """Receive bytes."""
        line = self._line()
        for at in range(len(data)):
            data[at] = 255 if line is None else line.read_byte()
