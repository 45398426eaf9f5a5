"""DS18B20 thermometers on one 1-Wire line, byte by byte.

Facts: DS18B20 data sheet (Maxim 19-7487, rev. 6): ROM and function commands, conversion time 750 ms at 12 bits,
scratchpad with 0550 after power-on, parasite power needs the line driven high during a conversion, CRC x8 + x5 + x4 +
1.
"""

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable


def crc(data: "bytes | bytearray") -> int:
    """CRC of ROM and scratchpad, shifted bit by bit as the data sheet's figure 11 draws it."""
    shift = [0] * 8
    for byte in data:
        for bit in range(8):
            feed = (byte >> bit & 1) ^ shift[7]
            shift = [feed, shift[0], shift[1], shift[2], shift[3] ^ feed, shift[4] ^ feed, shift[5], shift[6]]
    return sum([shift[7 - place] << place for place in range(8)])


class _Sensor:
    """One thermometer. raw: what its scratchpad shows."""

    def __init__(self, serial: int) -> None:
        body = b"\x28" + serial.to_bytes(6, "little")
        self.rom = body + bytes((crc(body),))
        self.temperature_c = 20.0
        self.raw = 0x0550
        self.began_ms: int | None = None
        self.starved = False


class Line:
    """The line. temperatures_c: one a sensor; parasite: none has a supply; held: the line is shorted to ground."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        self.now_ms = now_ms
        self.sensors = [_Sensor(1)]
        self.parasite = False
        self.dead = False
        self.held = False
        self.noisy = False
        self._strong = False
        self._chosen: list[_Sensor] = []
        self._in = bytearray()
        self._out = bytearray()

    @property
    def temperatures_c(self) -> "list[float]":
        """Temperature of each sensor; setting it solders so many."""
        return [one.temperature_c for one in self.sensors]

    @temperatures_c.setter
    def temperatures_c(self, values: "list[float]") -> None:
        while len(self.sensors) < len(values):
            self.sensors.append(_Sensor(len(self.sensors) + 1))
        for place in range(len(values)):
            self.sensors[place].temperature_c = values[place]

    def power(self, on: bool) -> None:
        """Strong pull-up."""
        if self._strong and not on:
            self._settle()
        self._strong = on

    def _settle(self) -> None:
        """Finish conversions whose time is over; without current they never happened."""
        for one in self.sensors:
            if one.began_ms is None:
                continue
            starved = self.parasite and (one.starved or not self._strong)
            if starved:
                one.began_ms = None
                one.raw = 0x0550  # it browned out and came up again
            elif self.now_ms() - one.began_ms >= 750:
                one.began_ms = None
                one.raw = round(one.temperature_c * 16) & 0xFFFF

    def reset(self) -> bool:
        """Reset and presence."""
        self._settle()
        self._chosen = []
        self._in = bytearray()
        self._out = bytearray()
        return not self.dead and bool(self.sensors) and not self.held

    def write_byte(self, byte: int) -> None:
        """A byte from the master."""
        self._in.append(byte)
        if not self._chosen:
            if byte == 0xCC and len(self._in) == 1:
                self._chosen = list(self.sensors)
                self._in = bytearray()
            elif self._in[0] == 0x55 and len(self._in) == 9:
                self._chosen = [one for one in self.sensors if one.rom == bytes(self._in[1:])]
                self._in = bytearray()
            return
        if byte == 0x44:
            for one in self._chosen:
                one.began_ms = self.now_ms()
                one.starved = False
        elif byte == 0xB4:
            self._out = bytearray((0 if self.parasite else 0xFF,))
        elif byte == 0xBE:
            found = bytearray(b"\xff" * 9)
            for one in self._chosen:  # several at once: the wired AND of their answers
                pad = bytes((one.raw & 255, one.raw >> 8, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10))
                pad += bytes((crc(pad),))
                for at in range(9):
                    found[at] &= pad[at]
            self._out = found
        self._in = bytearray()

    def read_byte(self) -> int:
        """A byte to the master."""
        if self.held:
            return 0
        byte = self._out[0] if self._out and not self.dead else 0xFF
        self._out = self._out[1:]
        return byte ^ 0x10 if self.noisy else byte
