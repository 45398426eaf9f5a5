"""Which record numbers of one (node, store id) are on disk or never come: a contiguous part and intervals above it.

The highest contiguous number is what the node hears in an acknowledgement (reference: record protocol of the wire).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NUMBER_MAX", "Watermark"]

NUMBER_MAX = 2**63 - 1  # record numbers start at 1; above this they fit no series store


class Watermark:
    """A set of record numbers 1..NUMBER_MAX.

    upto:  every number 1..upto is in the set, upto + 1 is not
    above: disjoint, not touching, ascending intervals (first, last) beyond upto + 1; at most `max_intervals` of them
    """

    def __init__(self, upto: int = 0, above: Iterable[tuple[int, int]] = (), max_intervals: int = 10_000) -> None:
        self.upto = upto
        self._first: list[int] = []
        self._last: list[int] = []
        self._max_intervals = max_intervals
        for first, last in above:
            self.close(first, last)

    @property
    def above(self) -> list[tuple[int, int]]:
        """Intervals beyond the contiguous part."""
        return list(zip(self._first, self._last, strict=True))

    def __contains__(self, number: int) -> bool:
        if number <= self.upto:
            return number >= 1
        index = bisect_right(self._first, number) - 1
        return index >= 0 and number <= self._last[index]

    def is_next(self, number: int) -> bool:
        """Whether `number` only moves the contiguous part on by one; then `upto` may be set to it."""
        return number == self.upto + 1 and not self._first and number <= NUMBER_MAX

    def room(self, number: int) -> bool:
        """Whether `number` can be added without more than `max_intervals` intervals."""
        return len(self._first) < self._max_intervals or number == self.upto + 1

    def add(self, number: int) -> bool:
        """Add one number; False when it was in the set already."""
        if number == self.upto + 1 and not self._first:  # the normal case: one after the other
            self.upto = number
            return True
        return self.close(number, number) == 1

    def close(self, first: int, last: int) -> int:
        """Add first..last (inclusive); returns how many of them were not in the set before."""
        first = max(first, self.upto + 1)
        if last < first:
            return 0
        # All intervals that overlap or touch first..last become one with it.
        low = bisect_left(self._last, first - 1)
        high = bisect_right(self._first, last + 1)
        new = last - first + 1
        for start, stop in zip(self._first[low:high], self._last[low:high], strict=True):
            new -= max(0, min(stop, last) - max(start, first) + 1)
        if low < high:
            first, last = min(first, self._first[low]), max(last, self._last[high - 1])
        if first == self.upto + 1:
            self.upto = last
            del self._first[low:high], self._last[low:high]
        else:
            self._first[low:high] = [first]
            self._last[low:high] = [last]
        return new
