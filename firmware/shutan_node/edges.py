"""Edge counters: the hardware's where the chip has one, an interrupt elsewhere (ESP32-C3 has none).

The hardware's glitch filter is at most 12.8 µs (1023 cycles of 80 MHz): contact bounce needs an RC or a Schmitt trigger
in front of it. The interrupt counts an edge only when the line was quiet for `debounce_ms`.
"""

from time import ticks_diff, ticks_ms

import machine

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

_FILTER_NS = 12700
_used: "list[int]" = []  # units of the hardware counter, in the order in which they were given out


class _Interrupts:
    """Counts edges by interrupt; nothing in it allocates."""

    def __init__(self, pin: int, rising: bool, debounce_ms: int) -> None:
        self._count = 0
        self._debounce_ms = debounce_ms
        self._last_ms = ticks_ms()
        self._pin = machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP)
        self._pin.irq(self._edge, machine.Pin.IRQ_RISING if rising else machine.Pin.IRQ_FALLING)

    def _edge(self, _pin: "Any") -> None:
        now = ticks_ms()
        if ticks_diff(now, self._last_ms) >= self._debounce_ms:
            self._count = self._count + 1 & 0x3FFFFFFF
        self._last_ms = now

    def value(self) -> int:
        """Edges so far, modulo 2^30."""
        return self._count


def counter(pin: int, rising: bool, debounce_ms: int) -> "Any":
    """A counter on a pin; its `value()` is modulo 2^16 or 2^30, read it before it has gone half round."""
    if hasattr(machine, "Counter"):
        _used.append(pin)
        edge = machine.Counter.RISING if rising else machine.Counter.FALLING
        return machine.Counter(
            len(_used) - 1, machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP), edge=edge, filter_ns=_FILTER_NS
        )
    return _Interrupts(pin, rising, debounce_ms)
