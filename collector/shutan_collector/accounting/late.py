"""Late samples: which meters of an accounted month have other readings in the series store than were used.

Per local day the store gives count and sums (`SeriesReader.fingerprints`), which are compared with the ones that the
month's readings documents keep. The reading that a month begins or ends with may lie in the month beside it, so these
two are looked up as well. Only what differs is computed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from shutan_collector.accounting.month import fingerprint, month_span
from shutan_collector.energy.measure import Estimate, measure
from shutan_collector.energy.source import read_counter
from shutan_collector.periods import NS_PER_S, Span, from_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shutan_collector.series.base import SeriesReader
    from shutan_collector.site.model import Meter, Site

__all__ = ["ChangedDay", "Kept", "Used", "changed_days", "moved_ends"]

_HOUR_NS = 3600 * NS_PER_S
Used: TypeAlias = tuple[tuple[int, int], ...]  # time and register of the readings that a boundary rests on


@dataclass(frozen=True, slots=True)
class Kept:
    """What a readings document says of the series store.

    days         its "fingerprint"
    start, end   the readings behind the month's two ends: one, two around an estimate, none in a hole
    """

    days: Sequence[Sequence[str | int]] = ()
    start: Used = ()
    end: Used = ()


@dataclass(frozen=True, slots=True)
class ChangedDay:
    """A day of one meter whose raw readings are not those of the accounted month.

    before, after   readings of the day, then and now; equal numbers mean that registers or times differ. Of a day
                    beside the month: the readings that the month's end rests on
    """

    meter: str
    day: str
    before: int
    after: int


def changed_days(site: Site, month: str, kept: Mapping[str, Kept], reader: SeriesReader) -> tuple[ChangedDay, ...]:
    """The changed days inside one month, by meter, then day. Raises StoreUnavailableError, SeriesError.

    kept   by meter what its readings document says
    """
    found: list[ChangedDay] = []
    for meter in site.tree():
        before_of = {day[0]: list(day[1:]) for day in kept.get(meter.id, Kept()).days}
        for now in fingerprint(site, meter, reader, month):
            before = before_of.get(now.day, [0, 0, 0])
            if before != [now.count, now.registers, now.offsets_ms]:
                found.append(ChangedDay(meter.id, now.day, int(before[0]), now.count))
    return tuple(found)


def moved_ends(
    site: Site, meter: Meter, month: str, kept: Kept, reader: SeriesReader, *, sides: tuple[bool, bool]
) -> tuple[ChangedDay, ...]:
    """The ends of a month that would rest on other readings now: those arrived on the other side of midnight.

    sides   whether to look at the month's start, and at its end
    """
    span = month_span(month, site.zone)
    moved: list[ChangedDay] = []
    for edge_ns, before, wanted in ((span.start_ns, kept.start, sides[0]), (span.end_ns, kept.end, sides[1])):
        if not wanted:
            continue
        after = _used_now(site, meter, edge_ns, before, reader)
        if after != before:
            (t_ns, _), *_ = (*sorted(set(after) - set(before)), *before)
            day = from_ns(t_ns, site.zone).date().isoformat()
            moved.append(ChangedDay(meter.id, day, len(before), len(after)))
    return tuple(moved)


def _used_now(site: Site, meter: Meter, edge_ns: int, before: Used, reader: SeriesReader) -> Used:
    """The readings that the boundary rests on as the store is now, found by the rules of the month itself."""
    times = [edge_ns, *(t_ns for t_ns, _ in before)]
    counter, _ = read_counter(site, meter, reader, min(times), max(times))
    if not len(counter):
        return before  # no instrument reports here: what a person read (抄表) stands among the month's own rows
    estimate = Estimate.LINEAR if len(before) > 1 else Estimate.NONE
    hours = (Span(edge_ns - _HOUR_NS, edge_ns), Span(edge_ns, edge_ns + _HOUR_NS))
    boundary = measure(counter, hours, site.tolerance_s * NS_PER_S, estimate=estimate).periods[0].end
    if boundary is None:
        return ()
    readings = (counter.reading(index) for index in sorted({boundary.low, boundary.high}))
    return tuple((reading.t_ns, reading.register) for reading in readings)
