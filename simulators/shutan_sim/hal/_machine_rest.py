"""The part of `machine` that a node seldom or never uses: pins, RTC, sleep, identity."""
# ruff: noqa: INP001 - modules of a board lie in a folder that is a search path, not a package

import os
from binascii import crc32, unhexlify

import _calendar
import machine
from utime import sleep_ms

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_EXIT_SOFT_RESET = 4
_EXIT_DEEPSLEEP = 5
_RTC_FILE = "rtc.bin"


def unique_id() -> bytes:
    """Six bytes, like a MAC address."""
    text = os.getenv("SHUTAN_SIM_UID")
    if text:
        return unhexlify(text)
    return b"\x02\x00" + crc32(os.getcwd().encode()).to_bytes(4, "big")  # noqa: PTH109 - MicroPython


def soft_reset() -> None:
    """Leave at once with the code that keeps the RTC."""
    machine.leave(_EXIT_SOFT_RESET)


def deepsleep(time_ms: int = 0) -> None:
    """Sleep, then leave: the supervisor's restart is the wake-up."""
    sleep_ms(time_ms)
    machine.leave(_EXIT_DEEPSLEEP)


def lightsleep(time_ms: int = 0) -> None:
    """Sleep in real time."""
    sleep_ms(time_ms)


def idle() -> None:
    """Give the processor away."""
    sleep_ms(1)


def freq(hz: int = 0) -> int:  # noqa: ARG001 - the frequency of a simulated chip cannot be changed
    """Hertz of the simulated chip."""
    return 240000000


def __getattr__(name: str) -> object:
    if name in ("I2C", "SPI"):
        import _buses  # noqa: PLC0415 - loaded by a board that has sensors

        return getattr(_buses, name)
    raise AttributeError(name)


class Pin:
    """A pin that remembers its level. low: pins that were written, whether they are low.

    watch: is told whether the pin drives its line high, each time that it is set up.
    """

    low: "dict[int, bool]" = {}  # noqa: RUF012 - MicroPython has no ClassVar

    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_UP = 2
    PULL_DOWN = 1
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, number: int, mode: int = -1, pull: int = -1, value: object = None) -> None:
        self.number = number
        self._level = 1 if pull == self.PULL_UP else 0
        self.watch = None
        self.init(mode, pull, value)

    def init(self, mode: int = -1, pull: int = -1, value: object = None) -> None:  # noqa: ARG002 - board signature
        """Set up again."""
        if value is not None:
            self._level = 1 if value else 0
            self.low[self.number] = not self._level
        if self.watch is not None:
            self.watch(mode == self.OUT and self._level == 1)

    def value(self, level: object = None) -> object:
        """Read the level, or set it."""
        if level is None:
            return self._level
        self._level = 1 if level else 0
        self.low[self.number] = not self._level
        return None

    __call__ = value

    def on(self) -> None:
        """High."""
        self._level = 1

    def off(self) -> None:
        """Low."""
        self._level = 0

    def irq(self, handler: object = None, trigger: int = 3) -> None:  # noqa: ARG002 - board signature
        """Take a handler; nothing on a simulated pin ever changes by itself, a test calls it."""
        self.handler = handler


class RTC:
    """Calendar since 2000 and the few bytes that survive a reset but not a power cut."""

    def datetime(self, parts: object = None) -> object:
        """Read or set (year, month, day, weekday, hour, minute, second, microsecond)."""
        if parts is None:
            ms = _calendar.rtc_ms()
            now = _calendar.gmtime(ms // 1000)
            return now[:3] + (now[6],) + now[3:6] + (ms % 1000 * 1000,)  # noqa: RUF005 - MicroPython cannot unpack here
        seconds = _calendar.mktime((parts[0], parts[1], parts[2], parts[4], parts[5], parts[6]))
        _calendar.set_rtc_ms(seconds * 1000 + parts[7] // 1000)
        return None

    def memory(self, data: object = None) -> object:
        """Read or write the retained bytes (at most 2048)."""
        if data is not None:
            if len(data) > 2048:
                raise ValueError("buffer too long")
            with open(_RTC_FILE, "wb") as file:  # noqa: PTH123 - MicroPython
                file.write(data)
            return None
        try:
            with open(_RTC_FILE, "rb") as file:  # noqa: PTH123 - MicroPython
                return file.read()
        except OSError:
            return b""
