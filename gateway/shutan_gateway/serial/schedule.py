"""When a meter is read next: a pure clock of UTC milliseconds, so that it is tested without waiting.

A meter is due at phase + k x interval (UTC), as nodes are. One that does not answer is asked again behind all others of
the round, three times in all; then the reading has failed. After two failed readings it is lost: from then on a single
probe, later and later, and only where no other meter is due soon. The first answer brings it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LOST_AFTER", "PASSES", "Slot", "choose"]

PASSES = 3  # times that a meter is asked in one reading
LOST_AFTER = 2  # failed readings
PROBE_CAP_MS = 600_000
_FAR_MS = 86_400_000
_MOST_LATE = 100  # of one reading: a clock that was set forward is not a thousand late readings
_OVERDUE_MS = 60_000  # a probe that has waited this long is made on a full bus as well


class Slot:
    """One meter's place in time. cost_ms: of one probe (request and time-out).

    due_ms: when it is to be read next; tries: times it was asked in vain in this reading; failed: readings in a row
    that failed; late: readings begun more than 1.1 intervals after the one before, those left out included
    """

    __slots__ = ("_begun_ms", "cost_ms", "due_ms", "failed", "interval_ms", "late", "phase_ms", "tries")

    def __init__(self, interval_ms: int, phase_ms: int, cost_ms: int) -> None:
        self.interval_ms = interval_ms
        self.phase_ms = phase_ms
        self.cost_ms = cost_ms
        self.due_ms = 0
        self._begun_ms = 0
        self.tries = 0
        self.failed = 0
        self.late = 0

    @property
    def lost(self) -> bool:
        """Whether it is only probed."""
        return self.failed >= LOST_AFTER

    def aligned(self, now_ms: int) -> int:
        """The first reading time after `now_ms`."""
        return now_ms + self.interval_ms - (now_ms - self.phase_ms) % self.interval_ms

    def begin(self, now_ms: int) -> None:
        """A reading starts now; counts it if more than an interval and a tenth lies behind the one before."""
        if self.tries or self.lost:
            return
        since = now_ms - self._begun_ms
        if self._begun_ms and 10 * since > 11 * self.interval_ms:
            self.late += min(max(1, round(since / self.interval_ms) - 1), _MOST_LATE)
        self._begun_ms = now_ms

    def answered(self, now_ms: int) -> bool:
        """The meter answered; true if it had been lost."""
        back = self.lost
        if back:
            self._begun_ms = now_ms  # what it missed while it was lost was not late
        self.tries = self.failed = 0
        self.due_ms = self.aligned(now_ms)
        return back

    def unanswered(self, now_ms: int) -> bool:
        """The meter did not answer; true if it is lost from now on."""
        if not self.lost:
            self.tries += 1
            if self.tries < PASSES and now_ms < self.due_ms + self.interval_ms:
                return False
        self.tries = 0
        self.failed += 1
        if not self.lost:
            self.due_ms = self.aligned(now_ms)
            return False
        step = self.interval_ms << min(self.failed - LOST_AFTER, 20)
        self.due_ms = now_ms + max(self.interval_ms, min(step, PROBE_CAP_MS))
        return self.failed == LOST_AFTER

    def follow(self, now_ms: int) -> None:
        """Read now a meter that was never planned; plan again where the clock was set back."""
        if not self.due_ms:
            self.due_ms = now_ms
        elif self.due_ms - now_ms > max(self.interval_ms, PROBE_CAP_MS) + 1000:
            self.due_ms = self.aligned(now_ms)


def choose(slots: Sequence[Slot], now_ms: int) -> tuple[int, int]:
    """(index of the slot to read now or -1, milliseconds to wait otherwise).

    First the meters that answer, longest due first, those asked in vain last (in this reading or the one before); then
    a probe, if it can end before the next of them is due.
    """
    best, best_key = -1, (PASSES + 1, 0)
    next_ms = now_ms + _FAR_MS
    probe = -1
    for index, slot in enumerate(slots):
        if slot.lost:
            if probe < 0 or slot.due_ms < slots[probe].due_ms:
                probe = index
        elif slot.due_ms <= now_ms:
            # On a bus with too little time a meter that stepped back would never be asked again.
            behind = slot.tries + (slot.failed > 0)
            key = (behind if now_ms - slot.due_ms < slot.interval_ms else 0, slot.due_ms)
            if best < 0 or key < best_key:
                best, best_key = index, key
        else:
            next_ms = min(next_ms, slot.due_ms)
    if best >= 0:
        return best, 0
    if probe >= 0:
        slot = slots[probe]
        room = next_ms - now_ms >= slot.cost_ms
        if slot.due_ms <= now_ms and (room or now_ms - slot.due_ms >= _OVERDUE_MS):
            return probe, 0
        if slot.due_ms > now_ms:
            next_ms = min(next_ms, slot.due_ms)
    return -1, next_ms - now_ms
