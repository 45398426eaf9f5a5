"""Sensirion SHT3x, SCD4x and SCD30: 16-bit commands, words with a CRC-8.

Facts: SHT3x-DIS data sheet version 5 (May 2018), 4.3 to 4.13; SCD4x data sheet version 1.1 (April 2021), 3.2 to 3.11;
SCD30 interface description version 1.0 (May 2020), 1.1 to 1.4.
"""

from struct import pack, unpack

from shutan_sim.chips.chip import Chip, nack

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

_POLYNOMIAL = 0x131  # x8 + x5 + x4 + 1


def checksum(high: int, low: int) -> int:
    """CRC-8 of a word by polynomial division, first value FF."""
    rest = (high ^ 0xFF) << 8 | low
    for bit in range(15, 7, -1):
        if rest >> bit & 1:
            rest ^= _POLYNOMIAL << (bit - 8)
    # the first byte has passed; what is left of it stands over the second
    rest = (rest & 0xFF) << 8
    for bit in range(15, 7, -1):
        if rest >> bit & 1:
            rest ^= _POLYNOMIAL << (bit - 8)
    return rest & 0xFF


def sealed(*words: int) -> bytes:
    """Words as they go over the bus."""
    out = bytearray()
    for word in words:
        out += bytes((word >> 8, word & 255, checksum(word >> 8, word & 255)))
    return bytes(out)


class _Sensirion(Chip):
    """Command in, words out. A wrong CRC and a read before the answer is ready are not acknowledged."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        super().__init__(now_ms)
        self._answer = b""
        self._ready_ms = 0
        self.commands: list[int] = []

    def take(self, data: bytes) -> None:
        """Bytes written to the chip."""
        code = data[0] << 8 | data[1]
        argument = -1
        if len(data) == 5:
            if checksum(data[2], data[3]) != data[4]:
                nack()
            argument = data[2] << 8 | data[3]
        self.commands.append(code)
        self._answer = b""
        self.order(code, argument)

    def order(self, code: int, argument: int) -> None:
        """Carry out a command; argument -1 = none."""

    def reply(self, after_ms: int, *words: int) -> None:
        """Have these words ready in a while."""
        self._answer = sealed(*words)
        self._ready_ms = self.now_ms() + after_ms

    def give(self) -> bytes:
        """Bytes that the chip has for a read."""
        if not self._answer or self.now_ms() < self._ready_ms:
            nack()
        answer = self._answer
        self._answer = b""
        return answer


class Sht3x(_Sensirion):
    """Single shots without clock stretching, status, heater (warms the chip by 5 K here)."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        super().__init__(now_ms)
        self.temperature_c = 25.0
        self.humidity_pct = 50.0
        self.heater = False

    def order(self, code: int, argument: int) -> None:  # noqa: ARG002 - none of its commands has one
        """Carry out a command."""
        if code == 0x2400:
            warm = self.temperature_c + (5 if self.heater else 0)
            self.reply(15, round((warm + 45) / 175 * 65535), round(self.humidity_pct / 100 * 65535))
        elif code == 0xF32D:
            self.reply(0, 0x8010 | (0x2000 if self.heater else 0))
        elif code in (0x306D, 0x3066):
            self.heater = code == 0x306D
        elif code != 0x30A2:
            nack()


class Scd4x(_Sensirion):
    """Periodic measurement every 5 s; while it runs most commands are refused, as all are for 500 ms after a stop."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        super().__init__(now_ms)
        self.co2_ppm = 500
        self.temperature_c = 25.0
        self.humidity_pct = 37.0
        self.altitude_m = 0
        self.self_calibration = True
        self._began_ms: int | None = None
        self._read = 0
        self._deaf_ms = 0

    def _measured(self) -> int:
        """Measurements since the start."""
        return 0 if self._began_ms is None else (self.now_ms() - self._began_ms) // 5000

    def order(self, code: int, argument: int) -> None:
        """Carry out a command."""
        running = self._began_ms is not None
        if self.now_ms() < self._deaf_ms or (running and code not in (0xE4B8, 0xEC05, 0x3F86, 0xE000)):
            nack()
        if code == 0x21B1:
            self._began_ms = self.now_ms()
            self._read = 0
        elif code == 0x3F86:
            self._began_ms = None
            self._deaf_ms = self.now_ms() + 500
        elif code == 0xE4B8:
            self.reply(1, 0x8006 if self._measured() > self._read else 0x8000)
        elif code == 0xEC05:
            if self._measured() <= self._read:
                nack()
            self._read = self._measured()
            temperature = round((self.temperature_c + 45) / 175 * 65535)
            self.reply(1, self.co2_ppm, temperature, round(self.humidity_pct / 100 * 65535))
        else:
            self._settle(code, argument)

    def _settle(self, code: int, argument: int) -> None:
        """Commands of a sensor that does not measure."""
        if code == 0x3682:
            self.reply(1, 0xF896, 0x9F07, 0x3BBE)
        elif code == 0x2427:
            self.altitude_m = argument
        elif code == 0x2416:
            self.self_calibration = argument == 1
        elif code != 0xE000:
            nack()


class Scd30(_Sensirion):
    """Continuous measurement; interval, altitude and self-calibration stay in its memory, each write is counted."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        super().__init__(now_ms)
        self.co2_ppm = 439.09515380859375
        self.temperature_c = 27.23828125
        self.humidity_pct = 48.80674362182617
        self.memory = {0x4600: 2, 0x5102: 0, 0x5306: 1}
        self.written = 0
        self._began_ms: int | None = None
        self._read = 0

    def _measured(self) -> int:
        return 0 if self._began_ms is None else (self.now_ms() - self._began_ms) // (1000 * self.memory[0x4600])

    def order(self, code: int, argument: int) -> None:
        """Carry out a command."""
        if code in self.memory:
            if argument < 0:
                self.reply(3, self.memory[code])
            else:
                self.memory[code] = argument
                self.written += 1
        elif code == 0x0010:
            self._began_ms = self.now_ms()
            self._read = 0
        elif code == 0x0202:
            self.reply(3, 1 if self._measured() > self._read else 0)
        elif code == 0x0300:
            self._read = self._measured()
            self.reply(3, *unpack(">6H", pack(">fff", self.co2_ppm, self.temperature_c, self.humidity_pct)))
        elif code == 0xD100:
            self.reply(3, 0x0342)
        else:
            nack()
