"""Load of an entry meter of electricity over a month: tariff bands, demand, hours for the heat map."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_collector.activity.kinds import days_of
from shutan_collector.energy.tariff import BandUse, TariffSplit
from shutan_collector.errors import RequestError
from shutan_collector.site.tariff import Band, BandCalendar

if TYPE_CHECKING:
    from shutan_collector.accounting.summary import MeterUse, MonthSummary
    from shutan_collector.activity.rows import Bill
    from shutan_collector.site.tariff import Price

__all__ = ["BilledEnergy", "Load", "load_of"]

_HOUR_NS = 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class BilledEnergy:
    """The same meter by its settlement statement (电费结算单), which has dates of its own, inclusive."""

    bill: str
    start: str
    end: str
    energy_kwh: Fraction
    by_band_kwh: tuple[tuple[Band, Fraction], ...]
    demand_kw: Fraction | None
    power_factor: Fraction | None
    amount_yuan: Fraction | None


@dataclass(frozen=True, slots=True)
class Load:
    """Load of one meter.

    split        time-of-use split (尖峰平谷) of the hours; hours cut by a change of band are in no band. None without
                 a tariff, and `no_split` says why
    left_wh      not in the split: what passed in hours without a value of their own; None if the total is unknown
    peak_wh      greatest energy of an hour, so the greatest hourly mean load in watts, and when it began
    mean_w       energy of the month over its hours; None if the total is unknown
    hours        (start, energy or None), for the heat map
    """

    meter: str
    split: TariffSplit | None
    no_split: str
    left_wh: int | None
    peak_wh: int | None
    peak_start_ns: int | None
    mean_w: Fraction | None
    hours: tuple[tuple[int, int | None], ...]
    bills: tuple[BilledEnergy, ...]

    @property
    def load_factor_pct(self) -> Fraction | None:
        """负荷率: mean load per greatest hourly load, percent."""
        return None if not self.peak_wh or self.mean_w is None else self.mean_w / self.peak_wh * 100


def load_of(month: MonthSummary, use: MeterUse) -> Load:
    """Load of one meter over the month."""
    split, reason = _split(month, use)
    known = [(value, -start) for start, value in use.hours if value is not None]
    peak = max(known, default=None)
    return Load(
        meter=use.meter,
        split=split,
        no_split=reason,
        left_wh=None if use.value is None or split is None else use.value - split.measured_wh,
        peak_wh=peak[0] if peak else None,
        peak_start_ns=-peak[1] if peak else None,
        mean_w=Fraction(use.value, len(use.hours)) if use.value is not None and use.hours else None,
        hours=use.hours,
        bills=tuple(_billed(bill) for bill in month.book.bills if bill.meter == use.meter and _touches(bill, month)),
    )


def _split(month: MonthSummary, use: MeterUse) -> tuple[TariffSplit | None, str]:
    """Hours by band and price; a summary holds no quarters, so an hour that a band cuts stays unallocated."""
    if month.site.tariff is None:
        return None, "no tariff in the site model"
    if not use.hours:
        return None, "no hours"
    try:
        calendar = BandCalendar(month.site.tariff, use.hours[0][0], use.hours[-1][0] + _HOUR_NS, month.site.zone)
    except RequestError as error:
        return None, str(error)
    sums: dict[tuple[Band, Price | None], int] = {}
    unallocated_wh = 0
    for start_ns, value in use.hours:
        slot = calendar.slot(start_ns, start_ns + _HOUR_NS)
        if slot is None:
            unallocated_wh += value or 0
        elif value is not None:
            key = (slot.band, slot.price)
            sums[key] = sums.get(key, 0) + value
    lines = tuple(BandUse(band, price, value, use.estimated) for (band, price), value in sums.items())
    return TariffSplit(lines, unallocated_wh, use.exact), ""


def _touches(bill: Bill, month: MonthSummary) -> bool:
    first, last = days_of(month.period)
    return bill.start <= last and first <= bill.end


def _billed(bill: Bill) -> BilledEnergy:
    stated = (
        (Band.SHARP, bill.sharp_kwh), (Band.PEAK, bill.peak_kwh), (Band.FLAT, bill.flat_kwh),
        (Band.VALLEY, bill.valley_kwh),
    )  # fmt: skip
    return BilledEnergy(
        bill=bill.key,
        start=bill.start.isoformat(),
        end=bill.end.isoformat(),
        energy_kwh=bill.energy_kwh,
        by_band_kwh=tuple((band, value) for band, value in stated if value is not None),
        demand_kw=bill.demand_kw,
        power_factor=bill.power_factor,
        amount_yuan=bill.amount_yuan,
    )
