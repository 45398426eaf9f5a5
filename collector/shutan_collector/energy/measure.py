"""Consumption per period from one meter's counter. Pure; the only arithmetic is on integers.

Consumption of a period = count at its end - count at its start. A boundary uses the reading nearest to it within the
tolerance, and neighbouring periods share that reading, so they add up exactly. A boundary without such a reading has
no count: the periods beside it have no value, and what passed between the known boundaries around the gap is
*unallocated* (未分摊): exact for every period that encloses the gap, and for none inside. Only on request is such a
boundary estimated (估算), by a straight line between the readings around it, and marked so.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shutan_collector.energy.counter import Counter, Piece
    from shutan_collector.energy.registers import Event
    from shutan_collector.periods import Span

__all__ = ["Boundary", "Estimate", "Flow", "MeterEnergy", "Part", "measure", "observed_interval_ns"]


class Estimate(StrEnum):
    """How a boundary without a reading is filled: not at all, or on a straight line between its neighbours."""

    NONE = "none"
    LINEAR = "linear"


class Part(StrEnum):
    """What stretch of time a figure belongs to."""

    PERIOD = "period"  # a calendar period
    GAP = "gap"  # several periods whose inner boundaries have no reading
    EDGE = "edge"  # between the first or last reading inside the request and the boundary next to it


@dataclass(frozen=True, slots=True)
class Boundary:
    """The joined count at one instant.

    count       in the metric's step
    low, high   numbers of the readings it rests on: the same one twice, or the two around an estimate
    """

    t_ns: int
    count: int
    low: int
    high: int

    @property
    def estimated(self) -> bool:
        """Whether the count was interpolated."""
        return self.low != self.high


@dataclass(frozen=True, slots=True)
class Flow:
    """What passed a meter in a stretch of time.

    value        in the metric's step; None if a boundary is unknown
    estimated    a boundary was interpolated
    exact        False if an unknown amount passed besides (reset, unsealed swap, negative step)
    start, end   the boundaries, where known
    present      readings in the stretch, at most `expected`; expected is None if no interval is known
    pieces       evidence, from reading to reading; empty without a value
    """

    part: Part
    start_ns: int
    end_ns: int
    partial: bool
    value: int | None
    estimated: bool
    exact: bool
    start: Boundary | None
    end: Boundary | None
    present: int
    expected: int | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class MeterEnergy:
    """Consumption of one meter over one request.

    periods       one flow per calendar period, in order
    unallocated   gaps and edges: measured, but not within a period
    total         the whole request, from its first to its last boundary
    measured      from the first to the last known point: always the sum of the two lists above
    """

    periods: tuple[Flow, ...]
    unallocated: tuple[Flow, ...]
    total: Flow
    measured: int
    interval_ns: int | None
    events: tuple[Event, ...]


def observed_interval_ns(times_ns: Sequence[int]) -> int | None:
    """Lower median of the distances between readings; None for fewer than two."""
    steps = sorted(right - left for left, right in pairwise(times_ns) if right > left)
    return steps[(len(steps) - 1) // 2] if steps else None


def measure(
    counter: Counter,
    spans: Sequence[Span],
    tolerance_ns: int,
    interval_ns: int | None = None,
    estimate: Estimate = Estimate.NONE,
) -> MeterEnergy:
    """Consumption over adjoining spans (at least one).

    tolerance_ns   reach of a boundary; capped below half of each period beside it
    interval_ns    expected distance of readings; None = as observed
    """
    interval_ns = interval_ns or observed_interval_ns(counter.times_ns)
    ruler = _Ruler(counter, interval_ns, estimate)
    boundaries = ruler.boundaries(spans, tolerance_ns)
    start_ns, end_ns = spans[0].start_ns, spans[-1].end_ns
    periods = tuple(
        ruler.flow(Part.PERIOD, (span.start_ns, span.end_ns), left, right, partial=span.partial)
        for span, left, right in zip(spans, boundaries, boundaries[1:], strict=False)
    )
    unallocated = tuple(ruler.unallocated(start_ns, end_ns, boundaries))
    return MeterEnergy(
        periods=periods,
        unallocated=unallocated,
        total=ruler.flow(Part.PERIOD, (start_ns, end_ns), boundaries[0], boundaries[-1]),
        measured=sum(flow.value or 0 for flow in (*periods, *unallocated)),
        interval_ns=interval_ns,
        events=tuple(
            event
            for event in counter.events
            if event.end_ns >= start_ns - tolerance_ns and event.start_ns <= end_ns + tolerance_ns
        ),
    )


class _Ruler:
    """Boundaries and flows of one counter."""

    def __init__(self, counter: Counter, interval_ns: int | None, estimate: Estimate) -> None:
        self._counter = counter
        self._interval_ns = interval_ns
        self._estimate = estimate

    def boundaries(self, spans: Sequence[Span], tolerance_ns: int) -> list[Boundary | None]:
        """One boundary per edge of the spans. Two reaches never meet, so that no reading serves two edges."""
        reaches = [min(tolerance_ns, (span.length_ns - 1) // 2) for span in spans]
        edges = [spans[0].start_ns, *(span.end_ns for span in spans)]
        found: list[Boundary | None] = []
        for t_ns, left, right in zip(edges, [reaches[0], *reaches], [*reaches, reaches[-1]], strict=True):
            index = self._counter.nearest(t_ns, min(left, right))
            if index is None:
                found.append(self._estimated(t_ns))
            else:
                found.append(Boundary(t_ns, self._counter.count(index), index, index))
        return found

    def flow(
        self,
        part: Part,
        stretch_ns: tuple[int, int],
        start: Boundary | None,
        end: Boundary | None,
        *,
        partial: bool = False,
    ) -> Flow:
        """What passed between two boundaries; without both of them only the completeness is known."""
        start_ns, end_ns = stretch_ns
        present, expected = self._completeness(start_ns, end_ns)
        value, estimated, exact, pieces = None, False, False, ()
        if start is not None and end is not None:
            value = end.count - start.count
            estimated = start.estimated or end.estimated
            exact = self._counter.exact(start.low, end.high)
            pieces = self._counter.pieces(start.low, end.high)
        return Flow(
            part=part,
            start_ns=start_ns,
            end_ns=end_ns,
            partial=partial,
            value=value,
            estimated=estimated,
            exact=exact,
            start=start,
            end=end,
            present=present,
            expected=expected,
            pieces=pieces,
        )

    def unallocated(self, start_ns: int, end_ns: int, boundaries: Sequence[Boundary | None]) -> Iterator[Flow]:
        """Stretches between known points that are not one period, in time order."""
        points = [(number, point) for number, point in enumerate(boundaries) if point is not None]
        first, after_last = self._counter.range(start_ns, end_ns)
        if first < after_last:
            if boundaries[0] is None:
                points.insert(0, (-2, self._at_reading(first)))
            if boundaries[-1] is None:
                points.append((len(boundaries) + 1, self._at_reading(after_last - 1)))
        for (left_number, left), (right_number, right) in pairwise(points):
            if right_number - left_number == 1 or right.high <= left.low:
                continue
            edge = left_number < 0 or right_number > len(boundaries)
            yield self.flow(Part.EDGE if edge else Part.GAP, (left.t_ns, right.t_ns), left, right)

    def _at_reading(self, index: int) -> Boundary:
        return Boundary(self._counter.times_ns[index], self._counter.count(index), index, index)

    def _estimated(self, t_ns: int) -> Boundary | None:
        """Count on the straight line between the readings around an instant, rounded down."""
        times_ns = self._counter.times_ns
        high = bisect_left(times_ns, t_ns)
        if self._estimate is Estimate.NONE or not 0 < high < len(times_ns):
            return None
        low = high - 1
        passed = self._counter.between(low, high)
        share = passed * (t_ns - times_ns[low]) // (times_ns[high] - times_ns[low])
        return Boundary(t_ns, self._counter.count(low) + share, low, high)

    def _completeness(self, start_ns: int, end_ns: int) -> tuple[int, int | None]:
        first, after_last = self._counter.range(start_ns, end_ns)
        present = after_last - first
        if not self._interval_ns:
            return present, None
        expected = max(1, (end_ns - start_ns + self._interval_ns // 2) // self._interval_ns)
        return min(present, expected), expected
