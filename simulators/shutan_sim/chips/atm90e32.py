"""Microchip ATM90E32AS as its SPI shows it.

Facts: ATM90E32AS data sheet (Atmel 46003): address word with the read bit on top; 70 takes 789A as a reset; 7F opens
the configuration with 55AA; energy registers in 0.01 pulses, cleared by reading; LastSPIData; powers as 32-bit words
of 0.00032 W, the totals in steps of four; U 0.01 V, I 0.001 A, power factor 0.001, frequency 0.01 Hz, temperature 1
degree.
"""

from math import cos, pi, sin

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

_CONFIGURATION = (0x31, 0x6E)


class Atm90e32:
    """Three phases. angle_deg: between voltage and current at the chip's pins, as the transformers are connected.

    flip: the n-th transfer from now (1 = next) comes back with a wrong bit, once. lost: it comes back as zeros.
    """

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        self.now_ms = now_ms
        self.voltage_v = [230.0, 230.0, 230.0]
        self.current_a = [5.0, 5.0, 5.0]
        self.angle_deg = [0.0, 0.0, 0.0]
        self.frequency_hz = 50.0
        self.temperature_c = 41
        self.pulses_per_kwh = 3200
        self.dead = False
        self.flip = 0
        self.transfers = 0
        self.given: dict[int, int] = {}  # energy that was handed out by register, in 0.01 pulses
        self.resets = 0
        self._off()

    def _off(self) -> None:
        """After power-on or a reset."""
        self.settings = dict.fromkeys(range(49, 111), 0)
        self.settings[0x33] = 0x0087
        for register in (0x61, 0x62, 0x65, 0x66, 0x69, 0x6A):
            self.settings[register] = 0x8000
        self._enabled = 0
        self._open = False
        self._last = 0
        self._energy: dict[int, float] = dict.fromkeys(range(128, 148), 0.0)
        self._counted_ms = self.now_ms()

    def power_cut(self) -> None:
        """The chip's supply goes away and comes back."""
        self._off()

    def power_w(self, phase: int) -> float:
        """Active power of a phase."""
        return self.voltage_v[phase] * self.current_a[phase] * cos(self.angle_deg[phase] * pi / 180)

    def reactive_var(self, phase: int) -> float:
        """Reactive power of a phase."""
        return self.voltage_v[phase] * self.current_a[phase] * sin(self.angle_deg[phase] * pi / 180)

    def _count(self) -> None:
        """Energy since the last look."""
        hours = (self.now_ms() - self._counted_ms) / 3600000
        self._counted_ms = self.now_ms()
        if not self._enabled:
            return
        for base, powers in (
            (0x80, [self.power_w(phase) for phase in range(3)]),
            (0x88, [self.reactive_var(phase) for phase in range(3)]),
        ):
            for place, power in enumerate([sum(powers), powers[0], powers[1], powers[2]]):
                register = base + place + (0 if power >= 0 else 4)
                counts = abs(power) / 1000 * hours * self.pulses_per_kwh * 100
                self._energy[register] = min(65535.0, self._energy[register] + counts)

    def transfer(self, out: bytes) -> bytes:
        """One chip select."""
        if self.dead:
            return b"\xff" * len(out)
        self.transfers += 1
        address = out[0] << 8 | out[1]
        register = address & 0x3FF
        if not address & 0x8000:
            self._write(register, out[2] << 8 | out[3])
            return bytes(len(out))
        word = self._read(register)
        self._last = word
        if self.flip:
            self.flip -= 1
            if not self.flip:
                word ^= 0x0040
        return bytes((0, 0, word >> 8, word & 255))

    def _write(self, register: int, value: int) -> None:
        self._last = value
        if register == 0x70 and value == 0x789A:
            self.resets += 1
            self._off()
        elif register == 0x7F:
            self._open = value == 0x55AA
        elif register == 0x00:
            self._count()
            self._enabled = value
        elif _CONFIGURATION[0] <= register <= _CONFIGURATION[1] and self._open:
            self.settings[register] = value

    def _read(self, register: int) -> int:
        if register == 0x78:
            return self._last
        if register == 0x00:
            return self._enabled
        if register in self.settings:
            return self.settings[register]
        if register in self._energy:
            self._count()
            whole = int(self._energy[register])
            self._energy[register] -= whole
            self.given[register] = self.given.get(register, 0) + whole
            return whole
        return self._momentary(register) & 0xFFFF

    def _momentary(self, register: int) -> int:
        """U, I, P, Q, S, power factor, frequency, temperature."""
        if 0xD9 <= register <= 0xDB:
            return round(self.voltage_v[register - 0xD9] * 100)
        if 0xDD <= register <= 0xDF:
            return round(self.current_a[register - 0xDD] * 1000)
        if 0xB0 <= register <= 0xBB or 0xC0 <= register <= 0xCB:
            kind = register >> 2 & 3
            phase = (register & 3) - 1
            word = self._power_word(kind, phase)
            return word >> 16 if register < 0xC0 else word
        if 0xBC <= register <= 0xBF:
            phases = [(register & 3) - 1] if register & 3 else [0, 1, 2]
            apparent = sum([self.voltage_v[p] * self.current_a[p] for p in phases])
            return round(1000 * sum([self.power_w(p) for p in phases]) / apparent) if apparent else 1000
        if register == 0xF8:
            return round(self.frequency_hz * 100)
        return self.temperature_c if register == 0xFC else 0

    def _power_word(self, kind: int, phase: int) -> int:
        phases = [phase] if phase >= 0 else [0, 1, 2]
        if kind == 0:
            power = sum([self.power_w(p) for p in phases])
        elif kind == 1:
            power = sum([self.reactive_var(p) for p in phases])
        else:
            power = sum([self.voltage_v[p] * self.current_a[p] for p in phases])
        return round(power / (0.00032 if phase >= 0 else 0.00128)) & 0xFFFFFFFF
