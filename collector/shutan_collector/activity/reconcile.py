"""Utility bills against the entry meter (电费结算单核对): each bill over its own dates, in exact numbers.

A bill runs from the local midnight at the start of its first day to the one at the end of its last. The meter's value
over that time is measured as every other period is; a boundary without a reading gives no value, not an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.activity.cells import CellError, number_of
from shutan_collector.energy.measure import measure
from shutan_collector.energy.source import read_counter
from shutan_collector.errors import RequestError
from shutan_collector.periods import NS_PER_S, Span, to_ns
from shutan_collector.units import kwh_from_wh

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from shutan_collector.activity.rows import Bill
    from shutan_collector.energy.counter import Counter
    from shutan_collector.series.base import SeriesReader
    from shutan_collector.site.model import Site

__all__ = [
    "DEFAULT_TOLERANCE",
    "BillRule",
    "Prevails",
    "Reconciliation",
    "Verdict",
    "bill_rule",
    "bill_span",
    "reconcile",
    "reconcile_from",
    "unbilled",
]

# Both the utility's meter and the site's may be class 1.0 (GB/T 17215); twice that covers the two of them.
DEFAULT_TOLERANCE: Final = Fraction(2, 100)
_MOST_PERCENT: Final = 20


class Prevails(StrEnum):
    """Whose figure counts; it is stated by a person, never chosen by the outcome."""

    METER = "meter"
    BILL = "bill"


class Verdict(StrEnum):
    """What the comparison says."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_EXACT = "not exact"  # within the tolerance or not: an unknown amount passed the meter
    NOT_MEASURED = "not measured"  # no reading near a boundary, or no counter of that meter


@dataclass(frozen=True, slots=True)
class BillRule:
    """tolerance: largest difference as a share of the billed energy (0.02 = 2 %), the bound itself included."""

    prevails: Prevails
    tolerance: Fraction = DEFAULT_TOLERANCE


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One bill beside its meter, kWh.

    difference_kwh      metered - billed; None where the meter has no value
    difference_share    of the billed energy; None as well for a bill over nothing
    rest_kwh            billed energy less sharp, peak, flat and valley, where the bill gives any of them
    counts_kwh          the figure that counts by the rule; None where the meter prevails and has no value
    """

    bill: Bill
    start_ns: int
    end_ns: int
    metered_kwh: Fraction | None
    difference_kwh: Fraction | None
    difference_share: Fraction | None
    rest_kwh: Fraction | None
    verdict: Verdict
    rule: BillRule
    counts_kwh: Fraction | None


def bill_rule(prevails: str, tolerance_pct: str) -> BillRule:
    """The rule as a person states it: "meter" or "bill", percent as text. Raises RequestError."""
    if prevails not in set(Prevails):
        raise RequestError("--prevails", f"{prevails!r} is not one of meter, bill; state whose figure counts")
    try:
        tolerance = number_of(tolerance_pct)
    except CellError as error:
        raise RequestError("--tolerance", f"{tolerance_pct!r}: accepted: {error}") from None
    if not 0 <= tolerance <= _MOST_PERCENT:
        raise RequestError("--tolerance", f"{tolerance_pct} is not within 0 to {_MOST_PERCENT} percent")
    return BillRule(Prevails(prevails), tolerance / 100)


def bill_span(bill: Bill, zone: ZoneInfo) -> Span:
    """The time a bill covers: midnight before its first day to midnight after its last, local."""
    return Span(_midnight_ns(bill.start, zone), _midnight_ns(bill.end + timedelta(days=1), zone))


def reconcile(
    bills: Iterable[Bill], counters: Mapping[str, Counter], site: Site, rule: BillRule
) -> tuple[Reconciliation, ...]:
    """Each bill with what its meter counted, by meter and date.

    counters   by meter id, in Wh; they must reach over the bills' dates
    """
    ordered = sorted(bills, key=lambda bill: (bill.meter, bill.start, bill.key))
    return tuple(_one(bill, counters.get(bill.meter), site, rule) for bill in ordered)


def reconcile_from(
    bills: Sequence[Bill], site: Site, reader: SeriesReader, rule: BillRule
) -> tuple[Reconciliation, ...]:
    """`reconcile` with the counters read from a series store. Raises StoreUnavailableError, SeriesError."""
    counters: dict[str, Counter] = {}
    known = {meter.id: meter for meter in site.meters}
    for meter in {bill.meter for bill in bills} & set(known):
        spans = [bill_span(bill, site.zone) for bill in bills if bill.meter == meter]
        start_ns, end_ns = min(span.start_ns for span in spans), max(span.end_ns for span in spans)
        counters[meter] = read_counter(site, known[meter], reader, start_ns, end_ns)[0]
    return reconcile(bills, counters, site, rule)


def unbilled(bills: Iterable[Bill], meter: str, first: date, last: date) -> tuple[tuple[date, date], ...]:
    """Stretches of days from first to last (inclusive) that no bill of the meter covers."""
    gaps: list[tuple[date, date]] = []
    at = first
    for bill in sorted((bill for bill in bills if bill.meter == meter), key=lambda bill: bill.start):
        if bill.start > last:
            break
        if bill.start > at:
            gaps.append((at, bill.start - timedelta(days=1)))
        at = max(at, bill.end + timedelta(days=1))
    return (*gaps, (at, last)) if at <= last else tuple(gaps)


def _one(bill: Bill, counter: Counter | None, site: Site, rule: BillRule) -> Reconciliation:
    span = bill_span(bill, site.zone)
    flow = measure(counter, [span], site.tolerance_s * NS_PER_S).total if counter is not None and len(counter) else None
    metered = kwh_from_wh(flow.value) if flow is not None and flow.value is not None else None
    difference = None if metered is None else metered - bill.energy_kwh
    share = None if difference is None or not bill.energy_kwh else difference / bill.energy_kwh
    if flow is None or difference is None:
        verdict = Verdict.NOT_MEASURED
    elif not flow.exact:
        verdict = Verdict.NOT_EXACT
    else:
        within = abs(difference) <= rule.tolerance * bill.energy_kwh
        verdict = Verdict.AGREES if within else Verdict.DIFFERS
    parts = [part for part in (bill.sharp_kwh, bill.peak_kwh, bill.flat_kwh, bill.valley_kwh) if part is not None]
    return Reconciliation(
        bill=bill,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        metered_kwh=metered,
        difference_kwh=difference,
        difference_share=share,
        rest_kwh=bill.energy_kwh - sum(parts, Fraction(0)) if parts else None,
        verdict=verdict,
        rule=rule,
        counts_kwh=metered if rule.prevails is Prevails.METER else bill.energy_kwh,
    )


def _midnight_ns(day: date, zone: ZoneInfo) -> int:
    return to_ns(datetime.combine(day, time(), zone))
