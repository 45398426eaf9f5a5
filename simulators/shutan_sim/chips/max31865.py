"""Maxim MAX31865 with a platinum element.

Facts: MAX31865 data sheet (19-6478, rev. 3): registers 00 to 07, write address + 80, automatic increment, conversion
62.5 ms with the 50 Hz filter (52 with 60 Hz), fault bit in the RTD register, high fault above, low fault at or below
the threshold; IEC 60751 for the element.
"""

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable


class Max31865:
    """temperature_c of the element; broken: a wire is open; shorted: the element is. 430 and 100 Ohm."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        self.now_ms = now_ms
        self.temperature_c = 0.0
        self.reference_ohm = 430.0
        self.broken = False
        self.shorted = False
        self.dead = False
        self.babbling = False
        self._registers = bytearray((0, 0, 0, 0xFF, 0xFF, 0, 0, 0))
        self._done_ms: int | None = None
        self._bias_ms: int | None = None

    def resistance_ohm(self) -> float:
        """Of the element, by IEC 60751."""
        t = self.temperature_c
        ratio = 1 + 3.9083e-3 * t - 5.775e-7 * t * t
        if t < 0:
            ratio -= 4.183e-12 * (t - 100) * t * t * t
        return 100 * ratio

    def transfer(self, out: bytes) -> bytes:
        """One chip select."""
        if self.dead:
            return b"\xff" * len(out)
        if self.babbling:
            return bytes([37 * at & 255 for at in range(len(out))])
        self._convert()
        start = out[0] & 0x7F
        back = bytearray(len(out))
        for at in range(1, len(out)):
            register = start + at - 1 & 7
            if out[0] & 0x80:
                self._set(register, out[at])
            else:
                back[at] = self._registers[register]
        return bytes(back)

    def _set(self, register: int, value: int) -> None:
        if register == 0:
            if value & 0x02:
                self._registers[7] = 0
                value &= ~0x02
            if value & 0x80 and not self._registers[0] & 0x80:
                self._bias_ms = self.now_ms()
            if value & 0x20:
                self._done_ms = self.now_ms() + (63 if value & 1 else 52)
                settled = self._bias_ms is not None and self.now_ms() - self._bias_ms >= 10
                self._settled = settled and value & 0x80 != 0
        if register in (0, 3, 4, 5, 6):
            self._registers[register] = value

    def _convert(self) -> None:
        if self._done_ms is None or self.now_ms() < self._done_ms:
            return
        self._done_ms = None
        self._registers[0] &= ~0x20
        code = int(self.resistance_ohm() / self.reference_ohm * 32768)
        if self.broken:
            code = 32767
        if self.shorted or not self._settled:
            code = 0
        word = max(0, min(32767, code)) << 1
        if word > self._registers[3] << 8 | self._registers[4]:
            self._registers[7] |= 0x80
        if word <= self._registers[5] << 8 | self._registers[6]:
            self._registers[7] |= 0x40
        if self._registers[7]:
            word |= 1
        self._registers[1] = word >> 8
        self._registers[2] = word & 255
