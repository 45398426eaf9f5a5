"""Uptime and the epoch: samples carry uptime until the first answer of a time server, then UTC."""

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable


class Uptime:
    """Milliseconds since start that never wrap, out of ticks that do (2^30 ms = 12.4 days on an ESP32).

    Must be asked at least once in half a period; the watchdog task sees to that.
    """

    def __init__(self, ticks_ms: "Callable[[], int]", ticks_diff: "Callable[[int, int], int]") -> None:
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._last = ticks_ms()
        self._ms = 0

    def ms(self) -> int:
        """Real milliseconds since start."""
        now = self._ticks_ms()
        self._ms += self._ticks_diff(now, self._last)
        self._last = now
        return self._ms


class Clock:
    """UTC as uptime plus an offset in ms; None until the first sync. `steps` counts later jumps of a second or more."""

    def __init__(self, uptime_ms: "Callable[[], int]") -> None:
        self.uptime_ms = uptime_ms
        self.offset: int | None = None
        self.steps = 0

    def now(self) -> "tuple[int, bool]":
        """(ms, relative): UTC since 1970, or uptime with relative True while the time is unknown."""
        now = self.uptime_ms()
        return (now, True) if self.offset is None else (now + self.offset, False)

    def set(self, offset_ms: int) -> int:
        """Take a new offset; the step against the old one in ms (0 at the first)."""
        step = 0 if self.offset is None else offset_ms - self.offset
        if abs(step) >= 1000:
            self.steps += 1
        self.offset = offset_ms
        return step
