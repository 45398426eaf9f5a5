"""What stands behind digital inputs: pulse contacts and the lamps of a machine.

Facts: IEC 62053-31 (pulses of 30 ms at least); opto-couplers invert: a lit 24 V lamp pulls its pin low.
"""

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable


class Contact:
    """A pulse contact with the edge counter of its pin: `counter` begins at 0 with the node and goes round."""

    def __init__(self, width_bits: int = 30) -> None:
        self.closed = 0  # in its whole life
        self._mask = (1 << width_bits) - 1
        self._counter = 0

    def pulse(self, count: int = 1) -> None:
        """Close and open so many times."""
        self.closed += count
        self._counter = self._counter + count & self._mask

    def node_reset(self) -> None:
        """The counter is the chip's: a reset empties it."""
        self._counter = 0

    def value(self) -> int:
        """The counter."""
        return self._counter


class Lamp:
    """A lamp behind an opto-coupler. blinks: on and off for half a second each while lit."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        self._now_ms = now_ms
        self.lit = False
        self.blinks = False

    def value(self) -> int:
        """Level of the pin."""
        on = self.lit and not (self.blinks and self._now_ms() // 500 % 2)
        return 0 if on else 1
