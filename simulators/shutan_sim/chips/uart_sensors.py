"""Sensors on a UART: Winsen MH-Z19B, Belling BL0942, Hiliwi HLW8032.

Facts: MH-Z19B manual version 1.6 (protocol); BL0942 data sheet V1.1 (registers, calculation, UART packet); HLW8032 data
sheet rev. 1.5 (serial data, pulse formula).
"""

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable


class _Talker:
    """Bytes in, bytes out. dead: silent; babbling: noise instead of every answer."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        self.now_ms = now_ms
        self.dead = False
        self.babbling = False
        self._out = b""

    def receive(self, data: bytes) -> None:
        """A request."""
        answer = self.answer(data)
        if answer and not self.dead:
            self._out += bytes(range(len(answer))) if self.babbling else answer

    def send(self) -> bytes:
        """What waits on the line."""
        out = self._out
        self._out = b""
        return out

    def answer(self, data: bytes) -> bytes:
        """The answer to a request, b"" for none."""
        return data[:0]


class Mhz19(_Talker):
    """410 ppm for three minutes after power-on, then the truth. baseline: automatic correction."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        super().__init__(now_ms)
        self.co2_ppm = 608
        self.baseline = True
        self._since_ms = now_ms()

    def answer(self, data: bytes) -> bytes:
        """See class."""
        if len(data) != 9 or data[:2] != b"\xff\x01" or -sum(data[1:8]) & 0xFF != data[8]:
            return b""
        if data[2] == 0x79:
            self.baseline = data[3] == 0xA0
            return b""
        if data[2] != 0x86:
            return b""
        shown = self.co2_ppm if self.now_ms() - self._since_ms >= 180000 else 410
        body = bytes((0x86, shown >> 8, shown & 255, 0x47, 0, 0, 0))
        return b"\xff" + body + bytes((-sum(body) & 255,))


class Bl0942(_Talker):
    """Counts its own pulses from power and time. The socket circuit: 1 mOhm, 5 x 390 k over 510 Ohm."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        super().__init__(now_ms)
        self.address = 0
        self.voltage_v = 230.0
        self.current_a = 1.0
        self.power_w = 230.0
        self.frequency_hz = 50.0
        self.pulses = 0.0
        self._counted_ms = now_ms()

    def power_watt_raw(self) -> int:
        """Power register: 3537 x I(mV) x U(mV) / 1.218^2."""
        divider = 510 / (5 * 390000 + 510)
        return round(3537 * self.power_w * divider * 1000 / 1.218**2)

    def answer(self, data: bytes) -> bytes:
        """See class."""
        if len(data) != 2 or data[0] != 0x58 | self.address or data[1] != 0xAA:
            return b""
        power = self.power_watt_raw()
        self.pulses += abs(power) / 419430.4 * (self.now_ms() - self._counted_ms) / 1000
        self._counted_ms = self.now_ms()
        voltage = round(73989 * self.voltage_v * 1000 * 510 / (5 * 390000 + 510) / 1.218)
        current = round(305978 * self.current_a / 1.218)
        frame = b"\x55"
        for value in (current, voltage, current, power & 0xFFFFFF, int(self.pulses) & 0xFFFFFF):
            frame += value.to_bytes(3, "little")
        frame += round(1000000 / self.frequency_hz).to_bytes(2, "little") + b"\x00\x00\x01\x00"
        return frame + bytes((~(data[0] + sum(frame)) & 0xFF,))


class Hlw8032(_Talker):
    """Sends by itself every 50 ms; `send` gives the end of one frame and a whole one, as a listener hears them."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        super().__init__(now_ms)
        self.voltage_v = 230.0
        self.current_a = 1.0
        self.power_w = 230.0
        self.state = 0x55
        self.pulses = 0

    def frame(self) -> bytes:
        """One frame; parameters as in the published capture, divider 1.88, shunt 1 mOhm."""
        fields = (
            (188800, 188800 * 1.88 / self.voltage_v),
            (16040, 16040 / self.current_a if self.current_a else 0),
            (5217000, 5217000 * 1.88 / self.power_w if self.power_w else 0),
        )
        body = b"".join([a.to_bytes(3, "big") + round(b).to_bytes(3, "big") for a, b in fields])
        body += bytes((0x61 | (self.pulses >> 16 & 1) << 7,)) + (self.pulses & 0xFFFF).to_bytes(2, "big")
        return bytes((self.state, 0x5A)) + body + bytes((sum(body) & 255,))

    def send(self) -> bytes:
        """See class."""
        if self.dead:
            return b""
        if self.babbling:
            return b"\x55\x5a" * 24
        return self.frame()[13:] + self.frame()
