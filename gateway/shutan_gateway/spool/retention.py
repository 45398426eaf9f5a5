"""Which delivered segments of the spool may go, and when.

Delivered means: below the position of every store. Such segments are kept for a replay (`shutan spool replay`) until
they are older than `keep_s`, or until their room is needed for new records, oldest first. What is not delivered to some
store never goes for room: the spool stops taking records instead, and the nodes keep theirs. Where the configuration
says so, undelivered gauges go before that (thin.py), registers never.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from shutan_gateway.spool.opening import Segment  # noqa: TC001 - a field of a NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


__all__ = ["KEPT_SEGMENTS", "Retention", "Thinned", "Thins"]

# Whole segments kept below the slowest store whatever their age: recent times for the conflict rule after a restart.
KEPT_SEGMENTS = 1


class Thinned(NamedTuple):
    """A segment before and after."""

    before: Segment
    after: Segment


class Thins(Protocol):
    """Makes undelivered segments smaller (upkeep/thin.py)."""

    def thin(self, segments: Sequence[Segment]) -> Thinned | None:
        """Thin the oldest of these segments that can be; None when none can. Raises OSError; then nothing changed."""
        ...


class Retention:
    """keep_s: age, by the file's last change, after which a delivered segment goes; 0 = as soon as it is delivered.

    thinner: makes undelivered segments smaller where there is no room; None = never.
    """

    def __init__(
        self, keep_s: float = 0.0, now_s: Callable[[], float] = time.time, thinner: Thins | None = None
    ) -> None:
        self._keep_s = keep_s
        self._thinner = thinner
        self._now_s = now_s

    def expired(self, delivered: Sequence[Segment]) -> int:
        """How many of the delivered segments, from the oldest on, are to go now."""
        free = max(0, len(delivered) - KEPT_SEGMENTS)
        if self._keep_s <= 0:
            return free
        for index, segment in enumerate(delivered[:free]):
            try:
                changed_s = segment.path.stat().st_mtime
            except OSError:  # not there any more: let it go from the list as well
                continue
            if changed_s + self._keep_s > self._now_s():
                return index
        return free

    def thin(self, undelivered: Sequence[Segment]) -> Thinned | None:
        """Make the oldest of these segments smaller that can be; None when none can. Raises OSError."""
        return None if self._thinner is None else self._thinner.thin(undelivered)
