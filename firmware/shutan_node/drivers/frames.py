"""Frames of sensors on a UART: found among noise by head and checksum."""

from shutan_meters.errors import FrameError

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Bytes = bytes | bytearray


class Finder:
    """Tells a bus when a whole frame is there. proves(buffer, at): whether a proven frame begins at `at`."""

    def __init__(self, length: int, proves: "Callable[[Bytes, int], bool]") -> None:
        self._length = length
        self._proves = proves
        self.at = -1

    def __call__(self, buffer: "Bytes") -> int:
        """Place behind the first frame in the buffer, 0 = none yet."""
        for at in range(len(buffer) - self._length + 1):
            if self._proves(buffer, at):
                self.at = at
                return at + self._length
        return 0

    async def exchange(self, bus: "Any", request: bytes, timeout_ms: int) -> bytes:
        """Send (or only listen) and return the frame. NoAnswer; FrameError when what came holds none."""
        buffer = await bus.transact(request, self, timeout_ms)
        if not self(buffer):
            raise FrameError("uart", "no undamaged frame in %d bytes" % len(buffer))
        return bytes(buffer[self.at : self.at + self._length])


def total(data: "Bytes", at: int, end: int) -> int:
    """Sum of data[at:end] in eight bits."""
    result = 0
    for place in range(at, end):
        result += data[place]
    return result & 0xFF
