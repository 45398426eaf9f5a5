"""Analog Devices ADXL345 on SPI, shaken by sines.

Facts: data sheet rev. G: DEVID E5, read bit 80, multiple byte 40, BW_RATE 0F = 3200 Hz, DATA_FORMAT 0B full
resolution 16 g (256 LSB/g, 13 bits), FIFO of 32 in stream mode keeps the newest and sets overrun in INT_SOURCE until
data is read.
"""

from math import pi, sin

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

_DEPTH = 32


class Adxl345:
    """sines: (frequency in Hz, peak acceleration in m/s2) on the z axis, beside 1 g. frozen: no data."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        self.now_ms = now_ms
        self.sines: list[tuple[float, float]] = [(50.0, 5.0)]
        self.dead = False
        self.frozen = False
        self._registers = bytearray(0x3A)
        self._registers[0] = 0xE5
        self._registers[0x2C] = 0x0A
        self._began_ms = 0
        self._taken = 0
        self._overrun = False

    def _waiting(self) -> int:
        """Samples in the FIFO; the oldest are gone when nobody came for them."""
        if self.frozen or not self._registers[0x2D] & 8 or self._registers[0x38] & 0xC0 != 0x80:
            return 0
        rate_hz = 3200 >> (0x0F - (self._registers[0x2C] & 15))
        made = (self.now_ms() - self._began_ms) * rate_hz // 1000
        if made - self._taken > _DEPTH:
            self._overrun = True
            self._taken = made - _DEPTH
        return made - self._taken

    def _sample(self) -> bytes:
        t_s = self._taken / 3200
        acceleration = 9.80665
        for hz, peak in self.sines:
            acceleration += peak * sin(2 * pi * hz * t_s)
        raw = max(-4096, min(4095, round(acceleration / 9.80665 * 256))) & 0xFFFF
        if self._waiting() > 0:
            self._taken += 1
        self._overrun = False
        return bytes((0, 0, 0, 0, raw & 255, raw >> 8))

    def transfer(self, out: bytes) -> bytes:
        """One chip select."""
        if self.dead:
            return b"\xff" * len(out)
        register = out[0] & 0x3F
        if not out[0] & 0x80:
            self._registers[register] = out[1]
            if register == 0x38:
                self._began_ms = self.now_ms()
                self._taken = 0
                self._overrun = False
            return bytes(len(out))
        if register == 0x32 and out[0] & 0x40:
            return b"\x00" + self._sample()
        waiting = self._waiting()
        if register == 0x39:
            return bytes((0, waiting))
        if register == 0x30:
            return bytes((0, 1 if self._overrun else 0))
        return bytes((0, self._registers[register]))
