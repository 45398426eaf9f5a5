"""`machine` of an ESP32 for MicroPython's unix port: the node package runs on it byte for byte as on a board.

| board                       | here                                                                         |
|-----------------------------|------------------------------------------------------------------------------|
| UART n                      | pseudo-terminal named by SHUTAN_SIM_UART<n>, raw, never blocking             |
| RTC memory                  | file `rtc.bin` in the working directory; gone after a power cut              |
| reset                       | process exit 3 (soft reset 4, deep sleep 5); the supervisor starts it again  |
| watchdog bites              | SIGALRM ends the process, also when the interpreter hangs                    |
| reset cause, unique id      | SHUTAN_SIM_RESET_CAUSE, SHUTAN_SIM_UID (hex)                                 |
| speed of process time       | RATE from SHUTAN_SIM_RATE; UART, watchdog and ticks stay in real time        |
"""
# ruff: noqa: INP001 - modules of a board lie in a folder that is a search path, not a package

import io
import os
import termios
import time
from array import array
from binascii import crc32, unhexlify
from time import RATE

import ffi

__all__ = (
    "RATE",
    "RTC",
    "UART",
    "WDT",
    "Pin",
    "deepsleep",
    "freq",
    "idle",
    "lightsleep",
    "reset",
    "reset_cause",
    "soft_reset",
    "unique_id",
)

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_EXIT_RESET = 3
_EXIT_SOFT_RESET = 4
_EXIT_DEEPSLEEP = 5
_RTC_FILE = "rtc.bin"
_FIONREAD = 0x541B
_STREAM_CLOSE = 4
_STREAM_GET_FILENO = 10
_VTIME_VMIN = (5, 6)

_libc = ffi.open(None)
_exit = _libc.func("v", "_exit", "i")
_ioctl = _libc.func("i", "ioctl", "iip")
_setitimer = _libc.func("i", "setitimer", "ipp")


def unique_id() -> bytes:
    """Six bytes, like a MAC address."""
    text = os.getenv("SHUTAN_SIM_UID")
    return unhexlify(text) if text else b"\x02\x00" + crc32(os.getcwd().encode()).to_bytes(4, "big")  # noqa: PTH109 - MicroPython


def reset_cause() -> int:
    """Why this process started."""
    return int(os.getenv("SHUTAN_SIM_RESET_CAUSE") or PWRON_RESET)


def reset() -> None:
    """Leave at once, without running any clean-up, as a chip does."""
    _exit(_EXIT_RESET)


def soft_reset() -> None:
    """Leave at once with the code that keeps the RTC."""
    _exit(_EXIT_SOFT_RESET)


def deepsleep(time_ms: int = 0) -> None:
    """Sleep, then leave: the supervisor's restart is the wake-up."""
    time.sleep_ms(time_ms)
    _exit(_EXIT_DEEPSLEEP)


def lightsleep(time_ms: int = 0) -> None:
    """Sleep in real time."""
    time.sleep_ms(time_ms)


def idle() -> None:
    """Give the processor away."""
    time.sleep_ms(1)


def freq(hz: int = 0) -> int:  # noqa: ARG001 - the frequency of a simulated chip cannot be changed
    """Hertz of the simulated chip."""
    return 240000000


class UART(io.IOBase):
    """A serial port on a pseudo-terminal.

    Parity and stop bits cannot exist on a pseudo-terminal (EINVAL), so they are taken and ignored. Reads never block:
    `None` means that nothing is there. The descriptor is given to `select.poll`, hence asyncio streams wait properly.
    """

    INV_TX = 32
    INV_RX = 4

    def __init__(self, port: int, baudrate: int = 9600, *args: object, **kwargs: object) -> None:
        path = os.getenv("SHUTAN_SIM_UART" + str(port))
        if not path:
            raise ValueError("UART(" + str(port) + ") does not exist")
        self._path = path
        self._file = None
        self._count = array("i", (0,))
        self.init(baudrate, *args, **kwargs)

    def init(self, baudrate: int = 9600, *_args: object, **_kwargs: object) -> None:
        """Open the line, or keep it open, at `baudrate`."""
        self.baudrate = baudrate
        if self._file is None:
            self._file = open(self._path, "r+b", 0)  # noqa: SIM115, PTH123 - held open for the life of the port
            self._fd = self._file.fileno()
            termios.setraw(self._fd)
            attributes = termios.tcgetattr(self._fd)
            for index in _VTIME_VMIN:  # both zero: a read returns at once
                attributes[6][index] = 0
            termios.tcsetattr(self._fd, termios.TCSANOW, attributes)

    def deinit(self) -> None:
        """Close the line."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def any(self) -> int:
        """Bytes waiting."""
        return self._count[0] if _ioctl(self._fd, _FIONREAD, self._count) == 0 else 0

    def read(self, nbytes: int = -1) -> object:
        """Up to `nbytes` waiting bytes, all of them without a limit; None when there are none."""
        waiting = self.any()
        if nbytes < 0 or nbytes > waiting:
            nbytes = waiting
        try:
            return self._file.read(nbytes) if nbytes else None
        except OSError:  # the other side is gone: a dead bus is silent
            return None

    def readinto(self, buf: object, nbytes: int = -1) -> object:
        """Waiting bytes into `buf`; their count, or None."""
        if 0 <= nbytes < len(buf):
            buf = memoryview(buf)[:nbytes]
        try:
            return self._file.readinto(buf) or None
        except OSError:
            return None

    def readline(self) -> object:
        """Waiting bytes up to a line feed, or None."""
        line = b""
        while not line.endswith(b"\n"):
            byte = self.read(1)
            if not byte:
                break
            line += byte
        return line or None

    def write(self, buf: object) -> object:
        """Send all of `buf`; its length, or None when the line is dead."""
        try:
            return self._file.write(buf)
        except OSError:
            return None

    def flush(self) -> None:
        """Nothing waits on this side of a pseudo-terminal."""

    def txdone(self) -> bool:
        """Whether everything is sent: always."""
        return True

    def sendbreak(self) -> None:
        """A pseudo-terminal has no break condition."""

    def ioctl(self, request: int, _argument: object) -> int:
        """What `select.poll` and streams ask of a port."""
        if request == _STREAM_GET_FILENO:
            return self._fd
        if request == _STREAM_CLOSE:
            self.deinit()
            return 0
        return -1


class Pin:
    """A pin that remembers its level."""

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
        self.init(mode, pull, value)

    def init(self, mode: int = -1, pull: int = -1, value: object = None) -> None:  # noqa: ARG002 - board signature
        """Set up again."""
        if value is not None:
            self._level = 1 if value else 0

    def value(self, level: object = None) -> object:
        """Read the level, or set it."""
        if level is None:
            return self._level
        self._level = 1 if level else 0
        return None

    __call__ = value

    def on(self) -> None:
        """High."""
        self._level = 1

    def off(self) -> None:
        """Low."""
        self._level = 0

    def irq(self, handler: object = None, trigger: int = 3) -> None:
        """Take a handler; nothing on a simulated pin ever changes by itself."""


class WDT:
    """Watchdog in real time: unfed, it ends the process by SIGALRM whatever the interpreter is doing."""

    def __init__(self, id: int = 0, timeout: int = 5000) -> None:  # noqa: A002, ARG002 - the board's keyword
        self._timer = array("l", (0, 0, 0, 0))
        self.timeout_ms(timeout)

    def timeout_ms(self, timeout: int) -> None:
        """Set another period and feed."""
        self._timer[2] = timeout // 1000
        self._timer[3] = timeout % 1000 * 1000
        self.feed()

    def feed(self) -> None:
        """Begin the period again."""
        _setitimer(0, self._timer, None)


class RTC:
    """Calendar since 2000 and the few bytes that survive a reset but not a power cut."""

    def datetime(self, parts: object = None) -> object:
        """Read or set (year, month, day, weekday, hour, minute, second, microsecond)."""
        if parts is None:
            ms = time._rtc_ms()  # noqa: SLF001 - one clock in two modules of one board
            now = time.gmtime(ms // 1000)
            return now[:3] + (now[6],) + now[3:6] + (ms % 1000 * 1000,)  # noqa: RUF005 - MicroPython cannot unpack here
        seconds = time.mktime((parts[0], parts[1], parts[2], parts[4], parts[5], parts[6]))
        time._set_rtc_ms(seconds * 1000 + parts[7] // 1000)  # noqa: SLF001 - see above
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


if reset_cause() == PWRON_RESET:  # a power cut empties the RTC's memory
    try:  # noqa: SIM105 - MicroPython has no contextlib
        os.remove(_RTC_FILE)  # noqa: PTH107 - MicroPython
    except OSError:
        pass
