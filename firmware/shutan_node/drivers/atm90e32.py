"""ATM90E32AS: three-phase metering on SPI (mode 3), for current transformers.

A transfer is a 16-bit address, its top bit set to read, then 16 bits of data, high byte first.

Energy registers (80 import, 84 export: total, A, B, C; 88 and 8C reactive) count 0.01 pulses and are **cleared when
they are read**. So a value that the bus damaged would be lost: 78 (LastSPIData) repeats what the chip last sent, and
a value counts only when two readings of it agree. The counts are summed as integers and kept by `totals`. One pulse
is 1 / constant kWh, 0.01 pulses 10 / constant Wh. A register is full after 65535 counts: at 3200 pulses a kWh after
205 Wh on the chip's side, so the interval must be shorter; a reading near the end of the register is marked
uncertain.

A warm start finds the chip running and leaves it alone: what it counted meanwhile is in its registers. Gains go into
the chip when they are not there: new gain = old gain × reference / reading, per phase, at 10 % load or more.

Wiring is looked at: a phase whose voltage is missing, a current transformer that is turned round (negative power
where the options say that only power is drawn), one on the wrong phase (power factor between -0.65 and 0.65 at a load
above 5 % of nominal, together with the chip's phase order) give bits of `alarm_code`. Nothing is corrected silently.

Source: ATM90E32AS data sheet (Atmel 46003), 4.2 (SPI), 5 (registers), 6 (special registers), 7 (energy, power, RMS).
"""

from shutan_meters.errors import FrameError, NoAnswer
from shutan_node.drivers.driver import Driver, Options, select_pin
from shutan_wire.quality import GOOD, UNCERTAIN

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

_HZ = 200000
_MODE = 3
_READ = 0x8000
_METER_EN = 0x00
_SOFT_RESET = 0x70
_LAST_SPI_DATA = 0x78
_CFG_REG_ACC_EN = 0x7F
_PL_CONST = 450000000000  # / pulses per kWh; 3200 gives the 0861 C468 of the data sheet
_RESET_KEY = 0x789A
_CFG_KEY = 0x55AA
_PL_CONST_H = 0x31
_MMODE0 = 0x33
_MMODE1 = 0x34
_GAINS = (0x61, 0x62, 0x65, 0x66, 0x69, 0x6A)  # voltage, current of A, B, C
_ENERGY = (0x80, 0x84, 0x88, 0x8C, 0x81, 0x82, 0x83)
_NEARLY_FULL = 0xF000
_TRIES = 4
_RESET_MS = 100

ALARM_PHASE_LOSS = 1  # << phase 0, 1, 2
ALARM_CT_REVERSED = 8
ALARM_CT_WRONG_PHASE = 64

_METRICS = (
    "active_energy_import_wh", "active_energy_export_wh", "reactive_energy_import_varh", "reactive_energy_export_varh",
    "active_energy_import_l1_wh", "active_energy_import_l2_wh", "active_energy_import_l3_wh",
    "voltage_l1_v", "voltage_l2_v", "voltage_l3_v", "current_l1_a", "current_l2_a", "current_l3_a",
    "active_power_w", "active_power_l1_w", "active_power_l2_w", "active_power_l3_w", "reactive_power_var",
    "apparent_power_va", "power_factor", "power_factor_l1", "power_factor_l2", "power_factor_l3", "frequency_hz",
    "chip_temperature_c", "alarm_code",
)  # fmt: skip


class Atm90e32(Driver):
    """address: its select pin. options: see docs/sensors.md; `calibration` says who calibrated it and when."""

    BUS = "spi"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        self._select = select_pin(address, given.mistakes)
        self._constant = given.number("pulses_per_kwh", 3200, 110, 100000)
        high = _PL_CONST // self._constant
        mode = 0x0087 | (0x1000 if given.choice("mains_hz", 50, (50, 60)) == 60 else 0)
        gain = {1: 0x00, 2: 0x15, 4: 0x2A}[given.choice("current_gain", 1, (1, 2, 4))]
        self._settings = [(_PL_CONST_H, high >> 16), (_PL_CONST_H + 1, high & 0xFFFF), (_MMODE0, mode), (_MMODE1, gain)]
        gains: list[Any] = given.take("gains", [0x8000] * 6)
        if len(gains) != 6 or [one for one in gains if not isinstance(one, int) or not 0 < one < 65536]:
            given.mistakes.append("options.gains: six numbers wanted, voltage and current of each phase")
            gains = []
        self._settings += zip(_GAINS, gains)  # noqa: B905 - MicroPython's zip has no strict
        calibration: dict[str, Any] = given.take("calibration", {})
        if gains != [0x8000] * 6 and not ("date" in calibration and "operator" in calibration):
            given.mistakes.append("options.calibration: date and operator wanted beside gains")
        self._ct = given.number("ct", 1, 1, 10000)
        self._import_only = given.choice("import_only", True, (True, False))
        self._nominal_v = given.number("nominal_v", 230.0, 50, 500)
        self._nominal_a = given.number("nominal_a", 5.0, 0.01, 1000)
        given.done()
        super().__init__(name, _METRICS)
        self._totals: Any = None

    def _transfer(self, bus: "Any", address: int, value: int) -> int:
        data = bus.transfer(self._select, bytes((address >> 8, address & 0xFF, value >> 8, value & 0xFF)), _HZ, _MODE)
        return data[2] << 8 | data[3]

    def _get(self, bus: "Any", register: int) -> int:
        """A register and its repetition; FrameError when they never agree."""
        found = self._transfer(bus, _READ | register, 0)
        for _ in range(_TRIES):
            again = self._transfer(bus, _READ | _LAST_SPI_DATA, 0)
            if again == found:
                return found
            found = again  # the chip keeps what it sent; the reading that the bus damaged is dropped
        raise FrameError("spi", "register %02x reads differently each time" % register)

    def _is_set(self, bus: "Any") -> bool:
        if self._get(bus, _METER_EN) == 0:
            return False
        return not [1 for register, value in self._settings if self._get(bus, register) != value]

    async def begin(self, bus: "Any") -> None:
        """Leave a chip alone that is set up; else reset it and set it up."""
        if self._totals is None:
            self._totals = bus.totals(self.name, len(_ENERGY))
        if self._get(bus, _MMODE0) in (0xFFFF, 0x0000):
            raise NoAnswer("spi", "no ATM90E32 at select pin %d" % self._select)
        if self._is_set(bus):
            return
        self._transfer(bus, _SOFT_RESET, _RESET_KEY)
        await bus.sleep_ms(_RESET_MS)
        self._transfer(bus, _CFG_REG_ACC_EN, _CFG_KEY)
        self._transfer(bus, _METER_EN, 1)
        for register, value in self._settings:
            self._transfer(bus, register, value)
        self._transfer(bus, _CFG_REG_ACC_EN, 0)
        if not self._is_set(bus):
            raise FrameError("spi", "the set-up does not read back")

    async def measure(self, bus: "Any") -> None:
        """Energy first: a fault in the rest must not cost it."""
        if self._get(bus, _METER_EN) != 1:
            raise FrameError("spi", "the chip lost its set-up")
        self._energy(bus)
        for phase in range(3):
            self.put(7 + phase, self._get(bus, 0xD9 + phase) / 100, 0, 655.35)
            self.put(10 + phase, self._get(bus, 0xDD + phase) / 1000 * self._ct, 0, 65.535 * self._ct)
        for item, register in ((13, 0xB0), (17, 0xB4), (18, 0xB8)):
            self.put(item, self._power(bus, register) * 4, -1e9, 1e9)
        for phase in range(3):
            self.put(14 + phase, self._power(bus, 0xB1 + phase), -1e9, 1e9)
        for item in range(4):
            self.put(19 + item, _signed(self._get(bus, 0xBC + item)) / 1000, -1, 1)
        self.put(23, self._get(bus, 0xF8) / 100, 40, 70)
        self.put(24, float(_signed(self._get(bus, 0xFC))), -40, 125)
        self.values[25] = self._wiring()
        self.qualities[25] = GOOD

    def _power(self, bus: "Any", register: int) -> float:
        word = _signed(self._get(bus, register)) << 16 | self._get(bus, register + 0x10)
        return word * 0.00032 * self._ct

    def _energy(self, bus: "Any") -> None:
        """Take what the registers have counted, add it at once, keep it."""
        totals = self._totals
        quality = UNCERTAIN if totals.uncertain else GOOD
        full = 0
        failed: FrameError | None = None
        for item in range(len(_ENERGY)):
            try:
                count = self._get(bus, _ENERGY[item])
            except FrameError as error:  # this one is lost: the others are not
                failed = error
                break
            totals.numbers[item] += count
            full = max(full, count)
        totals.keep()
        if failed is not None:
            raise failed
        if full >= _NEARLY_FULL:
            quality = UNCERTAIN
        for item in range(len(_ENERGY)):
            self.values[item] = totals.numbers[item] * 10 * self._ct // self._constant
            self.qualities[item] = quality

    def _wiring(self) -> int:
        """Bits of alarm_code, see the top."""
        alarm = 0
        for phase in range(3):
            volt = self.values[7 + phase] or 0
            ampere = (self.values[10 + phase] or 0) / self._ct
            factor = self.values[20 + phase] or 0
            loaded = ampere > 0.05 * self._nominal_a
            if volt < 0.3 * self._nominal_v:
                alarm |= ALARM_PHASE_LOSS << phase
            elif loaded and self._import_only and (self.values[14 + phase] or 0) < 0:
                alarm |= ALARM_CT_REVERSED << phase
            elif loaded and -0.65 < factor < 0.65:
                alarm |= ALARM_CT_WRONG_PHASE << phase
        return alarm


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word


DRIVER = Atm90e32
