"""From a series store to a metering point's counter: whose readings count when, sealed registers included."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shutan_collector.energy.counter import Counter, Installed
from shutan_collector.energy.measure import Estimate, MeterEnergy, measure
from shutan_collector.energy.registers import CONFIRM, RegisterRule, stuck, track
from shutan_collector.periods import NS_PER_S
from shutan_collector.samples import Samples
from shutan_collector.series.base import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_collector.periods import Kind
    from shutan_collector.series.base import SeriesReader
    from shutan_collector.site.model import Installation, Meter, Site

__all__ = ["measure_meter", "read_counter"]

# Beyond the tolerance: the readings that confirm what happened at the very boundary, also of a meter read every hour.
# Requests that meet at a boundary both see a run of wrong readings there whole, and so judge it alike.
_MARGIN_NS = (CONFIRM + 1) * 3600 * NS_PER_S


def read_counter(
    site: Site, meter: Meter, reader: SeriesReader, start_ns: int, end_ns: int, *, metric: str = ""
) -> tuple[Counter, int]:
    """The meter's joined counter around [start_ns, end_ns), and how many readings had a bad quality.

    metric   another register of the same instruments, of the same width (reactive energy); "" = the meter's own.
             Swap records and the limit of standing still speak of the meter's own register only.

    Raises StoreUnavailableError, SeriesError.
    """
    own = metric in {"", meter.metric}
    margin_ns = site.tolerance_s * NS_PER_S + _MARGIN_NS
    limit_ns = (meter.stuck_after_s or 0) * NS_PER_S if own else 0
    # As far back as a register may stand still: one that stuck before the request and through its start is seen.
    near_ns = max(0, start_ns - margin_ns)
    window = (max(0, near_ns - limit_ns), end_ns + margin_ns)
    installed: list[Installed] = []
    bad_quality = 0
    for item in meter.installations:
        begin, end = _within(item, window)
        if begin >= end:
            continue
        source = Source(meter.family, site.id, item.node, item.device)
        samples = reader.read(source, metric or meter.metric, begin, end)
        bad_quality += samples.bad_quality
        if begin < near_ns:
            bad_quality -= reader.read(source, metric or meter.metric, begin, min(near_ns, end)).bad_quality
        sealed_start = own and item.start_register is not None and begin == item.start_ns
        sealed_end = own and item.end_register is not None and end == item.end_ns
        seals = [(item.start_ns, item.start_register)] if sealed_start else []
        seals += [(item.end_ns, item.end_register)] if sealed_end else []
        found = track(_with_seals(samples, seals), RegisterRule(item.span, item.max_per_hour))
        if limit_ns:
            found = replace(found, events=(*found.events, *stuck(found, limit_ns)))
        installed.append(Installed(item.source, found, sealed_start, sealed_end))
    return Counter(installed), bad_quality


def measure_meter(
    site: Site,
    meter: Meter,
    reader: SeriesReader,
    start_ns: int,
    end_ns: int,
    *,
    kind: Kind,
    estimate: Estimate = Estimate.NONE,
    metric: str = "",
) -> MeterEnergy:
    """Consumption of one meter per period of a kind over [start_ns, end_ns).

    metric   another register of the same instruments, as in read_counter

    Raises RequestError, StoreUnavailableError, SeriesError.
    """
    spans = site.spans(start_ns, end_ns, kind)
    counter, _ = read_counter(site, meter, reader, start_ns, end_ns, metric=metric)
    interval_ns = meter.interval_s * NS_PER_S if meter.interval_s else None
    return measure(counter, spans, site.tolerance_s * NS_PER_S, interval_ns, estimate)


def _within(item: Installation, window: tuple[int, int]) -> tuple[int, int]:
    begin = window[0] if item.start_ns is None else max(window[0], item.start_ns)
    end = window[1] if item.end_ns is None else min(window[1], item.end_ns)
    return begin, end


def _with_seals(samples: Samples, seals: Iterable[tuple[int | None, int | None]]) -> Samples:
    """The samples and the registers that the swap record states, as readings of their own."""
    stated = [(t_ns, value) for t_ns, value in seals if t_ns is not None and value is not None]
    if not stated:
        return samples
    return Samples(
        [*samples.times_ns, *(t_ns for t_ns, _ in stated)],
        [*samples.values, *(value for _, value in stated)],
        samples.bad_quality,
    )
