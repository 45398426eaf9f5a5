"""Consumption per period from one meter's counter. Pure; the only arithmetic is on integers.

Consumption of a period = count at its end - count at its start. A boundary uses the reading nearest to it within the
tolerance, and neighbouring periods share that reading, so they add up exactly. A boundary without such a reading has
no count: the periods beside it have no value, and what passed between the known boundaries around the gap is
*unallocated* (未分摊): exact for every period that encloses the gap, and for none inside. Only on request is such a
boundary estimated (估算), by a straight line between the readings around it, and marked so.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from shutan_collector.periods import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from shutan_collector.energy.counter import Counter, Piece
    from shutan_collector.energy.registers import Event

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
    counter      where the readings are
    name, day    of a shift, as in periods.Span
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
    counter: Counter = field(repr=False, compare=False)
    name: str = ""
    day: date | None = None

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Evidence, from reading to reading; empty without a value. Put together when asked for: few ever are."""
        if self.start is None or self.end is None:
            return ()
        return self.counter.pieces(self.start.low, self.end.high)

    @property
    def counted_ns(self) -> tuple[int, int] | None:
        """Between which instants the value passed: those of the readings, or of the boundary where it is estimated."""
        if self.start is None or self.end is None:
            return None
        start_ns, end_ns = (
            point.t_ns if point.estimated else self.counter.times_ns[point.low] for point in (self.start, self.end)
        )
        return start_ns, end_ns


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
    edges_ns = [spans[0].start_ns, *(span.end_ns for span in spans)]
    places = [bisect_left(counter.times_ns, edge) for edge in edges_ns]
    boundaries = ruler.boundaries(spans, edges_ns, places, tolerance_ns)
    start_ns, end_ns = edges_ns[0], edges_ns[-1]
    periods = tuple(
        ruler.flow(Part.PERIOD, span, ends, after - first)
        for span, ends, (first, after) in zip(spans, pairwise(boundaries), pairwise(places), strict=True)
    )
    unallocated = tuple(ruler.unallocated(start_ns, end_ns, boundaries))
    whole = (boundaries[0], boundaries[-1])
    return MeterEnergy(
        periods=periods,
        unallocated=unallocated,
        total=ruler.flow(Part.PERIOD, Span(start_ns, end_ns), whole, places[-1] - places[0]),
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
        self._times_ns = counter.times_ns
        self._interval_ns = interval_ns
        self._estimate = estimate

    def boundaries(
        self, spans: Sequence[Span], edges_ns: Sequence[int], places: Sequence[int], tolerance_ns: int
    ) -> list[Boundary | None]:
        """One boundary per edge of the spans. Two reaches never meet, so that no reading serves two edges.

        places   number of the first reading at or after each edge
        """
        reaches = [min(tolerance_ns, (span.length_ns - 1) // 2) for span in spans]
        found: list[Boundary | None] = []
        for t_ns, place, left, right in zip(
            edges_ns, places, [reaches[0], *reaches], [*reaches, reaches[-1]], strict=True
        ):
            index = self._nearest(t_ns, place)
            reach_ns = min(left, right)
            if index is None or not -reach_ns <= self._times_ns[index] - t_ns <= reach_ns:
                found.append(self._estimated(t_ns, place))
            else:
                found.append(Boundary(t_ns, self._counter.count(index), index, index))
        return found

    def flow(
        self,
        part: Part,
        span: Span,
        ends: tuple[Boundary | None, Boundary | None],
        present: int,
    ) -> Flow:
        """What passed between two boundaries; without both of them only the completeness is known."""
        start, end = ends
        expected = self._expected(span.end_ns - span.start_ns)
        value, estimated, exact = None, False, False
        if start is not None and end is not None:
            value = end.count - start.count
            estimated = start.estimated or end.estimated
            exact = self._counter.exact(start.low, end.high)
        return Flow(
            part=part,
            start_ns=span.start_ns,
            end_ns=span.end_ns,
            partial=span.partial,
            value=value,
            estimated=estimated,
            exact=exact,
            start=start,
            end=end,
            present=present if expected is None or present < expected else expected,
            expected=expected,
            counter=self._counter,
            name=span.name,
            day=span.day,
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
            first, after_last = self._counter.range(left.t_ns, right.t_ns)
            part = Part.EDGE if edge else Part.GAP
            yield self.flow(part, Span(left.t_ns, right.t_ns), (left, right), after_last - first)

    def _at_reading(self, index: int) -> Boundary:
        return Boundary(self._times_ns[index], self._counter.count(index), index, index)

    def _nearest(self, t_ns: int, place: int) -> int | None:
        """Number of the reading nearest to an instant, the earlier of two equally near ones."""
        times_ns = self._times_ns
        if place == 0:
            return 0 if times_ns else None
        if place == len(times_ns) or t_ns - times_ns[place - 1] <= times_ns[place] - t_ns:
            return place - 1
        return place

    def _estimated(self, t_ns: int, place: int) -> Boundary | None:
        """Count on the straight line between the readings around an instant, rounded down."""
        times_ns = self._times_ns
        if self._estimate is Estimate.NONE or not 0 < place < len(times_ns):
            return None
        low = place - 1
        passed = self._counter.between(low, place)
        share = passed * (t_ns - times_ns[low]) // (times_ns[place] - times_ns[low])
        return Boundary(t_ns, self._counter.count(low) + share, low, place)

    def _expected(self, length_ns: int) -> int | None:
        """Readings that a stretch should have, at least one; None where no interval is known."""
        if not self._interval_ns:
            return None
        return max(1, (length_ns + self._interval_ns // 2) // self._interval_ns)
