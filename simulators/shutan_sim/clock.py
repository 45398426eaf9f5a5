"""The one injected clock: plant time = epoch0 + (monotonic now - monotonic0) x speed.

The process of the plant owns it: instruments ask it, the SNTP server hands it out, `plant.json` tells it to others
(CLOCK_MONOTONIC is the same in all processes of a machine). See docs/clock.md for who uses which time.
"""

import time
from dataclasses import dataclass

_NS_A_MS = 1_000_000


@dataclass(slots=True)
class PlantClock:
    """Plant time in ms since 1970 UTC.

    speed: plant seconds a real second, a whole number from 1
    """

    epoch0_ms: int
    monotonic0_ns: int
    speed: int
    frozen_ms: int | None = None

    @classmethod
    def starting(cls, epoch0_ms: int, speed: int) -> "PlantClock":
        """A clock that shows `epoch0_ms` now."""
        return cls(epoch0_ms, time.monotonic_ns(), speed)

    def now_ms(self) -> int:
        """Plant time; goes on when the plant is frozen."""
        return self.epoch0_ms + (time.monotonic_ns() - self.monotonic0_ns) * self.speed // _NS_A_MS

    def register_ms(self) -> int:
        """Time at which the registers stand: plant time, or the moment of the freeze."""
        return self.now_ms() if self.frozen_ms is None else self.frozen_ms

    def freeze(self) -> int:
        """Stop the registers; their time. A second call changes nothing."""
        if self.frozen_ms is None:
            self.frozen_ms = self.now_ms()
        return self.frozen_ms
