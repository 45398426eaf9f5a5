"""Buses of the board's own sensors. With `hal` the only modules that import `machine`.

A driver sees: `now_ms()` (process time), `await sleep_ms(ms)`, `totals(name, count)`, and its bus's own calls, which
take milliseconds and raise NoAnswer. Each bus has one sampler, so its sensors are read one after the other; a sensor
that is silent or babbles costs its own time-out and is asked less and less (see `sampler`).
"""

import asyncio

import machine

from shutan_meters.errors import NoAnswer
from shutan_node import hal

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.totals import Totals

_I2C_TIMEOUT_US = 200000  # an SCD30 may stretch the clock for 150 ms
_ETIMEDOUT = (110, 116)  # ESP-IDF's and the usual one
_CLOCKS = 9  # finish the byte that a sensor was sending when its master was reset


class Bus:
    """What all kinds share."""

    def __init__(self) -> None:
        self.now_ms = hal.uptime_ms

    async def sleep_ms(self, ms: int) -> None:
        """Wait while the other tasks run."""
        await asyncio.sleep_ms(ms)

    def totals(self, name: str, count: int) -> "Totals":
        """Counters that survive a restart, see shutan_node.totals."""
        from shutan_node import totals

        return totals.of(name, count)


class I2c(Bus):
    """An I2C bus; one that is stuck is freed by nine clocks and a stop (I2C specification UM10204, 3.1.16)."""

    def __init__(self, number: int, scl: int, sda: int, hz: int) -> None:
        super().__init__()
        self._number = number
        self._pins = (scl, sda)
        self._hz = hz
        self.freed = 0
        self._open()

    def _open(self) -> None:
        scl, sda = self._pins
        settings: Any = {"freq": self._hz, "timeout": _I2C_TIMEOUT_US}  # the stub knows no timeout
        self._i2c = machine.I2C(self._number, scl=machine.Pin(scl), sda=machine.Pin(sda), **settings)

    def write(self, address: int, data: bytes) -> None:
        """Send bytes."""
        try:
            self._i2c.writeto(address, data)
        except OSError as error:
            raise self._silent(address, error) from None

    def read(self, address: int, count: int) -> bytes:
        """Receive bytes."""
        try:
            return self._i2c.readfrom(address, count)
        except OSError as error:
            raise self._silent(address, error) from None

    def _silent(self, address: int, error: OSError) -> NoAnswer:
        if error.args and error.args[0] in _ETIMEDOUT:
            self._free()
        return NoAnswer("i2c 0x%02x" % address, "silent (%s)" % error)

    def _free(self) -> None:
        """Clock by hand until whoever holds the data line lets it go, then stop."""
        self.freed += 1
        scl = machine.Pin(self._pins[0], machine.Pin.OPEN_DRAIN, value=1)
        sda = machine.Pin(self._pins[1], machine.Pin.OPEN_DRAIN, value=1)
        for _ in range(_CLOCKS):
            scl.value(0)
            scl.value(1)
        sda.value(0)
        sda.value(1)
        self._open()


class Spi(Bus):
    """An SPI bus; each transfer says chip select, speed and mode, since sensors differ."""

    def __init__(self, number: int, sck: int, mosi: int, miso: int) -> None:
        super().__init__()
        pins = [machine.Pin(pin) for pin in (sck, mosi, miso)]
        self._spi = machine.SPI(number, baudrate=200000, polarity=1, phase=1, sck=pins[0], mosi=pins[1], miso=pins[2])
        self._set = (200000, 3)
        self._selects: dict[int, machine.Pin] = {}

    def transfer(self, select: int, out: "bytes | bytearray", hz: int, mode: int) -> bytearray:
        """Exchange bytes with the chip whose select pin this is."""
        pin = self._selects.get(select)
        if pin is None:
            pin = self._selects[select] = machine.Pin(select, machine.Pin.OUT, value=1)
        if self._set != (hz, mode):
            self._spi.init(baudrate=hz, polarity=mode >> 1, phase=mode & 1)
            self._set = (hz, mode)
        data = bytearray(len(out))
        pin.value(0)
        try:
            self._spi.write_readinto(out, data)
        finally:
            pin.value(1)
        return data


class OneWire(Bus):
    """A 1-Wire bus. `power(True)` drives the line high, for sensors that take their current from it."""

    def __init__(self, pin: int) -> None:
        super().__init__()
        import onewire

        self._pin = machine.Pin(pin)
        self._wire = onewire.OneWire(self._pin)
        self.converted_ms = -60000  # when all sensors were told to convert

    def reset(self) -> None:
        """Begin; NoAnswer when nobody is there."""
        if not self._wire.reset():
            raise NoAnswer("1-wire", "nobody answers a reset")

    def write(self, data: bytes) -> None:
        """Send bytes, low bit first."""
        self._wire.write(data)

    def read(self, count: int) -> bytearray:
        """Receive bytes."""
        data = bytearray(count)
        self._wire.readinto(data)
        return data

    def power(self, on: bool) -> None:
        """Strong pull-up on, or open drain as between transfers."""
        if on:
            self._pin.init(machine.Pin.OUT, value=1)
        else:
            self._pin.init(machine.Pin.OPEN_DRAIN, machine.Pin.PULL_UP, value=1)


class Inputs(Bus):
    """Digital inputs behind opto-couplers, and pulse inputs."""

    def level(self, pin: int) -> "Any":
        """A pin whose `value()` is 0 or 1."""
        return machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP)

    def counter(self, pin: int, rising: bool, debounce_ms: int) -> "Any":
        """An object whose `value()` counts edges since it was made, modulo 2^16 or more."""
        from shutan_node import edges

        return edges.counter(pin, rising, debounce_ms)


_KINDS = {"i2c": I2c, "spi": Spi, "onewire": OneWire, "inputs": Inputs}


def make(kind: str, *row: "Any") -> Bus:
    """A bus from its row in the plan."""
    return _KINDS[kind](*row)
