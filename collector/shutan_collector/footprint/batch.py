"""Batches and the registers of their machines: what a meter counted from one instant to another.

An instant takes the reading nearest to it within the tolerance, which is below half of the shortest batch, else the
straight line between the readings around it, marked estimated (估算). The count at an instant is a function of the
instant alone, so that neighbouring stretches share it and always add up to the whole.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_collector.errors import Problem, SeriesError
from shutan_collector.periods import iso

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from shutan_collector.activity.kinds import ActivityBook, Production
    from shutan_collector.energy.counter import Counter
    from shutan_collector.footprint.plan import Product

__all__ = ["Amount", "Batch", "Instant", "MeterLog", "batches_ending", "output_of", "overlaps"]


@dataclass(frozen=True, slots=True)
class Batch:
    """All production rows of one batch, by start."""

    product: str
    batch: str
    rows: tuple[Production, ...]

    @property
    def id(self) -> tuple[str, str]:
        """Product and batch."""
        return self.product, self.batch

    @property
    def end_ns(self) -> int:
        """When its last row ends: the batch belongs to the period of this instant."""
        return max(row.end_ns for row in self.rows)


def batches_ending(book: ActivityBook, span: tuple[int, int]) -> tuple[Batch, ...]:
    """The batches whose last instant lies in [start, end), by end, product, batch."""
    rows: dict[tuple[str, str], list[Production]] = {}
    for row in book.productions:
        rows.setdefault((row.product, row.batch), []).append(row)
    found = [Batch(*key, tuple(sorted(items, key=_by_start))) for key, items in rows.items()]
    inside = [batch for batch in found if span[0] < batch.end_ns <= span[1]]
    return tuple(sorted(inside, key=lambda batch: (batch.end_ns, batch.id)))


def output_of(batch: Batch, product: Product) -> tuple[Fraction, Fraction] | Problem:
    """Good and scrap units of a batch; a Problem where it is not clear which rows count the output."""
    place = f"product {product.id}"
    wanted = product.output_assets
    rows = [row for row in batch.rows if not wanted or row.asset in wanted]
    if not rows:
        return Problem(f"{place} output_assets", f"batch {batch.batch} has no row on {', '.join(wanted)}")
    assets = sorted({row.asset for row in rows})
    if not wanted and len(assets) > 1:
        return Problem(
            f"{place} output_assets", f"batch {batch.batch} has rows on {', '.join(assets)}: which one counts?"
        )
    if other := [row for row in rows if row.unit != product.unit]:
        return Problem(f"{place} unit", f"is {product.unit}, batch {batch.batch} is counted in {other[0].unit}")
    good = sum((row.good for row in rows), Fraction())
    return good, sum((row.scrap for row in rows), Fraction())


def overlaps(rows: Iterable[Production]) -> Iterable[Problem]:
    """Rows of one machine that run at the same time: its energy cannot be told apart."""
    by_asset: dict[str, list[Production]] = {}
    for row in rows:
        by_asset.setdefault(row.asset, []).append(row)
    for asset, items in sorted(by_asset.items()):
        last: Production | None = None
        for row in sorted(items, key=_by_start):
            if last is not None and row.start_ns < last.end_ns:
                text = f"{last.product}/{last.batch} and {row.product}/{row.batch} overlap"
                yield Problem(f"asset {asset}", f"{text} ({row.place}); meter them apart or share the machine by a key")
            last = row if last is None or row.end_ns > last.end_ns else last


@dataclass(frozen=True, slots=True)
class Instant:
    """The joined count at an instant; low and high number the readings it rests on, one twice or the two around."""

    t_ns: int
    count: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Amount:
    """What passed from one instant to another, in the metric's step.

    estimated   a boundary lies on the line between two readings
    exact       False if an unknown amount passed besides (reset, unsealed swap, negative step)
    """

    start_ns: int
    end_ns: int
    value: int
    estimated: bool
    exact: bool


class MeterLog:
    """One counter by name, asked at instants; remembers every instant it was asked for, as evidence."""

    def __init__(self, name: str, counter: Counter, tolerance_ns: int, zone: ZoneInfo) -> None:
        self.name = name
        self.counter = counter
        self._tolerance_ns = tolerance_ns
        self._zone = zone
        self._instants: dict[int, Instant] = {}

    @property
    def instants(self) -> tuple[Instant, ...]:
        """All instants that figures rest on, in time order."""
        return tuple(self._instants[t_ns] for t_ns in sorted(self._instants))

    def at(self, t_ns: int) -> Instant:
        """The count at an instant. Raises SeriesError if no reading lies before or after it."""
        if t_ns not in self._instants:
            self._instants[t_ns] = self._find(t_ns)
        return self._instants[t_ns]

    def between(self, start_ns: int, end_ns: int) -> Amount:
        """What passed from one instant to another. Raises SeriesError."""
        start, end = self.at(start_ns), self.at(end_ns)
        estimated = start.low != start.high or end.low != end.high
        return Amount(start_ns, end_ns, end.count - start.count, estimated, self.counter.exact(start.low, end.high))

    def _find(self, t_ns: int) -> Instant:
        times_ns = self.counter.times_ns
        high = bisect_right(times_ns, t_ns)
        around = [index for index in (high - 1, high) if 0 <= index < len(times_ns)]
        near = min(around, key=lambda index: abs(times_ns[index] - t_ns), default=None)  # of two equals the earlier
        if near is not None and abs(times_ns[near] - t_ns) <= self._tolerance_ns:
            return Instant(t_ns, self.counter.count(near), near, near)
        if not 0 < high < len(times_ns):
            where = "after" if high else "before"
            reason = f"has no reading {where} {iso(t_ns, self._zone)}, where a batch or the window begins or ends"
            raise SeriesError(self.name, reason)
        low = high - 1
        count, more = self.counter.count(low), self.counter.between(low, high)
        return Instant(t_ns, count + more * (t_ns - times_ns[low]) // (times_ns[high] - times_ns[low]), low, high)


def _by_start(row: Production) -> tuple[int, int, str]:
    return row.start_ns, row.end_ns, row.key
