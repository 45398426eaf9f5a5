"""`machine` of an ESP32 for MicroPython's unix port: the node package runs on it byte for byte as on a board.

| board                       | here                                                                         |
|-----------------------------|------------------------------------------------------------------------------|
| UART n                      | pseudo-terminal named by SHUTAN_SIM_UART<n>, raw, never blocking             |
| RTC memory                  | file `rtc.bin` in the working directory; gone after a power cut              |
| reset                       | process exit 3 (soft reset 4, deep sleep 5); the supervisor starts it again  |
| watchdog bites              | SIGALRM ends the process, also when the interpreter hangs                    |
| reset cause, unique id      | SHUTAN_SIM_RESET_CAUSE, SHUTAN_SIM_UID (hex)                                 |
| speed of process time       | RATE from SHUTAN_SIM_RATE; UART, watchdog and ticks stay in real time        |

Here is what every node uses; the rest is in `_machine_rest` and loaded when it is asked for: on a chip all of it is in
flash and takes nothing from the node's heap.
"""
# ruff: noqa: INP001 - modules of a board lie in a folder that is a search path, not a package

import io
import os
import termios
from array import array

import ffi
from utime import ticks_ms

BORN = ticks_ms()
RATE = int(os.getenv("SHUTAN_SIM_RATE") or 1)

_libc = ffi.open(None)
_ioctl = _libc.func("i", "ioctl", "iip")


def __getattr__(name: str) -> object:
    import _machine_rest  # noqa: PLC0415 - see the module

    return getattr(_machine_rest, name)


def leave(code: int) -> None:
    """End the process at once, without running any clean-up, as a chip does."""
    _libc.func("v", "_exit", "i")(code)


def reset() -> None:
    """Start again; the RTC's memory stays."""
    leave(3)


def reset_cause() -> int:
    """Why this process started."""
    return int(os.getenv("SHUTAN_SIM_RESET_CAUSE") or 1)


class UART(io.IOBase):
    """A serial port on a pseudo-terminal.

    Parity and stop bits cannot exist on a pseudo-terminal (EINVAL), so they are taken and ignored. Reads never block:
    `None` means that nothing is there. The descriptor is given to `select.poll`, hence asyncio streams wait properly.
    """

    def __init__(self, port: int, *args: object, **kwargs: object) -> None:
        path = os.getenv("SHUTAN_SIM_UART" + str(port))
        if not path:
            raise ValueError("UART(" + str(port) + ") does not exist")
        self._file = open(path, "r+b", 0)  # noqa: SIM115, PTH123 - held open for the life of the port
        self._fd = self._file.fileno()
        self._count = array("i", (0,))
        self.init(*args, **kwargs)

    def init(self, baudrate: int = 9600, *_args: object, **_kwargs: object) -> None:
        """Set up the line; a pseudo-terminal has no baud rate worth setting."""
        self.baudrate = baudrate
        termios.setraw(self._fd)
        attributes = termios.tcgetattr(self._fd)
        attributes[6][5] = attributes[6][6] = 0  # VTIME, VMIN: a read returns at once
        termios.tcsetattr(self._fd, termios.TCSANOW, attributes)

    def deinit(self) -> None:
        """Close the line."""
        self._file.close()

    def any(self) -> int:
        """Bytes waiting."""
        return self._count[0] if _ioctl(self._fd, 0x541B, self._count) == 0 else 0  # FIONREAD

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

    def write(self, buf: object) -> object:
        """Send all of `buf`; its length, or None when the line is dead."""
        try:
            return self._file.write(buf)
        except OSError:
            return None

    def flush(self) -> None:
        """Nothing waits on this side of a pseudo-terminal."""

    def ioctl(self, request: int, _argument: object) -> int:
        """What `select.poll` and streams ask of a port."""
        if request == 10:  # MP_STREAM_GET_FILENO
            return self._fd
        if request == 4:  # MP_STREAM_CLOSE
            self._file.close()
            return 0
        return -1


class WDT:
    """Watchdog in real time: unfed, it ends the process by SIGALRM whatever the interpreter is doing."""

    def __init__(self, id: int = 0, timeout: int = 5000) -> None:  # noqa: A002, ARG002 - the board's keyword
        self._set = _libc.func("i", "setitimer", "ipp")
        self.timeout_ms(timeout)

    def timeout_ms(self, timeout: int) -> None:
        """Set another period and feed."""
        self._timer = array("l", (0, 0, timeout // 1000, timeout % 1000 * 1000))
        self.feed()

    def feed(self) -> None:
        """Begin the period again."""
        self._set(0, self._timer, None)


if reset_cause() == 1:  # a power cut empties the RTC's memory
    try:  # noqa: SIM105 - MicroPython has no contextlib
        os.remove("rtc.bin")  # noqa: PTH107 - MicroPython
    except OSError:
        pass
