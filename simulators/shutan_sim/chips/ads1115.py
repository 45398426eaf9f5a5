"""TI ADS1115: four inputs against ground, single shots.

Facts: data sheet SBAS444, 8.6 (registers 0 conversion, 1 config; reset value 8583), 8.5.4 (two's complement, 7FFF at
and above full scale, 8000 at and below minus full scale).
"""

from shutan_sim.chips.chip import Chip

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

_FULL_SCALE_V = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
_RATES = (8, 16, 32, 64, 128, 250, 475, 860)


class Ads1115(Chip):
    """inputs_v: volts on AIN0..3."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        super().__init__(now_ms)
        self.inputs_v = [0.0, 0.0, 0.0, 0.0]
        self._config = 0x8583
        self._code = 0
        self._pointer = 0
        self._done_ms = 0

    def current_ma(self, channel: int, current_ma: float, shunt_ohm: float = 150.0) -> None:
        """Let a loop current flow through the shunt of an input."""
        self.inputs_v[channel] = current_ma * shunt_ohm / 1000

    def take(self, data: bytes) -> None:
        """Bytes written to the chip."""
        self._pointer = data[0] & 3
        if len(data) == 3 and self._pointer == 1:
            word = data[1] << 8 | data[2]
            self._config = word & 0x7FFF
            if word & 0x8000:
                self._done_ms = self.now_ms() + 1100 // _RATES[word >> 5 & 7]  # the oscillator may be 10 % slow
                self._code = self._convert(word)

    def _convert(self, word: int) -> int:
        mux = word >> 12 & 7
        volt = self.inputs_v[mux - 4] if mux >= 4 else self.inputs_v[0] - self.inputs_v[1]
        code = round(volt / _FULL_SCALE_V[word >> 9 & 7] * 32768)
        return max(-32768, min(32767, code)) & 0xFFFF

    def give(self) -> bytes:
        """Bytes that the chip has for a read."""
        idle = 0x8000 if self.now_ms() >= self._done_ms else 0
        word = self._code if self._pointer == 0 else self._config | idle
        return bytes((word >> 8, word & 255))
